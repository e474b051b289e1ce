"""Content that is named by its hash.

A chain that starts under certain terms keeps them, whatever is changed later. Writing the terms into every snapshot
would multiply them by the number of events, so snapshots and the log hold the hash, and the content lies once in the
journal's table of contents. Counterpart: `router.engine.contents`.
"""

from typing import Generic, TypeVar

T = TypeVar("T")


class Pinned(Generic[T]):
    """A value together with the hash of its canonical bytes. Equal when the hashes are."""

    __slots__ = ("digest", "value")

    def __init__(self, digest: str, value: T) -> None:
        self.digest = digest
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pinned) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"Pinned({self.digest[:8]}, {self.value!r})"
