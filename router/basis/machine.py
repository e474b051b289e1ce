"""The contract between the engine and a machine.

A machine is a set of pure functions over an immutable state:

    start(event, seen, at)          -> Step      a chain begins
    step(state, event, seen, at)    -> Step      a fact, a timer, a button, a message, a granted claim
    deadline(state)                 -> Instant   when it wants to be woken
    claims(state), wait(state)      -> which people it holds, for whom it waits
    delivery(effect)                -> how an effect travels

A machine reads no clock, draws no random number, logs nothing, awaits nothing, mutates nothing and never meets a phone
number. What it must know about others arrives as `seen`, which is stored with the event, so that a replay sees the
same.

Claims, wait and deadline are functions of the state rather than commands: the engine compares what the new state wants
with what the chain has and makes up the difference. A claim can therefore never be forgotten by a branch that ends a
chain (`docs/decisions/0002-claims-follow-from-the-state.md`).

Events, effects and states are msgspec structs, tagged by class name; their JSON bytes are what the journal holds. They
are frozen and hold only values, so no cycle can pass through them: `gc=False` keeps them out of the collector's sight
(`router.collector`), also in their subclasses. A struct of a state that is no such subclass says so itself.
"""

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from router.basis.instants import Duration, Instant

ChainId = str
"""`kind:neighbour:native id`, for example `call:asterisk:1764000000.12`."""

Token = str
"""A random name for personal data; the data itself lies in the vault."""


class Event(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A fact that was admitted. Past tense; stamped once."""


class Effect(msgspec.Struct, frozen=True, tag=True, gc=False):
    """A request to the world. Imperative; leaves only after the commit."""


class State(msgspec.Struct, frozen=True, tag=True, gc=False):
    """What a chain knows after an event."""


# --- events that the engine itself admits; a machine lists those it can receive in its union ---------------------


class DeadlineReached(Event, frozen=True):
    """The instant the state named has come. A deadline that is no longer the state's own means nothing."""

    deadline: Instant


class Granted(Event, frozen=True):
    """The key the chain waited for is now held by it. Not wanting it any more is fine: it goes to the next waiter."""

    key: str


class ClaimLost(Event, frozen=True):
    """A fact gave the key to another chain (`to`)."""

    key: str
    to: ChainId


class EffectDropped(Event, frozen=True):
    """A now-or-never effect was not sent while it was still useful."""

    key: str
    reason: str


class EffectAside(Event, frozen=True):
    """A sooner-or-later effect was given up by the outbox and waits for a person."""

    key: str
    reason: str


class Nudged(Event, frozen=True):
    """The auditor found the chain without a live deadline or reason and asks it to look at itself."""

    finding: str


class ClockStepped(Event, frozen=True):
    """The wall clock was set: it went on by `by_us` more than the engine's own line of time, and is `ahead_us` ahead
    of it now. Instants of the calendar follow it; distances do not notice.

    Admitted to the chain of the line itself, which tells each live chain whose machine lists this event.
    """

    by_us: int
    ahead_us: int


# --- what a step returns ------------------------------------------------------------------------------------------


class Urgency(StrEnum):
    """The three kinds of effect (they differ in what lateness means)."""

    NOW_OR_NEVER = "now_or_never"
    """Useful only until `best_before`; later it is dropped and the machine hears of it."""
    UNTIL_TRUE = "until_true"
    """Repeated until the world confirms it (the machine closes the key) or its object is gone."""
    SOONER_OR_LATER = "sooner_or_later"
    """Retried with backoff for hours under the same idempotency key, then put aside for a person."""


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """How one effect travels: which lane, in which order, for how long."""

    lane: str
    """Which performer takes it, for example `pbx:asterisk` or `inbox`."""
    urgency: Urgency
    key: str
    """Effects with the same key go one after another; different keys run concurrently."""
    best_before: Instant | None = None
    after: str | None = None
    """Another key whose confirmed end is awaited first."""
    after_limit: Duration = Duration(1_000_000)
    """At most this long (design: 1 s; a confirmation took 1 to 5 ms on Asterisk 22, so a second means it is lost)."""
    supersedes: bool = False
    """A newer effect with the same key replaces this one while it is unsent: the effect is a desired state."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """The chain wants to be the only one that holds `key` until `expires`, a safety net behind its own deadlines."""

    key: str
    expires: Instant
    seize: bool = False
    """True when a fact demands it: the present holder loses it and is told."""


class Wait(msgspec.Struct, frozen=True, gc=False):
    """The chain wants the first of `keys` that becomes free. Served by rank, then since (both ascending)."""

    keys: tuple[str, ...]
    rank: int
    since: Instant


class Message(msgspec.Struct, frozen=True, gc=False):
    """An event for another chain, admitted in the same transaction; it opens the chain if there is none."""

    to: ChainId
    event: Event


S = TypeVar("S", bound=State)
E = TypeVar("E", bound=Event)
N = TypeVar("N")


class Step(msgspec.Struct, Generic[S], frozen=True, gc=False):
    """The outcome of one event."""

    state: S
    effects: tuple[Effect, ...] = ()
    messages: tuple[Message, ...] = ()
    closed: tuple[str, ...] = ()
    """Effect keys whose object is confirmed to be over: their repeated requests end, what waited behind them goes."""
    freed: tuple[str, ...] = ()
    """Claim keys that became available by other means than a release (a person came back): waiters are served."""
    reply: str | None = None
    """The word for whoever delivered the event; stored with it, and a twin of the event gets the same word."""


class Standing(msgspec.Struct, frozen=True, gc=False):
    """Whether a chain is over, and if it is not and has no deadline, what it lawfully waits for."""

    final: bool
    reason: str = ""


class Machine(ABC, Generic[S, E, N]):
    """One kind of chain at one version of its behaviour."""

    kind: ClassVar[str]
    version: ClassVar[int]
    """Changed behaviour is a new version; chains under way keep theirs."""
    states: ClassVar[Any]
    """The union of state classes."""
    events: ClassVar[Any]
    """The union of event classes."""
    effects: ClassVar[Any]
    """The union of effect classes."""
    seen: ClassVar[Any]
    """The type of what is looked up at admission."""

    @abstractmethod
    def start(self, event: E, seen: N, at: Instant) -> Step[S]:
        """The first event of a chain."""

    @abstractmethod
    def step(self, state: S, event: E, seen: N, at: Instant) -> Step[S]:
        """Any later event."""

    @abstractmethod
    def deadline(self, state: S) -> Instant | None:
        """The soonest instant at which the state wants DeadlineReached."""

    @abstractmethod
    def standing(self, state: S) -> Standing:
        """Final, or live with a deadline or a named reason."""

    @abstractmethod
    def delivery(self, effect: Effect) -> Delivery:
        """How an effect of this machine travels."""

    def claims(self, state: S) -> tuple[Claim, ...]:
        """The keys the state holds."""
        return ()

    def wait(self, state: S) -> Wait | None:
        """The keys the state waits for."""
        return None

    def neighbour(self, state: S) -> str | None:
        """The lane whose neighbour must be in sight before this chain may go on after a restart."""
        return None

    def upcast(self, what: str, version: int, raw: Any) -> Any:
        """Bring stored builtins (`what` is `event`, `state`, `seen` or `effect`) of an older schema version to the
        present one. Messages to other chains are never read again and stay as they were written."""
        return raw

    schema: ClassVar[int] = 1
    """Version of the stored form of states, events, seen and effects; raised together with a branch in `upcast`."""
