"""What is known of live calls between two reports: a cache, rebuilt from the PBX by `look`. No rule lives here."""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from router.chains.events import Disposition, Party
from router.telephony_adapter.asterisk.wire import call_of_leg

V = TypeVar("V")

REMEMBERED = 10_000
"""Ended legs and calls kept, so that a late report or a repeated order does not bring them back: some hours of work."""


@dataclass(slots=True)
class Leg:
    """One ring of ours."""

    id: str
    call: str
    extension: str = ""
    rang: bool = False
    """The far end showed a sign of life: Ringing, or progress."""
    ringing_said: bool = False
    up: bool = False
    answered_said: bool = False
    stop: str = ""
    """Why we ended it (`StopLeg.why`, or a release); empty: we did not."""
    stopped_ringing: bool = False
    """Our stop was sent before it was up: an answer that crossed it is late."""
    final_dial: str = ""
    """Last final word of a Dial event: a refusal by the phone has one, Asterisk's own timeout has none."""
    replaced: bool = False
    """A transfer put another channel into its place: StasisEnd is its end, ChannelDestroyed does not come (22.10)."""
    soft: bool = False
    """Its hang-up was requested through ARI or the console, not by the phone."""


@dataclass(slots=True)
class Call:
    """One caller."""

    id: str
    line: str = ""
    seen: bool = False
    """The caller's own channel was seen; a leg alone also makes an entry."""
    up: bool = False
    gone: bool = False
    """Not ours any more: hung up, or in the dialplan."""
    handed: bool = False
    """Gone into the dialplan, where he lives on."""
    sent: bool = False
    """Ordered to the fallback; its leaving is no hang-up."""
    bridged: bool = False
    """Our bridge was made (or may have been)."""
    talk: str = ""
    """Leg that talks with the caller."""
    talk_over: bool = False
    ended_by: Party = Party.UNKNOWN
    """Who ended the talk."""
    guest: str = ""
    """Channel that a transfer put into the head's place."""
    guest_up: bool = False
    """Somebody behind it picked up."""
    guest_named: str | None = None
    """The extension behind it that was told; None: nobody's yet."""
    guest_said: bool = False
    """That somebody behind it talks was told."""
    guest_cause: int = 0
    """Why it ends, as its hang-up request says (Q.850)."""
    legs: dict[str, Leg] = field(default_factory=dict)


class Calls:
    """Live calls by the caller's channel id, and what ended lately."""

    def __init__(self) -> None:
        self._calls: dict[str, Call] = {}
        self._hosts: dict[str, str] = {}
        self._over: OrderedDict[str, bool] = OrderedDict()
        self._ended: OrderedDict[str, tuple[Disposition, int]] = OrderedDict()

    def __iter__(self) -> Iterator[Call]:
        return iter(list(self._calls.values()))

    def __len__(self) -> int:
        return len(self._calls)

    def find(self, call: str) -> Call | None:
        """The live call, None where it is unknown or over."""
        return self._calls.get(call)

    def take(self, call: str) -> Call:
        """The call, made where it is unknown. A call that is over stays over."""
        known = self._calls.get(call)
        if known is None:
            known = Call(call)
            if call in self._over:
                known.gone, known.handed = True, self._over[call]
            self._calls[call] = known
        return known

    def leg(self, leg: str) -> Leg | None:
        """The live leg."""
        call = self._calls.get(call_of_leg(leg))
        return call.legs.get(leg) if call else None

    def take_leg(self, leg: str, call: str, extension: str = "") -> Leg:
        """The leg, made where it is unknown (a restart of the server forgot it)."""
        legs = self.take(call).legs
        if leg not in legs:
            legs[leg] = Leg(leg, call, extension)
        if extension and not legs[leg].extension:
            legs[leg].extension = extension
        return legs[leg]

    def host(self, guest: str) -> str:
        """The call that a transfer brought this channel into; empty: it is no guest."""
        return self._hosts.get(guest, "")

    def take_guest(self, call: Call, guest: str, *, up: bool) -> None:
        """A transfer put it into the place of whoever talked."""
        self._hosts[guest] = call.id
        call.guest, call.guest_up, call.guest_named, call.guest_cause = guest, up, None, 0
        call.guest_said = up
        call.talk, call.talk_over = guest, False

    def drop_guest(self, guest: str) -> None:
        """It is over."""
        call = self._calls.get(self._hosts.pop(guest, ""))
        if call and call.guest == guest:
            if call.talk == guest and not call.guest_up:
                call.talk = ""  # he never talked with it
            call.guest, call.guest_up, call.guest_named = "", False, None

    def knows(self, call: str) -> bool:
        """It is live, or was lately."""
        return call in self._calls or call in self._over

    def is_over(self, call: str) -> bool:
        """The caller was here and is gone."""
        known = self._calls.get(call)
        return known.gone if known else call in self._over

    def is_handed(self, call: str) -> bool:
        """The caller lives on in the dialplan."""
        known = self._calls.get(call)
        return known.handed if known else self._over.get(call, False)

    def how_ended(self, leg: str) -> tuple[Disposition, int] | None:
        """How a leg ended that is not live any more."""
        return self._ended.get(leg)

    def end_leg(self, leg: Leg, how: Disposition, code: int) -> None:
        """The leg is over."""
        _remember(self._ended, leg.id, (how, code))
        if call := self._calls.get(leg.call):
            call.legs.pop(leg.id, None)
            self._forget_if_done(call)

    def end_call(self, call: Call) -> None:
        """The caller is gone; his legs may still have to end."""
        call.gone = True
        _remember(self._over, call.id, call.handed)
        self._forget_if_done(call)

    def withdraw(self, leg: Leg) -> None:
        """A leg that was never asked for after all: the order did not reach the PBX."""
        if call := self._calls.get(leg.call):
            call.legs.pop(leg.id, None)
            self._forget_if_done(call)

    def recent(self) -> list[tuple[str, Disposition]]:
        """Legs that ended lately, oldest first."""
        return [(leg, how) for leg, (how, _) in self._ended.items()]

    def _forget_if_done(self, call: Call) -> None:
        if (call.gone or not call.seen) and not call.legs:
            self._calls.pop(call.id, None)


def _remember(memory: "OrderedDict[str, V]", key: str, value: V) -> None:
    memory[key] = value
    memory.move_to_end(key)
    if len(memory) > REMEMBERED:
        memory.popitem(last=False)
