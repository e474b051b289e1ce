"""What the server asks of any IP-PBX. Version 1 of the port.

An adapter turns a PBX's reports into `Report`s (events of `router.chains.events`, with the raw personal data beside
them) and carries out `router.chains.effects`. It keeps no routing state of its own: what it must remember between two
reports is a cache that can be rebuilt from the PBX.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import msgspec
from aiohttp import web

from router.basis.failures import Temporary
from router.basis.machine import Event
from router.chains.effects import RecordingEffect, TelephonyEffect

PORT_VERSION = 1


Style = Literal["conductor", "adviser", "witness"]
"""Who leads a call.

- `conductor`: the server orders every ring, stop and connection.
- `adviser`: the PBX asks whom to ring now (`AdviceAsked`); the reply that `Deliver` returns is the advice, as JSON of
  `router.chains.effects.Advice`. It is stored with the event: a question that is repeated under the same origin gets it
  word for word. The PBX joins whoever picks up by itself.
- `witness`: the PBX hunts by itself; the server follows who was rung and who answered. Nobody is ordered.
"""


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a PBX can do; the call's terms are adapted to it when a call begins."""

    owns_timer: Literal["pbx", "server", "none"]
    """Who ends a ring after its full time; `none`: the PBX does, after a time that nobody tells (witness only)."""
    whole_second_timer: bool
    """The PBX's timer knows whole seconds only."""
    can_cancel_leg: bool
    """It obeys a stop while the phone rings. If not, a leg that is not wanted any more ends by itself."""
    can_connect_late: bool
    """An answer that arrives after the stop may still be connected."""
    reports_ringing: bool
    reports_answerer: bool
    idempotent_legs: bool
    """A ring ordered twice under one leg id rings once, also after the leg has ended."""
    can_reroute_ringing: bool = False
    """A ring for the next head takes the caller from the phone that rings: that phone needs no stop of its own."""
    can_record: bool = False
    """It records a talk when told to, and gives the recording away."""
    style: Style = "conductor"
    can_wait: bool = True
    """Adviser: it can keep a caller and ask again, where nobody is free at the moment."""
    can_look: bool = True
    """It says what is true when it is asked (`look`, `LookAtCall`)."""

    def __post_init__(self) -> None:
        """Raises ValueError where the abilities contradict one another."""
        if self.owns_timer == "none" and self.style != "witness":
            raise ValueError("owns_timer = none: only a PBX that hunts by itself (style = witness) may leave it open")
        if self.owns_timer == "server" and self.style != "conductor":
            raise ValueError("owns_timer = server: nobody but a conductor can end a ring; say pbx")
        if not self.can_look and self.style == "conductor":
            raise ValueError("can_look = false: a PBX that is conducted must be readable, or a restart would be blind")


class Report(msgspec.Struct, frozen=True, gc=False):
    """One fact as an adapter delivers it."""

    call: str
    """The PBX's id of the whole call."""
    event: Event
    personal: Mapping[str, str] = {}
    """Field of the event -> raw phone number. The engine replaces it by a token; None stays where the number is
    withheld."""
    origin: str | None = None
    """Identity of the delivery: the same fact delivered twice carries the same origin (unique within the call)."""
    raw: bytes | None = None
    """The payload as received, for the vault."""


Deliver = Callable[[Sequence[Report]], Awaitable[Sequence[str | None]]]
"""Hands reports to the engine; returns, after the durable commit, the stored reply for each (None: nothing to say).
Reports given in one call are admitted in that order."""


@dataclass(frozen=True, slots=True)
class LegSight:
    """What the PBX says about one leg: of ours, or of its own where it hunts by itself."""

    leg: str
    state: Literal["ringing", "up", "ended"]
    how: str = ""
    """Disposition of an ended leg, if the PBX remembers it."""
    talked: bool = False
    """Whether the leg is known to have been joined with the caller, now or before it ended."""
    extension: str = ""
    """The phone, where the PBX rang it by itself."""


