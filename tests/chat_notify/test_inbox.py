"""A card is a desired state: repeats and late older edits change nothing, whoever looks is told of the rest."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.basis.instants import Instant
from router.chains.effects import Face, ShowCard
from router.chat_notify.inbox import Inbox
from router.engine.store.sqlite import SqliteStore


@dataclass(frozen=True)
class Ordered:
    """The part of an outbox order that a chat sees."""

    effect: ShowCard
    ordered: Instant = Instant(1_000)


def show(revision: int, audience: str = "person:anna", at: int = 1_000, card: str = "call:office:1/verdict") -> Ordered:
    face = Face(f"face_{revision}", {"n": str(revision)}, ("real",))
    return Ordered(ShowCard(card, "call:office:1", audience, face, revision), Instant(at))


@pytest.fixture
async def inbox(tmp_path: Path) -> AsyncIterator[Inbox]:
    store = SqliteStore(tmp_path / "journal.db")
    await store.open()
    yield Inbox(store)
    await store.close()


async def test_a_card_is_shown_and_replaced_in_its_place(inbox: Inbox) -> None:
    await inbox.perform(show(1, at=1_000))
    await inbox.perform(show(4, at=9_000))
    [card] = await inbox.cards("person:anna")
    assert (card.revision, card.face.code, card.shown, card.changed) == (4, "face_4", 1_000, 9_000)
    assert card.face == Face("face_4", {"n": "4"}, ("real",))


async def test_a_repeat_changes_nothing_and_tells_nobody(inbox: Inbox) -> None:
    await inbox.perform(show(2, at=1_000))
    with inbox.watch("person:anna") as watch:
        await inbox.perform(show(2, at=5_000))
        assert not watch.changed.is_set()
    [card] = await inbox.cards("person:anna")
    assert card.changed == 1_000


async def test_an_older_edit_that_comes_late_changes_nothing(inbox: Inbox) -> None:
    await inbox.perform(show(5))
    await inbox.perform(show(3))
    [card] = await inbox.cards("person:anna")
    assert card.revision == 5


@given(st.permutations([1, 2, 3, 4, 5]), st.integers(1, 5))
def test_in_any_order_the_newest_stays(order: list[int], again: int) -> None:
    async def story() -> int:
        table = _Memory()
        inbox = Inbox(table)
        await asyncio.gather(*(inbox.perform(show(revision)) for revision in [*order, again]))
        [card] = await inbox.cards("person:anna")
        return card.revision

    assert asyncio.run(story()) == 5


async def test_a_card_that_moves_leaves_its_old_place_and_both_hear_of_it(inbox: Inbox) -> None:
    await inbox.perform(show(1, "duty"))
    with inbox.watch("duty") as old, inbox.watch("person:anna") as new, inbox.watch("person:boris") as other:
        await inbox.perform(show(2, "person:anna"))
        assert (old.changed.is_set(), new.changed.is_set(), other.changed.is_set()) == (True, True, False)
    assert await inbox.cards("duty") == []
    assert len(await inbox.cards("person:anna")) == 1


async def test_newest_first_and_not_too_many(inbox: Inbox) -> None:
    for number in range(5):
        await inbox.perform(show(1, at=number, card=f"call:office:{number}/verdict"))
    assert [card.shown for card in await inbox.cards("person:anna", newest=3)] == [4, 3, 2]


async def test_cards_of_chains_however_old(inbox: Inbox) -> None:
    await inbox.perform(show(1, "duty"))
    await inbox.perform(show(1, "person:anna", card="other"))
    assert [card.audience for card in await inbox.cards_of("duty", ["call:office:1", "call:office:2"])] == ["duty"]
    assert await inbox.cards_of("duty", []) == []


class _Memory:
    """A table of one query, whose every step lets others run in between."""

    def __init__(self) -> None:
        self.rows: dict[str, tuple[Any, ...]] = {}

    async def upsert(self, table: str, key: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        await asyncio.sleep(0)
        self.rows[str(key["card"])] = (key["card"], *values.values())

    async def select(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        await asyncio.sleep(0)
        return [row for row in self.rows.values() if parameters[0] in (row[0], row[2])]
