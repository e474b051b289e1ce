"""A server that notes when it passes which crash point: `python -m tests.crash.counting DIARY serve --config …`.

Tells at which passage of a point a call is in the middle of what; the servers that die are the real command.
"""

import sys
import time
from pathlib import Path

from router.cli import main
from router.engine import crashes


def count(path: str) -> None:
    """From here on each passage is a line: instant in microseconds, place."""
    diary = Path(path).open("w", encoding="ascii", buffering=1)  # noqa: SIM115 - open until the process ends

    def note(place: str) -> None:
        diary.write(f"{time.time_ns() // 1_000} {place}\n")

    crashes.install(note)


if __name__ == "__main__":
    count(sys.argv.pop(1))
    main()
