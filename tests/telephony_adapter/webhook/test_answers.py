"""Every answer of a PBX to every command, and what it proves."""

import json
from typing import Any

import pytest

from router.basis.failures import Permanent, Temporary
from router.basis.instants import SECOND, Duration, Instant
from router.basis.machine import Event
from router.chains.effects import Connect, LookAtCall, Release, RingLeg, SendToFallback, StopLeg, TelephonyEffect
from router.chains.events import (
    CallerHungUp,
    Disposition,
    FallbackTook,
    LegAnswered,
    LegEnded,
    LegRinging,
    TalkConfirmed,
    TalkStarted,
)
from router.telephony_adapter.port import NotSent
from router.telephony_adapter.webhook import answers

LATER = Instant(2**61)
RING = RingLeg("office", "c", "L1", "101", None, "+7495", Duration(8 * SECOND), True, LATER, None)
STOP = StopLeg("office", "c", "L1", "no_answer")
CONNECT = Connect("office", "c", "L1")
RELEASE = Release("office", "c", "no_answer")
FALLBACK = SendToFallback("office", "c")
LOOK = LookAtCall("office", "c", "L1", LATER)
LOOK_AT_ALL = LookAtCall("office", "c", "", LATER)
COMMANDS = [RING, STOP, CONNECT, RELEASE, FALLBACK]

CANCELLED, FAILED = LegEnded("L1", Disposition.CANCELLED), LegEnded("L1", Disposition.FAILED)
DECLINED = {"leg": {"leg": "L1", "state": "ended", "how": "declined"}}
NOW = 1_764_000_000.0


def told(effect: TelephonyEffect, status: int, body: object = None, retry_after: str = "") -> tuple[Event, ...]:
    raw = b"" if body is None else json.dumps(body).encode()
    return tuple(answers.facts(effect, status, raw, retry_after, NOW))


@pytest.mark.parametrize("effect", COMMANDS)
@pytest.mark.parametrize("status", [200, 202, 204])
def test_accepted_proves_nothing_yet(effect: TelephonyEffect, status: int) -> None:
    assert told(effect, status) == ()


@pytest.mark.parametrize(
    ("effect", "body", "facts"),
    [
        # That nobody waits comes first: after "the leg is over" alone the machine would ring the next head.
        (RING, {"gone": "call"}, (CallerHungUp(), CANCELLED)),
        (RING, None, (CallerHungUp(), CANCELLED)),
        (STOP, {"gone": "call"}, (CallerHungUp(), CANCELLED)),
        (STOP, {"gone": "leg"}, (CANCELLED,)),
        (STOP, {"gone": "leg"} | DECLINED, (LegEnded("L1", Disposition.DECLINED),)),
        (STOP, None, (CANCELLED,)),
        (CONNECT, {"gone": "call"}, (CallerHungUp(), CANCELLED)),
        (CONNECT, {"gone": "leg"} | DECLINED, (LegEnded("L1", Disposition.DECLINED),)),
        (CONNECT, None, (CANCELLED,)),  # a caller who may still wait is not given up on a guess
        (RELEASE, {"gone": "call"}, (CallerHungUp(),)),
        (RELEASE, None, (CallerHungUp(),)),
        (FALLBACK, {"gone": "call"}, (CallerHungUp(),)),
        (LOOK, {"gone": "call"}, (CallerHungUp(), CANCELLED)),
        (LOOK_AT_ALL, {"gone": "call"}, (CallerHungUp(),)),
    ],
)
@pytest.mark.parametrize("status", [404, 410])
def test_gone(effect: TelephonyEffect, body: object, facts: tuple[Event, ...], status: int) -> None:
    assert told(effect, status, body) == facts


@pytest.mark.parametrize(
    ("effect", "body", "facts"),
    [
        (RING, None, ()),
        (RING, {"leg": {"leg": "L1", "state": "ringing"}}, ()),
        (RING, DECLINED, (LegEnded("L1", Disposition.DECLINED),)),
        (RING, {"leg": {"leg": "L1", "state": "ended"}}, (FAILED,)),
        (STOP, DECLINED, (LegEnded("L1", Disposition.DECLINED),)),
        (STOP, None, (CANCELLED,)),
        (CONNECT, None, (TalkStarted("L1"),)),
        (RELEASE, None, (CallerHungUp(),)),
        (FALLBACK, None, (FallbackTook(),)),
    ],
)
def test_already_done(effect: TelephonyEffect, body: object, facts: tuple[Event, ...]) -> None:
    assert told(effect, 409, body) == facts


