"""The call-back: a call that nobody took lives on here until a person closes it with a reason.

     0 min  CallMissed, from the call's own transaction: the card of the duty channel opens.
    60 min  Nobody closed it: the card says how long the client has been waiting. And so on every hour.
            A late fact proves that the call was answered after all (CallProvedAnswered): closed by itself.
            A person presses Close and says why (PressedClose): closed.

The leads grow this entry into a lead of its own.
"""

from typing import ClassVar, assert_never

import msgspec

from router.basis.instants import HOUR, Instant
from router.basis.machine import (
    ClaimLost,
    DeadlineReached,
    Delivery,
    Effect,
    EffectAside,
    EffectDropped,
    Granted,
    Machine,
    Nudged,
    Standing,
    State,
    Step,
    Token,
)
from router.chains.delivery import delivery_of
from router.chains.effects import Face, ShowCard
from router.chains.events import CallMissed, CallProvedAnswered, PressedClose

REMIND_EVERY = HOUR
"""How often an open entry says again that somebody waits."""


class Debt(msgspec.Struct, frozen=True, gc=False):
    """Whom we owe a call, and since when."""

    call: str
    line: str
    channel: str
    caller: Token | None
    arrived: Instant
    why: str


class Open(State, frozen=True):
    """Nobody has called back yet."""

    debt: Debt
    remind: Instant
    reminders: int = 0
    revision: int = 1


class Closed(State, frozen=True):
    """Settled."""

    debt: Debt | None
    by: str
    """Person id; empty: by itself, because the call was answered after all."""
    reason: str
    at: Instant
    revision: int
    proved: bool = False
    """The call is known to have been answered."""


CallbackState = Open | Closed
CallbackEvent = (
    CallMissed
    | CallProvedAnswered
    | PressedClose
    | DeadlineReached
    | Granted
    | ClaimLost
    | EffectDropped
    | EffectAside
    | Nudged
)


class CallbackMachine(Machine[CallbackState, CallbackEvent, None]):
    """See the module's docstring."""

    kind: ClassVar[str] = "callback"
    version: ClassVar[int] = 1
    states = CallbackState
    events = CallbackEvent
    effects = ShowCard
    seen = type(None)

    def start(self, event: CallbackEvent, seen: None, at: Instant) -> Step[CallbackState]:
        """A call was missed; or the proof that it was not came first."""
        match event:
            case CallMissed(call, line, channel, caller, arrived, why):
                state = Open(Debt(call, line, channel, caller, arrived, why), Instant(at + REMIND_EVERY))
                return Step(state, (_card(state),))
            case CallProvedAnswered(_, person):
                return Step(Closed(None, person, "answered", at, 0, proved=True))
            case _:
                return Step(Closed(None, "", "unknown", at, 0), reply="unknown")

    def step(self, state: CallbackState, event: CallbackEvent, seen: None, at: Instant) -> Step[CallbackState]:
        """A reminder, a proof or a person."""
        match state:
            case Open():
                return _while_open(state, event, at)
            case Closed():
                if isinstance(event, CallMissed) and state.debt is None and not state.proved:
                    return self.start(event, seen, at)  # somebody pressed a button before there was an entry
                return Step(state, reply="already" if isinstance(event, PressedClose) else None)
            case _:
                assert_never(state)

    def deadline(self, state: CallbackState) -> Instant | None:
        """The next reminder."""
        return state.remind if isinstance(state, Open) else None

    def standing(self, state: CallbackState) -> Standing:
        """Open until a person closes it."""
        return Standing(isinstance(state, Closed), "" if isinstance(state, Closed) else "a call-back is owed")

    def delivery(self, effect: Effect) -> Delivery:
        """See `router.chains.delivery`."""
        assert isinstance(effect, ShowCard)
        return delivery_of(effect)


def _while_open(state: Open, event: CallbackEvent, at: Instant) -> Step[CallbackState]:
    match event:
        case PressedClose(by, reason):
            closed = Closed(state.debt, by, reason, at, state.revision + 1)
            return Step(closed, (_card(closed),), reply="closed")
        case CallProvedAnswered(_, person):
            closed = Closed(state.debt, person, "answered", at, state.revision + 1, proved=True)
            return Step(closed, (_card(closed),))
        case DeadlineReached(deadline) if deadline == state.remind:
            reminded = Open(
                state.debt, Instant(at + REMIND_EVERY), state.reminders + 1, state.revision + 1
            )  # fmt: skip
            return Step(reminded, (_card(reminded),))
        case CallMissed(call, line, channel, caller, arrived, why):
            return _told_again(state, Debt(call, line, channel, caller or state.debt.caller, arrived, why))
        case (
            DeadlineReached() | Granted() | ClaimLost() | EffectDropped() | EffectAside() | Nudged()
        ):  # fmt: skip
            return Step(state)
        case _:
            assert_never(event)


def _told_again(state: Open, debt: Debt) -> Step[CallbackState]:
    """The call tells more than it knew at first: its arrival, with the client's number, was reported late."""
    if debt == state.debt:
        return Step(state)
    told = msgspec.structs.replace(state, debt=debt, revision=state.revision + 1)
    return Step(told, (_card(told),))


def _card(state: CallbackState) -> ShowCard:
    debt = state.debt
    assert debt is not None, "an entry that never had a debt shows no card"
    chain = debt.call.replace("call:", "callback:", 1)
    params = {"line": debt.line, "channel": debt.channel, "arrived_at": str(debt.arrived), "why": debt.why}
    if debt.caller is not None:
        params["caller_token"] = debt.caller
    if isinstance(state, Closed):
        params |= {"by": state.by, "reason": state.reason, "closed_at": str(state.at)}
        return ShowCard(f"{chain}/entry", chain, "duty", Face("callback_closed", params), state.revision)
    params["reminders"] = str(state.reminders)
    return ShowCard(f"{chain}/entry", chain, "duty", Face("callback_open", params, ("close",)), state.revision)
