"""What we ask of a webhook PBX: our effects -> commands, and how they are fetched and answered by long poll. Pure.

The manual is `docs/webhook-pbx.md`, "Commands" and "Fetching commands". The structs are also what its OpenAPI document
is made of.
"""

import hashlib
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from router.basis.instants import Instant
from router.chains.effects import (
    Connect,
    LookAtCall,
    Release,
    RingBack,
    RingLeg,
    SendToFallback,
    StopLeg,
    TelephonyEffect,
)
from router.telephony_adapter.webhook.wire import Id


class Ring(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="command", tag="ring"):
    """Ring a phone for at most `ring_ms`, counted from the order; show `caller` on it."""

    call: str
    leg: str
    extension: str
    line: str
    ring_ms: Annotated[int, Meta(ge=1)]
    caller: str = ""
    """Missing where the number is withheld."""


class Stop(msgspec.Struct, frozen=True, tag_field="command", tag="stop"):
    """End a leg, ringing or up."""

    call: str
    leg: str
    why: str


class Join(msgspec.Struct, frozen=True, tag_field="command", tag="connect"):
    """Answer the client and join him with the leg that was picked up."""

    call: str
    leg: str


class HangUp(msgspec.Struct, frozen=True, tag_field="command", tag="release"):
    """Hang up the client and what is left of the call."""

    call: str
    why: str


class HandOver(msgspec.Struct, frozen=True, tag_field="command", tag="fallback"):
    """Give the client to the PBX's own plan."""

    call: str


class Look(msgspec.Struct, frozen=True, tag_field="command", tag="look"):
    """Say what is true about the call."""

    call: str
    leg: str
    """May be empty."""


class ListCalls(msgspec.Struct, frozen=True, tag_field="command", tag="calls"):
    """Say what is true about all calls. Fetched by long poll only; elsewhere it is `GET <command_url>/calls`."""


Command = Ring | Stop | Join | HangUp | HandOver | Look | ListCalls


def order(effect: TelephonyEffect, caller: str | None, net_us: int) -> dict[str, Any] | None:
    """The command's body; None where this contract needs no command.

    `net_us`: how much longer than asked the PBX rings a leg that the server ends itself.
    """
    command = _command(effect, caller, net_us)
    return None if command is None else msgspec.to_builtins(command)


def _command(effect: TelephonyEffect, caller: str | None, net_us: int) -> Command | None:
    match effect:
        case RingBack():
            return None  # `call.arrived` promises that the caller hears ringing
        case RingLeg():
            ring_us = effect.ring if effect.timed_by_pbx else effect.ring + net_us
            # Rounded down: a ring cut by the end of the window must not reach beyond it.
            ring_ms = max(1, ring_us // 1000)
            return Ring(effect.call, effect.leg, effect.extension, effect.line, ring_ms, caller or "")
        case StopLeg():
            return Stop(effect.call, effect.leg, effect.why)
        case Connect():
            return Join(effect.call, effect.leg)
        case Release():
            return HangUp(effect.call, effect.why)
        case SendToFallback():
            return HandOver(effect.call)
        case _:  # LookAtCall
            return Look(effect.call, effect.leg)


def useful_until(effect: TelephonyEffect) -> Instant | None:
    """When a command is too late to be of use; None: it is repeated until it is true."""
    return effect.best_before if isinstance(effect, RingLeg | LookAtCall) else None


def command_id(body: dict[str, Any]) -> str:
    """The `webhook-id` of a command: the same for each repeat. Hashed, since a PBX's own ids may hold full stops."""
    name = str(body["command"])
    same = "\n".join((name, str(body["call"]), str(body.get("leg", ""))))
    return f"{name}-{hashlib.sha256(same.encode()).hexdigest()[:32]}"


# --- fetching (docs/webhook-pbx.md, "Fetching commands") ----------------------------------------------------------


class Fetched(msgspec.Struct, frozen=True):
    """One command on its way: what would be the `webhook-id` of a delivery, and the body."""

    id: str
    command: Command


class HandedOut(msgspec.Struct, frozen=True):
    """The answer to a poll."""

    after: str
    """Give this in the next poll."""
    commands: tuple[Fetched, ...]


class Answered(msgspec.Struct, frozen=True):
    """What the PBX would have answered to a delivered command: status and body, the same words."""

    id: Id
    status: Annotated[int, Meta(ge=100, le=599)]
    body: msgspec.Raw = msgspec.field(default_factory=lambda: msgspec.Raw(b"{}"))
    retry_after: str = ""
    """As the header of that name."""


class Taken(msgspec.Struct, frozen=True):
    """How many answers were waited for; others came too late or twice, which is harmless."""

    taken: int


_many = msgspec.json.Decoder(list[Answered])
_one = msgspec.json.Decoder(Answered)


def read_answers(body: bytes) -> list[Answered]:
    """One answer, or a list of them. Raises msgspec.DecodeError (ValidationError says where)."""
    return _many.decode(body) if body.lstrip().startswith(b"[") else [_one.decode(body)]
