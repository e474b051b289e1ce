"""Holds the calls of a capture against what a chain of heads must do, and names everything that is wrong.

The limits are those of a noisy machine of two cores, where 0.2 s of noise was seen: a ring of 8 s may last 7.5 to
8.5 s, two phones may ring at once for 0.25 s, the next may begin 0.5 s late.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal

from tests.e2e.asterisk.rig.calls import Call, HeadLeg, read_calls
from tests.e2e.asterisk.rig.packets import Sip

What = Literal[
    "offered_too_long",  # a phone rang longer than its hop
    "offered_too_short",  # it was taken back early without a reason
    "overlap",  # two phones of one call rang at once
    "gap",  # nobody's phone rang for too long between two hops
    "wrong_order",
    "head_skipped",
    "rings_after_cancel",  # the caller had gone
    "rings_after_answer",  # another head had taken the call
    "answer_lost",  # a head picked up and the caller never heard of it
    "two_answered",
    "dead_air",  # a head who picked up listened to nothing for too long
    "window_exceeded",
    "no_final",  # the caller was never told how it ended
    "answered_by_nobody",  # the caller was connected and no head was
    "leg_left_open",  # an offer that nothing ended, or a talk that outlived the caller
    "two_open_invites",  # one head was offered two calls at once
    "stray_leg",  # a phone rang for no call
]


@dataclass(frozen=True)
class Rules:
    """What is expected of a chain. Seconds. `order`: heads as they must be asked; empty: any order."""

    hop_s: float = 8.0
    window_s: float = 40.0
    order: tuple[str, ...] = ()
    in_parallel: bool = False  # a group is rung at once, as in the fallback
    ringing_tolerance_s: float = 0.5
    overlap_s: float = 0.25
    gap_s: float = 0.5
    window_tolerance_s: float = 1.0
    dead_air_s: float = 0.3
    no_ringing_after_s: float = 2.0  # a phone that does not even ring may be given up after this long
    answered_by_others: bool = False  # the PBX itself may answer the caller: greeting, voicemail


@dataclass(frozen=True)
class Anomaly:
    """Something that must not be."""

    what: What
    caller: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what} ({self.caller}): {self.detail}"


@dataclass
class Verdict:
    """Calls with their legs, and everything that is wrong with them."""

    calls: list[Call]
    strays: list[HeadLeg]
    anomalies: list[Anomaly] = field(default_factory=list)

    def call(self, caller: str) -> Call:
        """The only call of this caller."""
        (found,) = [call for call in self.calls if call.caller == caller]
        return found

    def kinds(self) -> set[str]:
        """Which sorts of anomaly there are."""
        return {anomaly.what for anomaly in self.anomalies}

    def __str__(self) -> str:
        told = [f"{call.caller} -> {call.line}: {_tell(call)}" for call in self.calls]
        return "\n".join(told + [str(anomaly) for anomaly in self.anomalies])


def judge(messages: Iterable[Sip], pbx: int, heads: Mapping[int, str], rules: Rules | None = None) -> Verdict:
    """Verdict on a whole capture. `pbx`: Asterisk's SIP port; `heads`: port -> name."""
    calls, strays = read_calls(messages, pbx, heads)
    return review(calls, strays, rules or Rules())


def review(calls: Sequence[Call], strays: Sequence[HeadLeg], rules: Rules) -> Verdict:
    """Verdict on calls that were already read."""
    verdict = Verdict(list(calls), list(strays))
    for call in calls:
        verdict.anomalies += _of_caller(call, rules)
        verdict.anomalies += _of_chain(call, rules)
        for leg in call.legs:
            verdict.anomalies += _of_leg(call, leg, rules)
    verdict.anomalies += [Anomaly("stray_leg", leg.caller, f"{leg.head} was rung for no call") for leg in strays]
    verdict.anomalies += _two_open([*strays, *(leg for call in calls for leg in call.legs)])
    return verdict


def _of_caller(call: Call, rules: Rules) -> Iterator[Anomaly]:
    answered = [leg for leg in call.legs if leg.answered_us is not None]
    connected = [leg for leg in answered if not leg.answered_late]
    if call.final_us is None:
        yield Anomaly("no_final", call.caller, "the caller got no final answer")
    elif call.window_s is not None and call.window_s > rules.window_s + rules.window_tolerance_s:
        yield Anomaly("window_exceeded", call.caller, f"{call.window_s:.3f} s instead of {rules.window_s:g}")
    if connected and call.answered_us is None and call.cancelled_us is None:
        yield Anomaly("answer_lost", call.caller, f"{connected[0].head} answered, the caller got {call.final}")
    if len(connected) > 1:
        yield Anomaly("two_answered", call.caller, " and ".join(leg.head for leg in connected))
    if call.answered_us is not None and not connected and not rules.answered_by_others:
        yield Anomaly("answered_by_nobody", call.caller, "the caller was connected, no head was")
    for silence, leg in zip(call.dead_air_ms, answered, strict=True):
        if silence > rules.dead_air_s * 1000:
            yield Anomaly("dead_air", call.caller, f"{leg.head} heard nobody for {silence:.0f} ms")


