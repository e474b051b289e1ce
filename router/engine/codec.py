"""Canonical bytes: one struct, one sequence of bytes, on every machine.

JSON with fields in the order of their declaration and keys sorted; no floats occur. Pinned values are written as their
hash. Older schema versions are brought up by the machine's upcaster before they are converted.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import msgspec

from router.basis.machine import ChainId, Claim, Effect, Event, Machine, State, Step
from router.basis.pinned import Pinned
from router.engine.contents import Contents


def _encode_hook(value: Any) -> Any:
    if isinstance(value, Pinned):
        return value.digest
    message = f"{type(value).__name__} has no canonical form"
    raise NotImplementedError(message)


class MessageForm(msgspec.Struct, array_like=True, gc=False):
    """A message as the log holds it."""

    to: ChainId
    event: Any


class Outcome(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a step returned besides the state, as the log holds it and a replay compares it."""

    effects: tuple[Any, ...] = ()
    messages: tuple[MessageForm, ...] = ()
    claims: tuple[str, ...] = ()
    closed: tuple[str, ...] = ()
    freed: tuple[str, ...] = ()
    reply: str | None = None


@dataclass(frozen=True, slots=True)
class _Decoders:
    state: msgspec.json.Decoder[Any]
    event: msgspec.json.Decoder[Any]
    seen: msgspec.json.Decoder[Any]
    effects: msgspec.json.Decoder[Any]


class Codec:
    """Encodes and decodes for a set of machines."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        self.encode: Callable[[Any], bytes] = msgspec.json.Encoder(enc_hook=_encode_hook, order="deterministic").encode
        """Canonical bytes of a struct. The encoder's own method: three to four calls are made for each event."""
        self._decoders: dict[tuple[str, int], _Decoders] = {}

    def outcome(self, step: Step[Any], claims: tuple[Claim, ...]) -> bytes:
        """Canonical bytes of what a step returned besides the state."""
        if not (step.effects or step.messages or claims or step.closed or step.freed or step.reply is not None):
            return b"{}"
        return self.encode(
            Outcome(
                step.effects,
                tuple([MessageForm(message.to, message.event) for message in step.messages]),
                tuple([claim.key for claim in claims]),
                step.closed,
                step.freed,
                step.reply,
            )
        )

    def state(self, machine: Machine[Any, Any, Any], body: bytes, schema: int) -> State:
        """A state from its bytes."""
        return self._decode(machine, "state", body, schema)  # type: ignore[no-any-return]

    def event(self, machine: Machine[Any, Any, Any], body: bytes, schema: int) -> Event:
        """An event from its bytes."""
        return self._decode(machine, "event", body, schema)  # type: ignore[no-any-return]

    def seen(self, machine: Machine[Any, Any, Any], body: bytes, schema: int) -> Any:
        """What was seen at admission, from its bytes."""
        return self._decode(machine, "seen", body, schema)

    def effects(self, machine: Machine[Any, Any, Any], outcome: bytes, schema: int) -> tuple[Effect, ...]:
        """The effects of a step from the bytes of its outcome."""
        if schema == machine.schema:
            return self._tools(machine).effects.decode(outcome).effects  # type: ignore[no-any-return]
        brought = self.brought_up(machine, outcome, schema).get("effects", [])
        return msgspec.convert(brought, tuple[machine.effects, ...], dec_hook=self._decode_hook)  # type: ignore[name-defined]

    def brought_up(self, machine: Machine[Any, Any, Any], outcome: bytes, schema: int) -> dict[str, Any]:
        """An outcome as builtins, its effects in their present form."""
        raw: dict[str, Any] = msgspec.json.decode(outcome)
        if schema != machine.schema and "effects" in raw:
            raw["effects"] = [machine.upcast("effect", schema, effect) for effect in raw["effects"]]
        return raw

    def _decode(self, machine: Machine[Any, Any, Any], what: str, body: bytes, schema: int) -> Any:
        tools = self._tools(machine)
        if schema == machine.schema:
            return getattr(tools, what).decode(body)
        raw = machine.upcast(what, schema, msgspec.json.decode(body))
        kind = {"state": machine.states, "event": machine.events, "seen": machine.seen}[what]
        return msgspec.convert(raw, kind, dec_hook=self._decode_hook)

    def _tools(self, machine: Machine[Any, Any, Any]) -> _Decoders:
        key = (machine.kind, machine.version)
        if key not in self._decoders:
            hook = self._decode_hook
            effects = msgspec.defstruct("Effects", [("effects", tuple[machine.effects, ...], ())])  # type: ignore[name-defined]
            self._decoders[key] = _Decoders(
                msgspec.json.Decoder(machine.states, dec_hook=hook),
                msgspec.json.Decoder(machine.events, dec_hook=hook),
                msgspec.json.Decoder(machine.seen, dec_hook=hook),
                msgspec.json.Decoder(effects, dec_hook=hook),
            )
        return self._decoders[key]

    def _decode_hook(self, kind: Any, raw: Any) -> Any:
        arguments = get_args(kind)
        if arguments and isinstance(raw, str):
            return self._contents.get(raw, arguments[0])
        message = f"{kind} cannot be read from {type(raw).__name__}"
        raise NotImplementedError(message)
