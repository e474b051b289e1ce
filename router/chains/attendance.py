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


def card(duty: Duty, code: str, audience: str, buttons: tuple[str, ...], at: Instant) -> tuple[Duty, Effect]:
    """His card, or the duty channel's about him, as it is now."""
    duty = msgspec.structs.replace(duty, revision=duty.revision + 1)
    params = {"person": duty.person, "misses": str(len(duty.missed)), "said_at": str(at)}
    name = "here" if audience != "duty" else "paused"
    face = Face(code, params, buttons)
    return duty, ShowCard(f"{ROSTER_CHAIN}/{name}-{duty.person}", ROSTER_CHAIN, audience, face, duty.revision)
