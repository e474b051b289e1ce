"""Writes the golden log of the present machine version. ONLY FOR A NEW MACHINE VERSION.

    .venv/bin/python -m tests.golden.write v2

A log that exists is what a released version did. To write it again is to declare that every journal in the field may be
read differently from how it was written; therefore this refuses to overwrite one.
"""

import sys

from router.chains.call import CALL
from tests.golden.log import FOLDER, contents, lines, write
from tests.golden.scenes import acts


def main(version: str, *, again: bool) -> int:
    """Exit code: 0 written, 1 refused."""
    path = FOLDER / f"{version}.jsonl"
    say = sys.stderr.write
    say("*" * 100 + "\n")
    say("GOLDEN LOGS ARE WRITTEN FOR A NEW VERSION OF THE MACHINE AND FOR NOTHING ELSE.\n")
    say("A failing golden test means changed behaviour: raise `CallMachine.version`, keep the old machine beside it.\n")
    say("*" * 100 + "\n")
    if version != f"v{CALL.version}":
        say(f"The machine is of version {CALL.version}; this would write {version}. Refused.\n")
        return 1
    if path.exists() and not again:
        say(f"{path.name} exists: that version has been released. Refused (before its first release: --unreleased).\n")
        return 1
    stages = acts()
    written = lines(stages)
    write(path, written)
    write(FOLDER / f"{version}.contents.jsonl", contents(stages))
    say(f"{path.name}: {len(written)} records\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "", again="--unreleased" in sys.argv))
