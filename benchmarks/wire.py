"""Our chain on the wire beside Asterisk's own linear queue and a chain of Dial(), all three in one run on one Asterisk.

Ten calls at once over five heads each, nobody answers, 8 s each, 40 s in all. Ours is the whole server in a process of
its own (`hopline serve`, journal on disk, commit before every ring) under `offers_per_person = 0`,
`after_window = release`. Judged from a capture of the SIP port; needs root and scripts/asterisk/install.sh.

    gap_ms         end of one head's offer to the next head's INVITE; negative where two phones rang
    overlap_ms     the longest time two phones of one call rang at once
    released_s     caller's INVITE to his final answer
    ratios         ours by theirs: below 1 is better than they are; `load` tells who else was at work
"""

import os
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.wire_baselines import Figures, Run, begin_dial_chain, begin_queue_chain
from tests.e2e.asterisk.office import Line, Office
from tests.e2e.asterisk.rig import Rig, never_answers

CALLS = 10
APART_S = 2.0
"""Between the chains' beginnings: with hops of 8 s (ours, Dial) and 9 s (queue) ours never falls together with theirs.
What is measured is a chain, not two cores shared by three of them in the same millisecond."""

LINE = Line("9001", (111, 112, 113, 114, 115), {"offers_per_person": 0, "after_window": "release"})


def measure() -> dict[str, object]:
    """About a minute."""
    with tempfile.TemporaryDirectory(prefix="hopline-bench-") as folder, Rig(heads=15) as rig:
        office = Office(rig, Path(folder) / "office", "bench", [LINE])
        try:
            with office:
                return _measure(rig, office)
        except BaseException:
            print(office.log()[-4000:], file=sys.stderr)
            raise


def _measure(rig: Rig, office: Office) -> dict[str, object]:
    rig.all_heads(never_answers(), LINE.order)
    before = os.getloadavg()[0]
    ours = Run("hopline", rig, office.calls(LINE, CALLS))
    time.sleep(APART_S)
    queue = begin_queue_chain(rig, CALLS, group=1)
    time.sleep(APART_S)
    dial = begin_dial_chain(rig, CALLS, group=2)
    figures = {run.chain: run.figures() for run in (ours, dial, queue)}
    rig.wait_until_idle()
    return {
        **{chain: dict(found) | _added(found) for chain, found in figures.items()},
        "ratios": _ratios(figures),
        "load": {"before": round(before, 2), "after": round(os.getloadavg()[0], 2), "cores": os.cpu_count()},
        "journal": {"calls": len(office.books.entries()), "differences": len(office.books.differences())},
    }


def _added(found: Figures) -> dict[str, float]:
    return {"overlap_ms": round(max(0.0, -found["gap_ms"]["min"]), 3)}


def _ratios(figures: Mapping[str, Figures]) -> dict[str, float]:
    ours = figures["hopline"]
    ratios = {}
    for name in ("dial", "queue"):
        theirs = figures[name]
        ratios[f"gap_over_{name}"] = round(ours["gap_ms"]["median"] / theirs["gap_ms"]["median"], 4)
        ratios[f"released_over_{name}"] = round(ours["released_s"]["median"] / theirs["released_s"]["median"], 4)
    return ratios
