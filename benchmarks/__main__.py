"""`python -m benchmarks [ROOM …]`: measures and prints one JSON object, a key for each room.

    webhook   signed events after a durable commit, over a bare aiohttp that reads the body and answers 200
    timer     lateness of deadlines at 10,000 live calls, over bare `call_at`
    restart   from opening the store to all deadlines armed, 10,000 live calls
    memory    bytes per live call
    clients   10,000 clients: import, start, look-up by number
    wire      gaps and release on the wire, beside Asterisk's queue and Dial() (needs Asterisk; root)

Ratios are of two things measured in turn in the same run on the same machine; absolute figures only place them.
"""

import contextlib
import importlib
import json
import os
import platform
import sys
import time

ROOMS = ("webhook", "timer", "restart", "memory", "clients", "wire")


def main() -> int:
    """Measure the rooms named, or all."""
    rooms = sys.argv[1:] or list(ROOMS)
    unknown = [room for room in rooms if room not in ROOMS]
    if unknown:
        print(f"no such room: {', '.join(unknown)}; there are {', '.join(ROOMS)}", file=sys.stderr)
        return 2
    with contextlib.suppress(PermissionError):  # root: a shared machine's other work is not what is measured
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    result: dict[str, object] = {"python": platform.python_version(), "machine": platform.machine()}
    for room in rooms:
        begun = time.perf_counter()
        print(f"measuring {room} …", file=sys.stderr, flush=True)
        result[room] = importlib.import_module(f"benchmarks.{room}").measure()
        print(f"  {time.perf_counter() - begun:.1f} s", file=sys.stderr, flush=True)
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
