"""What the server asks of any chat. Version 1 of the port.

Two things: make a card look like this (a desired state, so a repeat or a late older edit does no harm), and bring back
the buttons that people press. What a press means to a chain is not the chat's business (`router.chat_notify.buttons`).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec
from aiohttp import web

from router.basis.instants import Instant
from router.basis.machine import ChainId, Effect, Event
from router.chains.effects import Face

PORT_VERSION = 1


class Ordered(Protocol):
    """The part of an outbox order that a chat needs; the engine's own `Order` has it."""

    @property
    def effect(self) -> Effect:
        """What is asked."""
        ...

    @property
    def ordered(self) -> Instant:
        """When it was asked, microseconds UTC."""
        ...


class Card(msgspec.Struct, frozen=True):
    """A card as it is shown now."""

    id: str
    chain: ChainId
    """Chain that hears the buttons."""
    audience: str
    """`person:<id>` or `duty`."""
    revision: int
    face: Face
    shown: Instant
    """When the card was first shown: its place in the list."""
    changed: Instant


class Pressed(msgspec.Struct, frozen=True):
    """A button as a chat brings it back."""

    card: str
    button: str
    """Code: `real`, `spam`, `take`, `close`."""
    by: str
    """Person id of who pressed."""
    press: str
    """Identity of the press: the same press delivered twice carries the same."""
    revision: int = 0
    """Revision of the card that the person saw; 0: the chat cannot tell."""
    reason: str = ""
    """Code of the reason, for buttons that ask for one."""


Bring = Callable[[Pressed], Awaitable[str]]
"""Hands a press to the server; returns, after the durable commit, the code of the answer (`buttons.REPLIES`)."""


class Chat(Protocol):
    """One connected chat."""

    name: str
    """Name in configuration and lanes, for example `inbox`."""

    async def perform(self, order: Ordered) -> Sequence[Event]:
        """Make a card look as ordered. Idempotent: an older revision never replaces a newer one.

        Raises `Temporary` (the outbox tries again) or `Permanent`. Returns facts for the card's chain, mostly none.
        """
        ...

    def routes(self, bring: Bring) -> Sequence[web.RouteDef]:
        """HTTP routes below `/webhooks/chat/<name>`; empty for a chat that is listened to by other means."""
        ...

    async def close(self) -> None:
        """Free connections."""
        ...
