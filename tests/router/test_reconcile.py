"""Law 11 as a table: what we believed, what the PBX shows, what is admitted and what becomes of a ring."""

import msgspec
import pytest

from router.basis.instants import SECOND, Instant
from router.basis.machine import Event
from router.basis.pinned import Pinned
from router.chains.call_states import CallState, Connecting, Ended, Followed, HandedOver, Ringing, Talking, Waiting
from router.chains.delivery import delivery_of
from router.chains.effects import RingLeg
from router.chains.enquiry import End, Fading, File, Hop, Outcome
from router.chains.events import (
    CallArrived,
    CallerHungUp,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegAsked,
    LegEnded,
    LegRinging,
    Party,
    TalkConfirmed,
    TalkEnded,
    TalkStarted,
)
from router.chains.terms import Plan, Seat, Terms
from router.engine.journal import Order
from router.reconcile import Findings, LiveCall, reconcile
from router.telephony_adapter.port import CallSight, LegSight, Sighting

NOW = Instant(1_000 * SECOND)
BEGAN = Instant(NOW - 5 * SECOND)
PLAN = Pinned("p", Plan("sales", Terms(), (Seat("anna", "101"), Seat("boris", "102"))))
FILE = File("c", "office", "1", "", None, BEGAN, PLAN)
HOP = Hop(1, "anna", "101", "c.h1", BEGAN, Instant(BEGAN + 8 * SECOND), timed_by_pbx=False, ordered=BEGAN)
RINGING = Ringing(FILE, (HOP,))
TALK = End(Outcome.ANSWERED, BEGAN, "anna", "101", "c.h1", BEGAN)
TALKING = Talking(FILE, TALK, BEGAN, Instant(NOW + 60 * SECOND))


def order() -> Order:
    ring = RingLeg("office", "c", "c.h1", "101", None, "1", HOP.end, False, Instant(NOW + SECOND), None)  # type: ignore[arg-type]
    return Order(("call:office:c", 1, 1), ring, delivery_of(ring), BEGAN)


def look(
    state: CallState,
    *legs: LegSight,
    talking: str = "",
    gone: bool = False,
    handed: bool = False,
    recent: tuple[LegSight, ...] = (),
    remembers: bool = False,
    ring: Order | None = None,
    recovered: bool = True,
    at: Instant = BEGAN,
) -> Findings:
    calls = () if gone else (CallSight("c", "1", "", legs, talking, "101" if talking else ""),)
    sighting = Sighting(calls, recent, remembers, ("c",) if handed else ())
    known = [LiveCall("call:office:c", "c", state, at)]
    rings = [ring] if ring else []
    maybe = frozenset({ring.id} if ring and recovered else ())
    return reconcile("office", known, rings, maybe, sighting, Instant(NOW - SECOND), NOW)


def events(findings: Findings) -> list[Event]:
    return [admission.event for admission in findings.admissions]


FADING = Waiting(
    File("c", "office", "1", "", None, BEGAN, PLAN, fading=(Fading("c.h1", "anna", Instant(NOW + 9 * SECOND)),)),
    Instant(NOW + SECOND),
    (),
)
CONNECTING = Connecting(FILE, HOP, Instant(NOW + SECOND))
TALKED = LegSight("c.h1", "ended", "completed", talked=True)
EARLIER = msgspec.structs.replace(HOP, how=Disposition.NO_ANSWER, ended=NOW)
WAITING = Waiting(msgspec.structs.replace(FILE, hops=(EARLIER,)), Instant(NOW + SECOND), ())
OWN = msgspec.structs.replace(HOP, leg="w1", rang=BEGAN, in_turn=False)
ADVISED = msgspec.structs.replace(HOP, start=Instant(NOW - SECOND), end=Instant(NOW + 7 * SECOND), timed_by_pbx=True)
FOLLOWED, HUNTS = Followed(FILE, Instant(NOW + 99 * SECOND)), Followed(FILE, Instant(NOW + 99 * SECOND), (OWN,))
NAMELESS = Talking(FILE, msgspec.structs.replace(TALK, leg="c.w1"), BEGAN, Instant(NOW + 60 * SECOND))
RINGS, UP, ENDED = LegSight("c.h1", "ringing"), LegSight("c.h1", "up"), LegSight("c.h1", "ended", "declined")

