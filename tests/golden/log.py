"""How a golden log is written and read: JSON lines, one per record, bytes as the journal held them."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from router.basis.instants import Instant
from router.engine.contents import Contents
from router.engine.journal import Record
from tests.stories.stage import Stage

FOLDER = Path(__file__).parent


class Line(msgspec.Struct, frozen=True):
    """One record: of which act, of which chain, what came in and what came of it."""

    act: int
    chain: str
    kind: str
    machine_version: int
    schema: int
    sequence: int
    at: Instant
    event: msgspec.Raw
    seen: msgspec.Raw
    outcome: msgspec.Raw
    state: msgspec.Raw
    final: bool
    deadline: Instant | None


class Content(msgspec.Struct, frozen=True):
    """One pinned value, by its hash."""

    digest: str
    body: msgspec.Raw


def lines(stages: Iterable[Stage]) -> list[Line]:
    """The logs of these acts."""
    return [_line(act, record) for act, stage in enumerate(stages) for record in stage.records]


def contents(stages: Iterable[Stage]) -> list[Content]:
    """All that the logs name by hash."""
    bodies = {digest: body for stage in stages for digest, body in _bodies(stage.core.contents)}
    return [Content(digest, msgspec.Raw(body)) for digest, body in sorted(bodies.items())]


def read(path: Path) -> list[Line]:
    """A golden log."""
    return [msgspec.json.decode(line, type=Line) for line in path.read_bytes().splitlines()]


def read_contents(path: Path) -> list[Content]:
    """The pinned values beside it."""
    return [msgspec.json.decode(line, type=Content) for line in path.read_bytes().splitlines()]


def write(path: Path, items: Iterable[msgspec.Struct]) -> None:
    """One JSON document per line."""
    path.write_bytes(b"".join(msgspec.json.encode(item) + b"\n" for item in items))


def _line(act: int, record: Record) -> Line:
    return Line(
        act,
        record.chain,
        record.kind,
        record.machine_version,
        record.schema,
        record.sequence,
        record.at,
        msgspec.Raw(record.event),
        msgspec.Raw(record.seen),
        msgspec.Raw(record.outcome),
        msgspec.Raw(record.state),
        record.final,
        record.deadline,
    )


def _bodies(kept: Contents) -> Iterable[tuple[str, bytes]]:
    # A stage has no store: everything it ever pinned counts as unsaved until it is settled, so it is asked by hash.
    return kept._bodies.items()