def _of_chain(call: Call, rules: Rules) -> Iterator[Anomaly]:
    if not rules.in_parallel:
        for before, after in pairwise(call.legs):
            if before.end == "silent":
                continue  # its end is not on the wire
            gap = (after.started_us - (before.ended_us or after.started_us)) / 1e6
            if before.ended_us is None or gap < -rules.overlap_s:
                yield Anomaly("overlap", call.caller, f"{after.head} began while {before.head} was rung ({gap:.3f} s)")
            elif gap > rules.gap_s:
                yield Anomaly("gap", call.caller, f"{gap:.3f} s between {before.head} and {after.head}")
    if not rules.order:
        return
    places = [rules.order.index(head) for head in call.heads if head in rules.order]
    if len(places) != len(call.heads) or places != sorted(places):
        yield Anomaly("wrong_order", call.caller, f"{call.heads} instead of {list(rules.order)}")
    elif places != list(range(len(places))) or (_exhausted(call) and len(places) < len(rules.order)):
        yield Anomaly("head_skipped", call.caller, f"{call.heads} of {list(rules.order)}")


def _exhausted(call: Call) -> bool:
    """Nobody took it and the caller did not go: then everybody must have been asked."""
    return call.final_us is not None and call.answered_us is None and call.cancelled_us is None


def _of_leg(call: Call, leg: HeadLeg, rules: Rules) -> Iterator[Anomaly]:
    if leg.end == "open" or (leg.answered_us is not None and _outlived(call, leg)):
        yield Anomaly("leg_left_open", call.caller, f"nothing ended the leg to {leg.head}")
    end = leg.ended_us if leg.ended_us is not None else (leg.started_us if leg.end == "silent" else 1 << 62)
    offered = (end - leg.started_us) / 1e6
    if leg.end in {"cancelled", "answered", "open"} and offered > rules.hop_s + rules.ringing_tolerance_s:
        yield Anomaly("offered_too_long", call.caller, f"{leg.head}: {_seconds(leg)}")
    if leg.end == "cancelled" and offered < rules.hop_s - rules.ringing_tolerance_s and not _reason(call, leg, rules):
        yield Anomaly("offered_too_short", call.caller, f"{leg.head}: {_seconds(leg)}")
    tolerance = round(rules.overlap_s * 1e6)
    if call.cancelled_us is not None and end > call.cancelled_us + tolerance:
        yield Anomaly("rings_after_cancel", call.caller, f"{leg.head} rang on after the caller had gone")
    for other in call.legs:
        if other is not leg and other.answered_us and not other.answered_late and end > other.answered_us + tolerance:
            yield Anomaly("rings_after_answer", call.caller, f"{leg.head} rang on after {other.head} had answered")


def _reason(call: Call, leg: HeadLeg, rules: Rules) -> bool:
    """Whether something lawful cut this offer short."""
    assert leg.ended_us is not None
    near = round(rules.ringing_tolerance_s * 1e6)
    instants = [call.cancelled_us, call.final_us, call.arrived_us + round(rules.window_s * 1e6)]
    instants += [other.answered_us for other in call.legs if other is not leg]
    if any(at is not None and abs(leg.ended_us - at) <= near for at in instants):
        return True
    return leg.ringing_us is None and leg.ended_us - leg.started_us >= round(rules.no_ringing_after_s * 1e6) - near


def _outlived(call: Call, leg: HeadLeg) -> bool:
    """The caller is gone (BYE, CANCEL or a refusal) and the head's talk goes on."""
    gone = call.ended_us or call.cancelled_us or (call.final_us if call.final >= 300 else None)
    return gone is not None and leg.bye_us is None


def _two_open(legs: Sequence[HeadLeg]) -> Iterator[Anomaly]:
    """One head must not be offered two calls at once. A phone that never reacted was offered nothing."""
    by_head: dict[str, list[HeadLeg]] = {}
    for leg in legs:
        if leg.heard_us is not None:
            by_head.setdefault(leg.head, []).append(leg)
    for head, mine in by_head.items():
        mine.sort(key=lambda leg: leg.started_us)
        for before, after in pairwise(mine):
            if before.ended_us is None or before.ended_us > after.started_us:
                yield Anomaly("two_open_invites", after.caller, f"{head} was already being rung for {before.caller}")


def _seconds(leg: HeadLeg) -> str:
    return "without end" if leg.offered_s is None else f"{leg.offered_s:.3f} s"


def _tell(call: Call) -> str:
    legs = ", ".join(f"{leg.head} {leg.end} {_seconds(leg)}" for leg in call.legs)
    window = "-" if call.window_s is None else f"{call.window_s:.3f} s"
    return f"{legs or 'nobody rung'}; final {call.final} after {window}"
