"""The three styles from end to end: the real server, the played PBX, real HTTP; judged by the PBX's own record and the
states of the call."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from router.app import Server
from router.chains.call_states import Ended, Talking
from router.chains.callback import Open
from router.chains.enquiry import Outcome
from simulators.pbx import Deeds, Leg, Phone, Switchboard
from simulators.pbx.http import PbxServer
from tests.support.ports import free_port
from tests.telephony_adapter.webhook.served import CALLER, LINE, SECRET, served

pytestmark = pytest.mark.slow

SECOND = 1_000_000
PATIENCE_S = 60


def habits(**extensions: list[Deeds]) -> Any:
    """What a phone's people do at its first ring, its second, …; nothing after that."""
    plans = {name.removeprefix("x"): deque(deeds) for name, deeds in extensions.items()}

    def on_ring(phone: Phone, leg: Leg, now: int) -> Deeds:
        plan = plans.get(phone.extension)
        return plan.popleft() if plan else ()

    return on_ring


@asynccontextmanager
async def office(
    tmp_path: Path, board: Switchboard, *, polls: bool = False, terms: dict[str, Any] | None = None, **settings: Any
) -> AsyncIterator[tuple[Server, PbxServer]]:
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks/pbx/office"
    async with PbxServer(board, server_url=url, secret=SECRET, polls=polls) as pbx:
        way = {"commands": "poll"} if polls else {"command_url": pbx.command_url}
        settings = {**way, "style": board.style, "look_every_s": 0.2, **settings}
        async with served(tmp_path / "data", port, terms, **settings) as server:
            yield server, pbx


async def until(true: Any) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not true():  # noqa: ASYNC110 - asks the server's memory, which has no event for each state
            await asyncio.sleep(0.02)


def state(server: Server, call: str, kind: str = "call") -> Any:
    live = server.engine.core.live.get(f"{kind}:office:{call}")
    return live.state if live else None


def asked(pbx: PbxServer) -> list[str]:
    """Orders that the PBX was given, looks aside."""
    entries = pbx.board.record.entries
    return [
        str(entry.more["command"]) for entry in entries if entry.what == "command" and entry.more["command"] != "look"
    ]


def advice(pbx: PbxServer) -> list[dict[str, Any]]:
    return [entry.more["advice"] for entry in pbx.board.record.entries if entry.what == "advised"]


