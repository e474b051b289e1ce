"""One small machine as three releases know it: an older form, the present one, and a version that is still to come."""

from typing import Any, ClassVar

from router.basis.instants import Instant
from router.basis.machine import (
    Claim,
    ClaimLost,
    Delivery,
    Effect,
    Event,
    Machine,
    Message,
    Standing,
    State,
    Step,
    Urgency,
)

DESK = "person:desk"


class Written(Event, frozen=True):
    """A note is written; `tell` names a chain that hears of it."""

    text: str
    tell: str = ""
    until: Instant | None = None
    """Until when it holds the desk."""
    over: bool = False


class Note(State, frozen=True):
    """The note."""

    text: str
    until: Instant | None = None
    over: bool = False


class Send(Effect, frozen=True):
    """As the older release wrote it."""

    text: str


class SendTo(Effect, frozen=True):
    """As the present one writes it."""

    text: str
    address: str


class OldNotes(Machine[Note, Any, None]):
    """Version 1, schema 1."""

    kind: ClassVar[str] = "note"
    version: ClassVar[int] = 1
    schema: ClassVar[int] = 1
    states: ClassVar[Any] = Note
    events: ClassVar[Any] = Written | ClaimLost
    effects: ClassVar[Any] = Send
    seen: ClassVar[Any] = type(None)

    def start(self, event: Any, seen: None, at: Instant) -> Step[Note]:
        return self.step(Note(""), event, seen, at)

    def step(self, state: Note, event: Any, seen: None, at: Instant) -> Step[Note]:
        if isinstance(event, ClaimLost):
            return Step(Note(state.text))
        messages = (Message(event.tell, Written("told")),) if event.tell else ()
        return Step(Note(event.text, event.until, event.over), (self.send(event.text),), messages)

    def send(self, text: str) -> Effect:
        """What is ordered."""
        return Send(text)

    def deadline(self, state: Note) -> None:
        return None

    def standing(self, state: Note) -> Standing:
        return Standing(state.over, reason="kept")

    def claims(self, state: Note) -> tuple[Claim, ...]:
        return () if state.until is None else (Claim(DESK, state.until),)

    def delivery(self, effect: Effect) -> Delivery:
        text = effect.text if isinstance(effect, Send | SendTo) else ""
        return Delivery("post", Urgency.SOONER_OR_LATER, f"note/{text}")


class Notes(OldNotes):
    """Version 1, schema 2: a letter has an address."""

    schema: ClassVar[int] = 2
    effects: ClassVar[Any] = SendTo

    def send(self, text: str) -> Effect:
        return SendTo(text, "everybody")

    def upcast(self, what: str, version: int, raw: Any) -> Any:
        if what == "effect" and version == 1:
            return {**raw, "type": "SendTo", "address": "everybody"}
        return raw


class LaterNotes(OldNotes):
    """Version 2, of a release that is newer than ours."""

    version: ClassVar[int] = 2
