"""The client book over the journal: what is written is found by its number, in memory, after a start, and in no log."""

import sqlite3
from pathlib import Path

import msgspec
import pytest

from router.basis.clients import ClientKind
from router.chains.client import client_chain
from router.clients import MOST, Clients
from router.crm_bridge.builtin import Entry
from router.engine.core import Core
from router.engine.journal import Batch
from router.engine.replay import replay
from router.engine.store.port import StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from router.office import Office, machines
from router.reports import client_conflicts, client_entries
from tests.router.book import client_book

OLEG = Entry("oleg", "Олег Павлов", ClientKind.CLIENT, ("+79990001122", "+74951234567"), ("oleg@example.org",), "vera",
             note="любит чай", priority=3)  # fmt: skip
INNA = Entry("inna", "Инна", phones=("+79990003344",))


async def write(clients: Clients, *entries: Entry, **more: bool | int | None) -> list[str]:
    saved = await clients.save([(f"line {number}", entry) for number, entry in enumerate(entries, 2)], "anna", **more)  # type: ignore[arg-type]
    assert saved.mistakes == []
    return saved.words


async def number(clients: Clients, phone: str) -> str:
    tokens = await clients.tokens([phone])
    found = clients.book.by_phone(tokens[0]) if tokens else None
    return found.id if found else ""


async def test_a_client_is_found_by_his_number_at_once_and_after_a_start(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        assert await write(clients, OLEG, INNA) == ["created", "created"]
        assert await number(clients, "+74951234567") == "oleg"
        assert await write(clients, msgspec.structs.replace(OLEG, phones=("+79990001122",))) == ["changed"]
        assert await number(clients, "+74951234567") == ""
    async with client_book(tmp_path / "hopline.db", people=None) as clients:
        assert await number(clients, "+79990001122") == "oleg"
        assert await number(clients, "+74951234567") == ""
        kept = clients.kept("oleg")
        assert kept is not None
        assert kept.revision == 2
        assert await clients.entries([kept.client]) == [msgspec.structs.replace(OLEG, phones=("+79990001122",))]
        assert await clients.entries(list(clients.book)) == [
            INNA,
            msgspec.structs.replace(OLEG, phones=("+79990001122",)),
        ]


async def test_nothing_personal_stands_in_the_log(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG)
        await write(clients, msgspec.structs.replace(OLEG, name="Олег П.", note=""))
    file = sqlite3.connect(tmp_path / "hopline.db")
    values = {row[0] for row in file.execute("SELECT value FROM vault")}
    assert values == {"Олег Павлов", "Олег П.", "любит чай", "+79990001122", "+74951234567", "oleg@example.org"}
    tables = [row[0] for row in file.execute("SELECT name FROM sqlite_master WHERE type='table'")]
    assert "event" in tables
    for table in set(tables) - {"vault"}:
        for row in file.execute(f"SELECT * FROM {table}"):
            said = " ".join(cell.decode() if isinstance(cell, bytes) else str(cell) for cell in row)
            assert not any(value in said for value in values), table
    file.close()


async def test_the_number_of_a_caller_is_the_number_in_the_book(tmp_path: Path) -> None:
    """The vault knows the number under one kind, whoever brought it first (`router.switch` says `phone`)."""
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG)
        vault = clients._engine.core.vault
        token = vault.token("phone", "+79990001122", [], [])
        assert clients.book.by_phone(token) is not None


async def test_a_log_of_clients_folds_to_the_same_bytes(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG)
        await write(clients, msgspec.structs.replace(OLEG, active=False))
        await write(clients, OLEG, expected=1)
        engine = clients._engine
        chain = client_chain("oleg")
        core = Core(machines(), Office({}).looks(), Vault())
        history = await engine.store.history(chain)
        (stored,) = await engine.store.load([chain])
        assert len(history) == 3
        assert not replay(core, history, stored).differences


async def test_a_dry_run_tells_and_writes_nothing(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG)
        saved = await clients.save([("a", msgspec.structs.replace(OLEG, priority=4)), ("b", INNA)], "anna", dry=True)
        assert saved.words == ["changed", "created"]
        assert saved.changed == ["~ client oleg: priority 3 -> 4", "+ client inna"]
        assert clients.kept("inna") is None
        assert clients.kept("oleg").revision == 1  # type: ignore[union-attr]


