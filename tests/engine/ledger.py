"""Two kinds beside the requests: a ledger that gets messages and answers them; staff whose return frees a key."""

from typing import Any, ClassVar

from router.basis.instants import Instant
from router.basis.machine import ChainId, Delivery, Effect, Event, Machine, Message, Standing, State, Step

LEDGER: ChainId = "ledger:office:book"


class Booked(Event, frozen=True):
    number: int


class Entry(Event, frozen=True):
    request: ChainId
    amount: int


class Book(State, frozen=True):
    total: int = 0
    entries: tuple[ChainId, ...] = ()


class Ledger(Machine[Book, Any, None]):
    """The book of what was approved; never closed."""

    kind: ClassVar[str] = "ledger"
    version: ClassVar[int] = 1
    states: ClassVar[Any] = Book
    events: ClassVar[Any] = Entry
    effects: ClassVar[Any] = Effect
    seen: ClassVar[Any] = None

    def start(self, event: Entry, seen: None, at: Instant) -> Step[Book]:
        return self.step(Book(), event, seen, at)

    def step(self, state: Book, event: Entry, seen: None, at: Instant) -> Step[Book]:
        book = Book(state.total + event.amount, (*state.entries, event.request))
        return Step(book, messages=(Message(event.request, Booked(len(book.entries))),))

    def deadline(self, state: Book) -> Instant | None:
        return None

    def standing(self, state: Book) -> Standing:
        return Standing(False, "a book is open")

    def delivery(self, effect: Effect) -> Delivery:
        raise TypeError(effect)


class WentHome(Event, frozen=True):
    clerk: str


class CameBack(Event, frozen=True):
    clerk: str


class Present(State, frozen=True):
    here: bool


class Staff(Machine[Present, Any, None]):
    """Who is in the office; `freed` tells the waiting requests."""

    kind: ClassVar[str] = "staff"
    version: ClassVar[int] = 1
    states: ClassVar[Any] = Present
    events: ClassVar[Any] = WentHome | CameBack
    effects: ClassVar[Any] = Effect
    seen: ClassVar[Any] = None

    def start(self, event: Event, seen: None, at: Instant) -> Step[Present]:
        return self.step(Present(True), event, seen, at)

    def step(self, state: Present, event: Event, seen: None, at: Instant) -> Step[Present]:
        if isinstance(event, CameBack):
            return Step(Present(True), freed=(event.clerk,))
        return Step(Present(not isinstance(event, WentHome)))

    def deadline(self, state: Present) -> Instant | None:
        return None

    def standing(self, state: Present) -> Standing:
        return Standing(False, "people come and go")

    def delivery(self, effect: Effect) -> Delivery:
        raise TypeError(effect)
