"""What Asterisk does without us, measured on the wire: a linear queue, and a chain of Dial(), each over five heads who
never answer, 8 s each. The yardstick beside which the bench sets our own chain, in the same run on the same machine.

    with Rig(heads=15) as rig:
        queue = begin_queue_chain(rig, calls=10, group=1)      # both run while ours runs over the third five
        dial = begin_dial_chain(rig, calls=10, group=2)
        ...
        print(queue.figures(), dial.figures())

Figures: `offered_s` INVITE to a head until the offer's end; `gap_ms` from there to the next head's INVITE, negative
when two phones rang; `released_s` caller's INVITE to his final answer; `last_head_late_s` start of the fifth head
against an exact chain. Median, least and greatest over all calls, by the capturing kernel's clock.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median
from typing import TypedDict

from tests.e2e.asterisk.rig import Call, Dialled, Rig, Rules, Verdict, never_answers

HOP_S = 8.0
WINDOW_S = 40.0
# A queue of five heads lets the caller go after 44 s; the rest is for a slow machine.
LIMIT_S = 120.0


class Spread(TypedDict):
    """Of one measured quantity."""

    median: float
    min: float
    max: float


class Figures(TypedDict):
    """Of one chain."""

    chain: str
    calls: int
    offered_s: Spread
    gap_ms: Spread
    released_s: Spread
    last_head_late_s: Spread
    anomalies: dict[str, int]


@dataclass(frozen=True)
class Run:
    """Calls that are on their way."""

    chain: str
    rig: Rig
    dialled: Dialled

    def verdict(self) -> Verdict:
        """Wait for the last caller's release and judge."""
        self.dialled.wait(LIMIT_S)
        return self.rig.verdict(Rules(HOP_S, WINDOW_S), callers=self.dialled.numbers, heads=())

    def figures(self) -> Figures:
        """Wait for the last caller's release and measure."""
        verdict = self.verdict()
        figures = measure(self.chain, verdict.calls)
        figures["anomalies"] = dict(Counter(anomaly.what for anomaly in verdict.anomalies))
        return figures


def begin_queue_chain(rig: Rig, calls: int, group: int = 1) -> Run:
    """Calls through app_queue (linear, timeout 8, retry 1, timeoutpriority conf) over the group's five heads."""
    return _begin("queue", rig, f"8{group}01", calls, group)


def begin_dial_chain(rig: Rig, calls: int, group: int = 1) -> Run:
    """Calls through Dial(head,8) five times over the group's five heads."""
    return _begin("dial", rig, f"7{group}01", calls, group)


def queue_chain(rig: Rig, calls: int, group: int = 1) -> Figures:
    """The same, waited for: about 44 s."""
    return begin_queue_chain(rig, calls, group).figures()


def dial_chain(rig: Rig, calls: int, group: int = 1) -> Figures:
    """The same, waited for: about 40 s."""
    return begin_dial_chain(rig, calls, group).figures()


def measure(chain: str, calls: Iterable[Call]) -> Figures:
    """Figures of calls that nobody answered; for our own chain, too. ValueError when a call has no hops or no end."""
    calls = list(calls)
    offered = [leg.offered_s for call in calls for leg in call.legs if leg.offered_s is not None]
    return Figures(
        chain=chain,
        calls=len(calls),
        offered_s=_spread("offers", offered),
        gap_ms=_spread("gaps", [gap for call in calls for gap in call.gaps_ms]),
        released_s=_spread("releases", [call.window_s for call in calls if call.window_s is not None]),
        last_head_late_s=_spread("hops", [call.drifts_s(HOP_S)[-1] for call in calls if call.legs]),
        anomalies={},
    )


def _begin(chain: str, rig: Rig, line: str, calls: int, group: int) -> Run:
    rig.all_heads(never_answers(), [head.name for head in rig.asterisk.groups()[group - 1]])
    return Run(chain, rig, rig.calls(line, calls))


def _spread(what: str, values: list[float]) -> Spread:
    if not values:
        message = f"no {what} were seen on the wire"
        raise ValueError(message)
    return Spread(median=round(median(values), 4), min=round(min(values), 4), max=round(max(values), 4))
