"""The table of contents: values named by the hash of their canonical bytes (`router.basis.pinned`)."""

import hashlib
from typing import Any, TypeVar

import msgspec

from router.basis.pinned import Pinned

T = TypeVar("T")

DIGEST_BYTES = 16
"""128 bits of SHA-256: accidental collisions are out of question, and snapshots stay short."""

_plain = msgspec.json.Encoder(order="deterministic")


class Contents:
    """All pinned values this process has met: bytes by digest, decoded at most once."""

    def __init__(self) -> None:
        self._bodies: dict[str, bytes] = {}
        self._values: dict[tuple[str, Any], Pinned[Any]] = {}
        self._unsaved: set[str] = set()

    def pin(self, value: T) -> Pinned[T]:
        """The value under its hash; new content is written with the next event."""
        body = _plain.encode(value)
        digest = hashlib.sha256(body).hexdigest()[: 2 * DIGEST_BYTES]
        key = (digest, type(value))
        if key not in self._values:
            self._values[key] = Pinned(digest, value)
        if digest not in self._bodies:
            self._bodies[digest] = body
            self._unsaved.add(digest)
        return self._values[key]

    def get(self, digest: str, kind: type[T]) -> Pinned[T]:
        """The value with this hash. Raises KeyError where the journal never had it."""
        key = (digest, kind)
        if key not in self._values:
            self._values[key] = Pinned(digest, msgspec.json.decode(self._bodies[digest], type=kind))
        return self._values[key]

    def unsaved(self) -> list[tuple[str, bytes]]:
        """Content that the store does not have yet."""
        return [(digest, self._bodies[digest]) for digest in sorted(self._unsaved)]

    def saved(self, digests: list[str]) -> None:
        """The store has these now."""
        self._unsaved.difference_update(digests)

    def loaded(self, digest: str, body: bytes) -> None:
        """Content as the store holds it."""
        self._bodies[digest] = body