async def test_adviser(tmp_path: Path) -> None:
    board = Switchboard(
        ["101", "102", "103"], style="adviser", no_server_us=None,
        on_ring=habits(x101=[()], x102=[[(SECOND // 10, "decline")]], x103=[[(SECOND // 10, "answer")]]),
        on_talk=lambda call, leg, now: [(SECOND // 2, "caller_hangs_up")],
    )  # fmt: skip
    async with office(tmp_path, board, terms={"ring_s": 0.6, "min_offer_s": 0.1}) as (server, pbx):
        pbx.post.repeat = 2  # each question three times under one id: the same words, and the chain does not move
        call = pbx.call_in(LINE, CALLER)
        await until(lambda: isinstance(state(server, call), Ended) and pbx.board.quiet() and not pbx.post.undelivered())
        ended = state(server, call)
        assert (ended.end.outcome, ended.end.person) == (Outcome.ANSWERED, "vera")
        assert [(hop.person, str(hop.how)) for hop in ended.file.hops] == [
            ("anna", "no_answer"), ("boris", "declined"), ("vera", "None"),
        ]  # fmt: skip
        assert [one["legs"][0]["extension"] for one in advice(pbx)] == ["101", "102", "103"]
        assert {one["ring_ms"] for one in advice(pbx)} == {600}
        assert not [entry for entry in board.record.entries if entry.what == "advice_differs"]
        assert asked(pbx) == []
        assert [ring.extension for ring in board.record.stories[call].rings] == ["101", "102", "103"]


async def test_an_adviser_is_told_the_same_after_a_restart(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks/pbx/office"
    board = Switchboard(["101", "102", "103"], style="adviser", no_server_us=None)
    async with PbxServer(board, server_url=url, secret=SECRET) as pbx:
        settings: dict[str, Any] = {"command_url": pbx.command_url, "style": "adviser", "look_every_s": 0.2}
        async with served(tmp_path / "data", port, **settings):
            call = pbx.call_in(LINE, CALLER)
            await until(lambda: board.advice)
        (first,) = board.advice.values()
        async with served(tmp_path / "data", port, **settings) as server:
            before = len(board.record.stories[call].rings)
            for told in [pbx_told(board, call)]:
                pbx.post.send(told)  # the same question, as if its answer had been lost
            await until(lambda: not pbx.post.undelivered())
            assert list(board.advice.values()) == [first]
            assert not [entry for entry in board.record.entries if entry.what == "advice_differs"]
            assert len(board.record.stories[call].rings) == before == 1
            assert [hop.person for hop in state(server, call).rings] == ["anna"]


def pbx_told(board: Switchboard, call: str) -> Any:
    """The first question of the call once more, under its own id."""
    from simulators.pbx import Told  # noqa: PLC0415 - only this play tells by hand

    (fact,) = board.advice
    return Told(fact, call, {"type": "advice.asked", "call": call, "line": LINE, "caller": CALLER}, 0)


async def test_an_adviser_whose_window_is_over_serves_the_client_by_its_own_plan(tmp_path: Path) -> None:
    board = Switchboard(["101", "102"], style="adviser", no_server_us=None)
    terms = {"ring_s": 0.4, "window_s": 1.2, "min_offer_s": 0.2}
    async with office(tmp_path, board, terms=terms) as (server, pbx):
        call = pbx.call_in(LINE, CALLER)
        await until(lambda: board.record.stories[call].fallback)
        assert advice(pbx)[-1] == {"do": "fallback"}
        pbx.hang_up(call)
        await until(lambda: isinstance(state(server, call), Ended))
        assert state(server, call).end.outcome is Outcome.FALLBACK_MISSED
        assert isinstance(state(server, call, "callback"), Open)
        assert asked(pbx) == []


@pytest.mark.parametrize("commands", ["callback", "none"])
async def test_witness(tmp_path: Path, commands: str) -> None:
    board = Switchboard(
        ["101", "102", "777"], style="witness", hunt=["777", "101", "102"], hunt_ms=300, no_server_us=None,
        on_ring=habits(x102=[[(SECOND // 10, "answer")]]),
        on_talk=lambda call, leg, now: [(SECOND, "hang_up")],
    )  # fmt: skip
    more: dict[str, Any] = {"commands": "none", "command_url": None} if commands == "none" else {}
    async with office(tmp_path, board, owns_timer="none", **more) as (server, pbx):
        call = pbx.call_in(LINE, CALLER)
        await until(lambda: isinstance(state(server, call), Talking))
        assert state(server, call).end.person == "boris"
        await until(lambda: isinstance(state(server, call), Ended) and not pbx.post.undelivered())
        ended = state(server, call)
        assert (ended.end.outcome, ended.end.person) == (Outcome.ANSWERED, "boris")
        assert [(hop.person, hop.extension) for hop in ended.file.hops] == [
            ("", "777"), ("anna", "101"), ("boris", "102"),
        ]  # fmt: skip
        assert asked(pbx) == []
        cards = await server.engine.store.find("callback", final=False, newest=10)
        assert not list(cards)


async def test_a_witness_that_reached_nobody(tmp_path: Path) -> None:
    board = Switchboard(["101", "102"], style="witness", hunt=["101", "102"], hunt_ms=200, no_server_us=None)
    async with office(tmp_path, board) as (server, pbx):
        call = pbx.call_in(LINE, CALLER)
        await until(lambda: board.record.stories[call].fallback)
        pbx.hang_up(call)
        await until(lambda: isinstance(state(server, call), Ended))
        assert state(server, call).end.outcome is Outcome.FALLBACK_MISSED
        assert isinstance(state(server, call, "callback"), Open)


async def test_a_conductor_behind_nat(tmp_path: Path) -> None:
    """Commands are fetched; every answer to some of them is lost, so they come again; nobody rings twice."""
    board = Switchboard(
        ["101", "102", "103"], no_server_us=None,
        on_ring=habits(x102=[[(SECOND // 10, "answer")]]),
        on_talk=lambda call, leg, now: [(SECOND // 2, "caller_hangs_up")],
    )  # fmt: skip
    terms = {"ring_s": 3, "min_offer_s": 1}
    async with office(tmp_path, board, polls=True, terms=terms, answer_within_s=0.5) as (server, pbx):
        await until(lambda: server.switches[0].visible)
        pbx.fetcher.answers_lost = 2
        call = pbx.call_in(LINE, CALLER)
        await until(lambda: isinstance(state(server, call), Ended) and not pbx.post.undelivered())
        ended = state(server, call)
        assert (ended.end.outcome, ended.end.person) == (Outcome.ANSWERED, "boris")
        story = board.record.stories[call]
        assert [ring.extension for ring in story.rings] == ["101", "102"]
        for leg in {ring.leg for ring in story.rings}:
            names = [order["command"] for _, order in pbx.fetcher.fetched if order.get("leg") == leg]
            assert names[0] == "ring"


async def test_a_server_that_dies_and_a_pbx_that_forgets_its_position(tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/webhooks/pbx/office"
    board = Switchboard(
        ["101", "102", "103"], no_server_us=None, on_ring=habits(x101=[[(4 * SECOND, "answer")]]),
        on_talk=lambda call, leg, now: [(SECOND // 2, "hang_up")],
    )  # fmt: skip
    settings: dict[str, Any] = {"commands": "poll", "look_every_s": 0.2, "answer_within_s": 0.5}
    terms = {"ring_s": 20}
    async with PbxServer(board, server_url=url, secret=SECRET, polls=True) as pbx:
        async with served(tmp_path / "data", port, terms, **settings):
            call = pbx.call_in(LINE, CALLER)
            await until(lambda: board.record.stories[call].rings)
        await pbx.vanish()
        await pbx.appear()  # a PBX that was restarted begins without a position
        async with served(tmp_path / "data", port, terms, **settings) as server:
            await until(lambda: isinstance(state(server, call), Ended) and not pbx.post.undelivered())
            ended = state(server, call)
            assert (ended.end.outcome, ended.end.person) == (Outcome.ANSWERED, "anna")
            assert [ring.extension for ring in board.record.stories[call].rings] == ["101"]
