"""`hopline do`, `aside`, `quarantine`, `drain` beside a server with a call under way, and without a server."""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import pytest

from tests.crash.company import apply_people, configuration, hopline
from tests.crash.lives import PlayedPbx, start_pbx, start_server
from tests.crash.plays import PLAYS
from tests.crash.test_kill import ordered, what
from tests.support.ports import free_port

pytestmark = [pytest.mark.net, pytest.mark.slow]


@asynccontextmanager
async def ringing(home: Path) -> AsyncIterator[PlayedPbx]:
    """A server whose only call rings its first head."""
    await apply_people(home)
    port, pbx_port = free_port(), free_port()
    server = await start_server(configuration(home, port, pbx_port))
    pbx: PlayedPbx | None = None
    try:
        await server.says("hopline listens")
        pbx = await start_pbx(home, port, pbx_port, PLAYS["nobody"])
        await pbx.until(ordered(1))
        yield pbx
        assert await server.terminate() == 0
    finally:
        await server.kill()
        if pbx is not None:
            await pbx.child.kill()


async def said(home: Path, *command: str, code: int = 0) -> Any:
    """The JSON that a command prints."""
    left, output, errors = await hopline(*command, "--json", "--data", home / "data")
    assert (left, errors) == (code, ""), (output, errors)
    return json.loads(output)


async def test_orders_reach_the_call_and_its_explanation(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with ringing(tmp_path) as pbx:
        assert (await said(tmp_path, "do", "free", "anna", "--by", "chief"))["said"] == "freed"
        await pbx.until(ordered(2))
        assert (await said(tmp_path, "do", "free", "anna", code=1))["said"] == "not_held"
        assert (await said(tmp_path, "do", "end", "c-1", code=1))["said"] == "reason_missing"
        assert (await said(tmp_path, "do", "fallback", "c-1", "--by", "chief"))["said"] == "sent"
        await pbx.until(what("fallback_took"))
        await pbx.until(what("call_ended"))
        assert (await said(tmp_path, "do", "pause", "boris", "--until", "2099-01-01T09:00+03:00"))["said"] == "away"
        assert (await said(tmp_path, "do", "resume", "boris"))["said"] == "back"
        code, words, _ = await hopline("do", "resume", "boris", "--data", tmp_path / "data")
        assert (code, words) == (1, "he is not away\n")
        code, _, errors = await hopline("do", "pause", "boris", "--until", "tomorrow", "--data", tmp_path / "data")
        assert code == 2
        assert "with a zone" in errors
    lines = await said(tmp_path, "explain", "c-1", "--language", "en")
    assert [line for line in lines if "chief" in line] == [
        line for line in lines if "by hand" in line or "was ordered" in line
    ]
    assert len([line for line in lines if "chief" in line]) == 2


async def test_drain_says_what_is_left_and_is_taken_back(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with ringing(tmp_path):
        assert await said(tmp_path, "drain", "--within", "0", code=1) == {"under_way": ["call:office:c-1"]}
        assert await said(tmp_path, "drain", "--off") == {"under_way": []}
        assert (await said(tmp_path, "do", "end", "c-1", "--reason", "test"))["said"] == "closed"
        assert await said(tmp_path, "drain", "--within", "30") == {"under_way": []}


async def test_what_waits_for_a_person_is_seen_to_without_a_server_too(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    await apply_people(tmp_path)
    with closing(sqlite3.connect(data / "hopline.db")) as journal:
        row = ("ab12cd", 1_767_225_600_000_000, "", "pbx:office", b'{"caller":"+79990001122"}', "no such event")
        journal.execute("INSERT INTO quarantine(id, at, chain, source, event, error) VALUES(?,?,?,?,?,?)", row)
        journal.commit()
    assert await said(tmp_path, "aside") == []
    assert (await said(tmp_path, "aside", "send-again", "call:office:1/1/0", code=1))["said"] == "no_such_effect"
    [listed] = await said(tmp_path, "quarantine")
    assert (listed["id"], listed["bytes"], "body" in listed) == ("ab12cd", 25, False)
    [shown] = await said(tmp_path, "quarantine", "show", "ab12")
    assert shown["body"] == '{"caller":"+79990001122"}'
    assert (await said(tmp_path, "quarantine", "drop", "zz", code=1))["said"] == "no_such_row"
    assert (await said(tmp_path, "quarantine", "drop", "ab12", "--by", "chief"))["said"] == "dropped"
    assert await said(tmp_path, "quarantine") == []
    with closing(sqlite3.connect(data / "hopline.db")) as journal:
        sql = (
            "SELECT e.source, e.event FROM event e JOIN chain c ON c.no = e.chain WHERE c.id = 'operations:office:main'"
        )
        assert journal.execute(sql).fetchall() == [
            ("person:chief", b'{"type":"UnreadDropped","row":"ab12cd","by":"chief"}')
        ]
    code, _, errors = await hopline("drain", "--data", data)
    assert (code, "no server runs" in errors) == (3, True)