CASES: dict[str, tuple[Findings, list[Event]]] = {
    "it rings, we had not heard": (look(RINGING, RINGS), [LegRinging("c.h1")]),
    "he picked up in the gap": (look(RINGING, UP), [LegAnswered("c.h1")]),
    "they talk already": (
        look(RINGING, UP, talking="c.h1"),
        [LegAnswered("c.h1"), TalkStarted("c.h1", "101")],
    ),
    "somebody else talks": (look(RINGING, talking="x"), [TalkStarted("x", "101")]),
    "it was declined in the gap": (
        look(RINGING, recent=(ENDED,), remembers=True),
        [LegEnded("c.h1", Disposition.DECLINED)],
    ),
    "it rang and is no more": (look(RINGING), [LegEnded("c.h1", Disposition.NO_ANSWER)]),
    "the caller is gone": (look(RINGING, gone=True), [CallerHungUp()]),
    "the fallback has the caller": (look(RINGING, gone=True, handed=True), [FallbackTook()]),
    "the fallback had him before": (look(HandedOver(FILE, NOW), gone=True, handed=True), []),
    "over for both": (look(Ended(FILE, TALK, Instant(0)), gone=True), []),
    "a stopped leg is gone": (look(FADING), [LegEnded("c.h1", Disposition.CANCELLED)]),
    "a stopped leg still rings": (look(FADING, RINGS), []),
    "connected in the gap": (look(CONNECTING, UP, talking="c.h1"), [TalkStarted("c.h1", "101")]),
    "still being connected": (look(CONNECTING, UP), []),
    "he hung up before he was connected": (look(CONNECTING), [LegEnded("c.h1", Disposition.COMPLETED)]),
    "they still talk": (look(TALKING, UP, talking="c.h1"), [TalkConfirmed("c.h1", "101")]),
    "they stopped talking": (look(TALKING), [TalkEnded(Party.UNKNOWN)]),
    "they talked and are gone": (look(TALKING, gone=True), [TalkEnded(Party.UNKNOWN), CallerHungUp()]),
    "he was being connected, they talked, all are gone": (
        look(CONNECTING, gone=True, recent=(TALKED,), remembers=True),
        [TalkEnded(Party.UNKNOWN), CallerHungUp()],
    ),
    "it rang, they talked, all are gone": (
        look(RINGING, gone=True, recent=(TALKED,), remembers=True),
        [LegAnswered("c.h1"), TalkEnded(Party.UNKNOWN), CallerHungUp()],
    ),
    "an earlier head got through, all are gone": (
        look(WAITING, gone=True, recent=(TALKED,), remembers=True),
        [TalkStarted("c.h1"), TalkEnded(Party.UNKNOWN), CallerHungUp()],
    ),
    "it was picked up and never joined, all are gone": (
        look(CONNECTING, gone=True, recent=(LegSight("c.h1", "ended", "completed"),), remembers=True),
        [CallerHungUp()],
    ),
    "it hunts by itself, we had not heard": (
        look(FOLLOWED, LegSight("w1", "ringing", extension="101")),
        [LegRinging("w1", "101")],
    ),
    "it hunts, and we know": (look(HUNTS, LegSight("w1", "ringing", extension="101")), []),
    "its first ring is over, another phone rings": (
        look(HUNTS, LegSight("w1", "ended", "busy", extension="101"), LegSight("w2", "ringing", extension="102")),
        [LegEnded("w1", Disposition.BUSY), LegRinging("w2", "102")],
    ),
    "what it rang is nowhere": (look(HUNTS), [LegEnded("w1", Disposition.NO_ANSWER)]),
    "what it was advised is on its way": (
        look(msgspec.structs.replace(FOLLOWED, rings=(ADVISED,), holds=("anna",))),
        [],
    ),
    "it was picked up at a phone of its own plan": (
        look(HUNTS, LegSight("w1", "up", extension="101")),
        [LegAnswered("w1", "101")],
    ),
    "it hunted, they talk": (look(HUNTS, talking="w1"), [TalkStarted("w1", "101")]),
    "it hunted, they talked, all are gone": (
        look(HUNTS, gone=True, recent=(LegSight("w1", "ended", "completed", talked=True),)),
        [TalkStarted("w1"), TalkEnded(Party.UNKNOWN), CallerHungUp()],
    ),
    "they still talk at the same phone, its leg has no name of ours": (
        look(NAMELESS, talking="x9"),
        [TalkConfirmed("x9", "101")],
    ),
    "it has gone on since the look began": (look(RINGING, gone=True, at=NOW), []),
}