@dataclass(frozen=True, slots=True)
class CallSight:
    """What the PBX says about one live call."""

    call: str
    line: str
    caller: str
    """Raw number, empty if withheld."""
    legs: tuple[LegSight, ...] = ()
    talking_leg: str = ""
    """Leg (ours, or the PBX's own id) connected with the caller; empty: nobody."""
    talking_extension: str = ""


@dataclass(frozen=True, slots=True)
class Sighting:
    """All live calls of ours on the PBX, as read on connect and now and then.

    A call of ours that is not in `calls` is over. A leg that is neither in its call nor in `recent` is unknown: it may
    have ended, or may never have been asked for.
    """

    calls: tuple[CallSight, ...]
    recent: tuple[LegSight, ...] = ()
    """Legs that ended lately, where the PBX remembers them (`remembers_legs`)."""
    remembers_legs: bool = False
    """True: a leg that is nowhere in this sighting was never asked for."""
    handed: tuple[str, ...] = ()
    """Calls that live in the PBX's own fallback plan now: not in `calls`, and not hung up either."""


class NotSent(Temporary):
    """The order never reached the PBX (connection refused, 503 before acceptance): it may be sent again at once."""


class Telephony(Protocol):
    """One connected PBX."""

    name: str
    """Name of the neighbour in configuration, chain ids and lanes, for example `asterisk`."""
    abilities: Abilities

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        """Carry out one effect; `caller` is the raw number behind `effect.caller`.

        Returns facts that the answer itself proves (a leg refused at once: `LegEnded`; the caller gone:
        `CallerHungUp`); an empty sequence means accepted. Raises `Temporary` (try again: the outbox decides when) or
        `Permanent`. A repeat of an effect is harmless.
        """
        ...

    async def look(self) -> Sighting:
        """Read the PBX's live calls. Raises `Temporary` while it cannot be read."""
        ...

    async def run(self, deliver: Deliver, in_sight: Callable[[bool, str], Awaitable[None]]) -> None:
        """Receive reports until cancelled, reconnecting by itself.

        Calls `in_sight(True, why)` after each (re)connect, when reports flow and `look` will be true, and
        `in_sight(False, why)` when the PBX is lost. The server answers in_sight(True) by calling `look` and admitting
        the differences; `run` must go on receiving meanwhile.
        """
        ...

    def routes(self, deliver: Deliver) -> Sequence[web.RouteDef]:
        """HTTP routes below `/webhooks/pbx/<name>`; empty for a PBX that is listened to by other means."""
        ...

    async def close(self) -> None:
        """Free connections."""
        ...


class Adapter(Protocol):
    """The entry point `hopline.telephony`: makes a `Telephony` out of its part of the configuration."""

    kind: ClassVar[str]
    """Name of the vendor folder: the value of `kind` in `[pbx.<name>]`."""
    port_version: ClassVar[int]
    config: type[Any]
    """Pydantic model of the settings."""

    def build(self, name: str, config: Any) -> Telephony:
        """Raises `Mistakes`."""
        ...


@runtime_checkable
class KeepsRecordings(Protocol):
    """Optional: an adapter that records talks (`Abilities.can_record`)."""

    recordings: Path
    """Folder for `<name>.wav`, put in by the server."""

    async def record(self, effect: RecordingEffect) -> Sequence[Event]:
        """Carry out one effect about a recording; as `Telephony.perform`."""
        ...


class UnknownPayload(msgspec.Struct, frozen=True):
    """A payload the adapter could not read: counted, kept, answered politely."""

    reason: str
    body: bytes


@runtime_checkable
class KeepsUnread(Protocol):
    """Optional: an adapter that can meet payloads it does not understand."""

    unknown: Callable[[UnknownPayload], Awaitable[None]]
    """Keeper of such payloads, put in by the server; awaited before the PBX is answered. Raises Temporary."""
