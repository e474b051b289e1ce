"""Card <-> row of `inbox_card`. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from router.basis.instants import Instant
from router.chains.effects import Face
from router.chat_notify.port import Card

COLUMNS = "card, chain, audience, revision, face, shown, changed"

_encode = msgspec.json.Encoder(order="deterministic").encode
_face = msgspec.json.Decoder(Face)


def card_of(row: tuple[Any, ...]) -> Card:
    """The card in a row of `COLUMNS`."""
    card, chain, audience, revision, face, shown, changed = row
    return Card(card, chain, audience, revision, _face.decode(face), Instant(shown), Instant(changed))


def values_of(card: Card) -> Mapping[str, Any]:
    """The columns besides the key."""
    return {
        "chain": card.chain,
        "audience": card.audience,
        "revision": card.revision,
        "face": _encode(card.face),
        "shown": card.shown,
        "changed": card.changed,
    }