@pytest.mark.parametrize(
    ("effect", "reason", "facts"),
    [
        *((RING, how.value, (LegEnded("L1", how),)) for how in Disposition),
        (RING, "no such thing", (FAILED,)),
        (CONNECT, "elsewhere", (LegEnded("L1", Disposition.ELSEWHERE),)),
        (RING, "fallback", (FallbackTook(), CANCELLED)),
        (CONNECT, "fallback", (FallbackTook(), CANCELLED)),
        (RELEASE, "fallback", (FallbackTook(),)),
    ],
)
def test_refused(effect: TelephonyEffect, reason: str, facts: tuple[Event, ...]) -> None:
    assert told(effect, 422, {"reason": reason}) == facts


@pytest.mark.parametrize("effect", [STOP, RELEASE, FALLBACK])
def test_refused_for_good_is_told_to_a_person(effect: TelephonyEffect) -> None:
    with pytest.raises(Permanent, match="talking"):
        told(effect, 422, {"reason": "talking"})


@pytest.mark.parametrize("effect", [*COMMANDS, LOOK])
@pytest.mark.parametrize("status", [408, 425, 500, 502, 504, 599])
def test_may_have_been_done_or_not(effect: TelephonyEffect, status: int) -> None:
    with pytest.raises(Temporary) as failure:
        told(effect, status, "<html>bad gateway</html>", "2")
    assert failure.value.retry_after_us == 2 * SECOND
    assert not isinstance(failure.value, NotSent)


@pytest.mark.parametrize("effect", [*COMMANDS, LOOK])
@pytest.mark.parametrize("status", [429, 503])
def test_not_taken(effect: TelephonyEffect, status: int) -> None:
    with pytest.raises(Temporary) as failure:
        told(effect, status)
    assert isinstance(failure.value, NotSent)
    assert failure.value.retry_after_us is None


@pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 403, 405, 418, 451])
def test_a_person_has_to_look(status: int) -> None:
    with pytest.raises(Permanent) as failure:
        told(RING, status)
    assert failure.value.code == f"http_{status}"
    assert failure.value.detail


def test_the_pbx_says_in_its_own_words_what_is_wrong() -> None:
    with pytest.raises(Permanent, match="ring_ms = 0: give"):
        told(RING, 400, {"error": "ring_ms = 0: give whole milliseconds"})


@pytest.mark.parametrize(
    ("header", "wait_us"),
    [
        ("", None),
        ("5", 5 * SECOND),
        (" 5 ", 5 * SECOND),
        ("0", 0),
        ("999999999999999", 3600 * SECOND),
        ("soon", None),
        ("-3", None),
        ("Mon, 24 Nov 2025 16:00:10 GMT", 10 * SECOND),
        ("Mon, 24 Nov 2025 15:00:00 GMT", 0),
        ("Mon, 24 Nov 2035 15:00:00 GMT", 3600 * SECOND),
    ],
)
def test_how_long_to_wait(header: str, wait_us: int | None) -> None:
    assert answers.wait_us(header, NOW) == wait_us


def call(**more: Any) -> dict[str, Any]:
    return {"call": "c", "line": "+7495", "legs": []} | more


def leg(state: str, how: str = "") -> list[dict[str, str]]:
    return [{"leg": "L0", "state": "ended", "how": "busy"}, {"leg": "L1", "state": state, "how": how}]


@pytest.mark.parametrize(
    ("effect", "body", "facts"),
    [
        (LOOK, call(talking_leg="L1", talking_extension="101"), (TalkConfirmed("L1"),)),
        (LOOK, call(talking_leg="L2", talking_extension="102"), (TalkStarted("L2", "102"),)),
        (LOOK, call(talking_extension="200"), (TalkStarted("", "200"),)),
        (LOOK, call(legs=leg("ringing")), (LegRinging("L1"),)),
        (LOOK, call(legs=leg("up")), (LegAnswered("L1"),)),
        (LOOK, call(legs=leg("ended", "declined")), (LegEnded("L1", Disposition.DECLINED),)),
        (LOOK, call(), (FAILED,)),
        (LOOK, call(fallback=True), (FallbackTook(),)),
        (LOOK_AT_ALL, call(talking_extension="200"), (TalkConfirmed(""),)),
        (LOOK_AT_ALL, call(), ()),
    ],
)
def test_a_look(effect: TelephonyEffect, body: object, facts: tuple[Event, ...]) -> None:
    assert told(effect, 200, body) == facts


@pytest.mark.parametrize("body", [None, [], {"line": "+7495"}])
def test_a_look_that_cannot_be_read(body: object) -> None:
    with pytest.raises(Temporary, match="unreadable"):
        told(LOOK, 200, body)
