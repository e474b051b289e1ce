"""Whether a head who lets calls ring out is there: he is asked, then paused, and the chief is told. Pure.

      3rd call in a row that rang its time at his phones: the card asks "are you there?" (`Terms.misses_asked`).
      He presses "I am here", or talks with a client: all is well, the count begins anew.
      He presses "I am away", lets another call ring out, or says nothing for two minutes: he is paused, which is an
      absence without an end; the duty channel is told, and his card has a button to come back.

Calls in a row are those since he talked last (`seen`): declining a call is a word of his own and no miss.
"""

import msgspec

from router.basis.instants import MINUTE, Duration, Instant
from router.basis.machine import Effect
from router.basis.people import PersonId
from router.chains.effects import Face, ShowCard

ANSWER_WITHIN = Duration(2 * MINUTE)
"""How long a head may take to say that he is there: he may be on the way to his desk. Three rings of 8 s and this are
shorter than the fourth call of a busy morning takes to come."""

ROSTER_CHAIN = "roster:office:main"
"""Chain that hears the buttons."""


class Duty(msgspec.Struct, frozen=True, array_like=True):
    """A head's misses."""

    person: PersonId
    missed: tuple[Instant, ...] = ()
    """When calls rang out at his phones, since he was last known to be there."""
    answer_by: Instant = Instant(0)
    """He was asked and may answer until then; 0: he was not asked."""
    revision: int = 0
    """Counts the changes of his card."""


class Presence(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the roster sees when calls tell of misses."""

    talked: dict[PersonId, Instant] = {}
    """When the heads named in the event talked last."""


def missed(duty: Duty, asked_after: int, talked: Instant, at: Instant) -> tuple[Duty, bool]:
    """One more call has rung out. Returns what is known then, and whether he is to be paused."""
    recent = (*(instant for instant in duty.missed if instant > talked), at)
    # Only so many as are counted: a head who is never asked must not grow the roster.
    recent = recent[-max(asked_after, 1) :]
    asked = duty.answer_by if talked < duty.answer_by - ANSWER_WITHIN else Instant(0)
    duty = msgspec.structs.replace(duty, missed=recent, answer_by=asked)
    if asked:
        return duty, True
    if asked_after and len(recent) >= asked_after:
        return msgspec.structs.replace(duty, answer_by=Instant(at + ANSWER_WITHIN)), False
    return duty, False


# --- cards --------------------------------------------------------------------------------------------------------


def asked(duty: Duty, at: Instant) -> tuple[Duty, Effect]:
    """His card: are you there?"""
    return _his(duty, Face("are_you_here", _params(duty, at), ("here", "not_here")))


def paused(duty: Duty, at: Instant) -> tuple[Duty, Effect]:
    """His card: you get no calls until you say that you are there."""
    return _his(duty, Face("paused", _params(duty, at), ("here",)))


def back(duty: Duty, at: Instant) -> tuple[Duty, Effect]:
    """His card: you get calls again."""
    return _his(duty, Face("here_again", _params(duty, at)))


def told_paused(duty: Duty, at: Instant, *, by_himself: bool) -> tuple[Duty, Effect]:
    """The duty channel: he gets no calls, and why."""
    return _duty(duty, Face("head_away" if by_himself else "head_paused", _params(duty, at)))


def told_back(duty: Duty, at: Instant) -> tuple[Duty, Effect]:
    """The duty channel: he gets calls again."""
    return _duty(duty, Face("head_back", _params(duty, at)))


def _params(duty: Duty, at: Instant) -> dict[str, str]:
    return {"person": duty.person, "misses": str(len(duty.missed)), "said_at": str(at)}


def _his(duty: Duty, face: Face) -> tuple[Duty, Effect]:
    return _show(duty, f"here-{duty.person}", f"person:{duty.person}", face)


def _duty(duty: Duty, face: Face) -> tuple[Duty, Effect]:
    return _show(duty, f"absence-{duty.person}", "duty", face)


def _show(duty: Duty, name: str, audience: str, face: Face) -> tuple[Duty, Effect]:
    duty = msgspec.structs.replace(duty, revision=duty.revision + 1)
    return duty, ShowCard(f"{ROSTER_CHAIN}/{name}", ROSTER_CHAIN, audience, face, duty.revision)