async def test_what_is_the_same_is_not_written_again(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG, INNA)
        assert await write(clients, OLEG, INNA) == ["same", "same"]
        assert len(await clients._engine.store.history(client_chain("oleg"))) == 1


async def test_a_client_without_an_id_is_found_by_number_or_mail_or_is_new(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG, INNA)
        nameless = Entry("", "Олег", phones=("+74951234567", "+79991112233"))
        saved = await clients.save([("a", nameless), ("b", Entry("", "Новый", mails=("n@example.org",)))], "anna")
        assert (saved.ids, saved.words) == (["oleg", "c1"], ["changed", "created"])
        again = await clients.save([("b", Entry("", "Новый", mails=("n@example.org",)))], "anna")
        assert (again.ids, again.words) == (["c1"], ["same"]), "the same table brought again makes no second client"


async def test_mistakes_of_a_list_leave_nothing_written(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG, INNA)
        placed = [
            ("line 2", Entry("new", "N")),
            ("line 3", Entry("", "Both", phones=("+79990001122", "+79990003344"))),
            ("line 4", Entry("x", "X", responsible="ghost")),
            ("line 5", Entry("", "Инна", phones=("+79990003344",))),
            ("line 6", Entry("inna", "Инна")),
        ]
        saved = await clients.save(placed, "anna")
        assert {mistake.key for mistake in saved.mistakes} == {"line 3.id", "line 4.responsible", "line 6.id"}
        assert clients.kept("new") is None


async def test_responsible_people_are_checked_only_where_there_are_people(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db", people=None) as clients:
        assert await write(clients, OLEG) == ["created"]


async def test_one_number_of_two_clients_is_told_and_kept(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG)
        saved = await clients.save([("a", Entry("twin", "Twin", phones=("+79990001122",)))], "anna")
        assert saved.words == ["created"]
        assert saved.warnings == ["! +7***22 of client twin belongs to oleg as well"]
        assert await number(clients, "+79990001122") == "oleg", "a client before a new one"
    assert await client_conflicts(tmp_path) == [{"contact": "+7***22", "clients": ["oleg", "twin"]}]
    assert [entry.id for entry in await client_entries(tmp_path)] == ["oleg", "twin"]


async def test_two_in_one_list_with_one_number_are_told(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db") as clients:
        pair = [("a", Entry("a", phones=("+79990001122",))), ("b", Entry("b", phones=("+79990001122",)))]
        assert (await clients.save(pair, "anna")).warnings == []
        assert len(clients.book.conflicts()) == 1


class Doubtful(SqliteStore):
    """A journal whose commit holds although it says that it does not."""

    lie = False

    async def commit(self, batch: Batch) -> None:
        await super().commit(batch)
        if self.lie:
            Doubtful.lie = False
            message = "the disk went away before the answer"
            raise StoreUnavailable(message)


async def test_a_write_that_holds_although_it_seemed_to_fail_is_seen(tmp_path: Path) -> None:
    async with client_book(tmp_path / "hopline.db", store=Doubtful(tmp_path / "hopline.db")) as clients:
        await write(clients, OLEG)
        Doubtful.lie = True
        with pytest.raises(StoreUnavailable):
            await clients.save([("a", msgspec.structs.replace(OLEG, phones=("+79995556677",)))], "anna")
        await write(clients, INNA)
        assert await number(clients, "+79995556677") == "oleg"
        assert await number(clients, "+79990001122") == ""


async def test_a_later_change_is_not_undone_by_what_was_read_before_it(tmp_path: Path) -> None:
    """The start reads while the engine goes on: an older entry does not replace a newer one."""
    async with client_book(tmp_path / "hopline.db") as clients:
        await write(clients, OLEG)
        old = await clients._engine.store.find("client", final=None, newest=MOST)
        await write(clients, msgspec.structs.replace(OLEG, phones=("+79995556677",)))
        for stored in old:
            state = clients._engine.core.codec.state(
                clients._engine.core.machine("client", 1), stored.state, stored.schema
            )
            clients._note(state)  # type: ignore[arg-type]
        assert await number(clients, "+79995556677") == "oleg"