@pytest.mark.parametrize("case", CASES)
def test_a_difference_becomes_a_fact(case: str) -> None:
    findings, wanted = CASES[case]
    assert events(findings) == wanted
    assert all(admission.source == "pbx:office" for admission in findings.admissions)


RESTARTS = {
    # what the PBX shows, does it remember -> adopted, told as asked only now, counted
    "the leg rings": ((RINGS,), False, True, False, 0),
    "the leg is up": ((UP,), True, True, False, 0),
    "never asked for, and the PBX would know": ((), True, False, True, 0),
    "nobody can tell": ((), False, False, True, 1),
}


@pytest.mark.parametrize("case", RESTARTS)
def test_a_ring_that_may_have_been_sent_is_decided_by_its_leg(case: str) -> None:
    legs, remembers, adopted, asked, counted = RESTARTS[case]
    findings = look(RINGING, *legs, remembers=remembers, ring=order())
    assert bool(findings.adopted) is adopted
    assert (LegAsked("c.h1") in events(findings)) is asked
    assert findings.maybe_rung_twice == counted


def test_a_ring_that_had_ended_is_adopted_and_its_end_told() -> None:
    findings = look(RINGING, recent=(ENDED,), remembers=True, ring=order())
    assert findings.adopted == [order().id]
    assert events(findings) == [LegEnded("c.h1", Disposition.DECLINED)]


def test_a_ring_ordered_in_this_life_is_not_counted() -> None:
    assert look(RINGING, ring=order(), recovered=False).maybe_rung_twice == 0


def test_a_ring_of_a_call_that_is_gone_is_not_sent() -> None:
    assert look(RINGING, gone=True, ring=order()).adopted == [order().id]


def test_a_call_nobody_knew_is_taken_in_with_one_spelling_of_its_number() -> None:
    sighting = Sighting((CallSight("new", "1", "89990001122"), CallSight("shy", "1", "anonymous")))
    findings = reconcile("office", [], [], frozenset(), sighting, NOW, NOW)
    assert events(findings) == [CallArrived("1"), CallArrived("1")]
    assert [dict(admission.personal) for admission in findings.admissions] == [
        {"caller": ("phone", "+79990001122")},
        {},
    ]
    assert {admission.origin for admission in findings.admissions} == {"arrived"}


def test_a_call_nobody_knew_that_talks_is_told_as_talking_first() -> None:
    sighting = Sighting((CallSight("new", "1", "", (), "x", "101"),))
    findings = reconcile("office", [], [], frozenset(), sighting, NOW, NOW)
    assert events(findings) == [TalkStarted("x", "101"), CallArrived("1")]


def test_a_call_that_a_pbx_began_to_hunt_for_while_we_were_away() -> None:
    legs = (LegSight("w1", "ended", "busy", extension="101"), LegSight("w2", "ringing", extension="102"))
    findings = reconcile("office", [], [], frozenset(), Sighting((CallSight("c", "1", "", legs),)), BEGAN, NOW)
    assert events(findings) == [CallArrived("1"), LegRinging("w2", "102")]
