"""The live page and its stream: what is committed is seen, nobody's number is, and the figures add up."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from router.basis.people import Chain, Directory, Line, Person
from router.chains.events import CallerHungUp, DeviceSeen, Disposition, VerdictGiven, WentAway
from router.chains.roster import ROSTER
from router.engine.core import Admission
from router.web import board
from tests.web.played import CALLER, LINE, Played, played
from tests.web.streams import reading


async def api(company: Played, what: str = "calls") -> dict[str, Any]:
    response = await company.client.get(f"/api/v1/{what}")
    assert response.status == 200
    said: dict[str, Any] = await response.json()
    return said


async def live_call(company: Played) -> dict[str, Any]:
    [call] = (await api(company))["calls"]
    return dict(call)


async def test_a_call_is_seen_from_ring_to_verdict(company: Played) -> None:
    async with reading(company.client, "/events?lang=ru") as page:
        await page.next()
        assert page.sections["calls"] == {}
        await company.rings("c1")
        await page.until(lambda seen: "Звоним:" in seen["calls"].get("call:office:c1", ""))
        card = page.sections["calls"]["call:office:c1"]
        assert "Анна Смирнова" in card
        assert "Отдел продаж · Яндекс Директ" in card
        assert "rung" in page.sections["people"]["anna"]
        await company.hop_ends("c1", 1, Disposition.DECLINED)
        await page.until(lambda seen: "отклонён" in seen["calls"]["call:office:c1"])
        await company.talks("c1", 2)
        await page.until(lambda seen: "Разговор:" in seen["calls"]["call:office:c1"])
        assert "talk" in page.sections["people"]["boris"]
        await company.over("c1")
        await page.until(lambda seen: not seen["calls"] and "call:office:c1" in seen["ended"])
        assert "без отметки" in page.sections["ended"]["call:office:c1"]
        await company.engine.admit([Admission("call:office:c1", VerdictGiven("boris", "spam"), "person:boris")])
        await page.until(lambda seen: "спам" in seen["ended"]["call:office:c1"])


async def test_only_what_changed_is_sent(company: Played) -> None:
    await company.rings("c1")
    async with reading(company.client, "/events") as page:
        first = await page.next()
        assert set(first["sections"]) == {"health", "figures", "people", "calls", "callbacks", "ended"}
        await company.rings("c2")
        await page.until(lambda seen: "call:office:c2" in seen["calls"])
        patch = page.patches[-1]["sections"]
        assert "health" not in patch
        assert list(patch["calls"]["order"]) == ["call:office:c1", "call:office:c2"]
        assert set(patch["people"]["html"]) == {"boris"}


async def test_a_page_that_connects_again_gets_everything(company: Played) -> None:
    await company.rings("c1")
    for _ in range(2):
        async with reading(company.client, "/events") as page:
            await page.next()
            assert "call:office:c1" in page.sections["calls"]


async def test_nothing_is_seen_before_its_commit(company: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, gate = company.engine.store.commit, asyncio.Event()

    async def held(batch: object) -> None:
        await gate.wait()
        await commit(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(company.engine.store, "commit", held)
    ringing = asyncio.create_task(company.rings("c1"))
    await asyncio.sleep(0)
    assert (await api(company))["calls"] == []
    gate.set()
    await ringing
    assert (await live_call(company))["id"] == "call:office:c1"


async def test_the_live_page_masks_every_number(company: Played) -> None:
    await company.rings("c1")
    await company.rings("c2")
    await company.gives_up("c2")
    await company.rings("c3")
    await company.talks("c3", 1)
    await company.over("c3")
    page = await (await company.client.get("/")).text()
    said = json.dumps([await api(company), await api(company, "callbacks")])
    for text in (page, said):
        assert "+7***22" in text
        assert CALLER not in text
        assert "999 000" not in text
        assert "t_" not in text, "a token says that two calls are one client's"


async def test_the_figures_add_up(company: Played) -> None:
    await company.rings("c1")
    for call in ("c2", "c3"):
        await company.rings(call)
        await company.gives_up(call)
    await company.rings("c4")
    await company.talks("c4")
    await company.over("c4")
    figures = (await api(company))["figures"]
    assert {name: figures[name] for name in ("calls", "answered", "missed", "live", "callbacks")} == {
        "calls": 4, "answered": 1, "missed": 2, "live": 1, "callbacks": 2,
    }  # fmt: skip
    assert figures["answer_after"] > 0
    assert [debt["why"] for debt in (await api(company, "callbacks"))["callbacks"]] == ["caller_left"] * 2


async def test_the_plan_is_what_would_happen(company: Played) -> None:
    await company.rings("c1")
    hops = (await live_call(company))["hops"]
    assert [(hop["name"], hop["how"]) for hop in hops] == [
        ("Анна Смирнова", "ringing"),
        ("Борис Котов", "planned"),
        ("Вера Лис", "planned"),
        ("Анна Смирнова", "planned"),
        ("Борис Котов", "planned"),
    ]
    starts = [hop["start"] - hops[0]["start"] for hop in hops]
    assert starts == [0, 8_000_000, 16_000_000, 24_000_000, 32_000_000]


async def test_a_call_that_waits_says_for_whom(company: Played) -> None:
    for call in ("c1", "c2", "c3", "c4"):
        await company.rings(call)
    last = (await api(company))["calls"][-1]
    assert (last["state"], last["waits_for"]) == ("waiting", ["Анна Смирнова", "Борис Котов", "Вера Лис"])
    page = await (await company.client.get("/")).text()
    assert "Клиент ждёт свободного РОПа" in page


async def test_an_unknown_answerer_is_said_to_be_unknown(company: Played) -> None:
    await company.rings("c1")
    await company.talks("c1", extension="777")
    page = await (await company.client.get("/")).text()
    assert "внутренний 777" in page
    call = await live_call(company)
    assert call["person"] == ""
    assert [(hop["name"], hop["how"]) for hop in call["hops"]] == [("Анна Смирнова", "elsewhere")]


async def test_what_each_head_does(company: Played) -> None:
    await company.rings("c1")
    await company.engine.admit([
        Admission(ROSTER, DeviceSeen("102", reachable=False), "pbx:office"),
        Admission(ROSTER, WentAway("vera", "vera"), "person:vera"),
    ])  # fmt: skip
    people = (await api(company))["people"]
    assert [(person["id"], person["state"]) for person in people] == [
        ("anna", "rung"), ("boris", "unreachable"), ("vera", "away"),
    ]  # fmt: skip


async def test_a_head_whose_ring_is_not_over_yet_is_not_said_to_be_free(company: Played) -> None:
    await company.rings("c1")
    await company.tell("c1", CallerHungUp())
    assert (await api(company))["people"][0]["state"] == "clearing"
    await company.hop_ends("c1", 1, Disposition.CANCELLED)
    assert (await api(company))["people"][0]["state"] == "free"


async def test_without_claims_the_heads_are_seen_all_the_same(tmp_path: Path) -> None:
    people = Directory(
        (Person("anna", "Анна", ("101",)),),
        (Line(LINE, "sales"),),
        (Chain("sales", ("anna",), terms={"offers_per_person": 0}),),
    )
    async with played(tmp_path, people=people) as company:
        await company.rings("c1")
        assert (await api(company))["people"][0]["state"] == "rung"


async def test_sight_of_the_pbx_and_the_journal_are_said_aloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board, "LOOK_S", 0.02)
    async with played(tmp_path) as company, reading(company.client, "/events?lang=ru") as page:
        await page.next()
        assert "АТС видна" in page.sections["health"]["health"]
        company.engine.out_of_sight("pbx:office")
        await page.until(lambda seen: "АТС не видна" in seen["health"]["health"])
        company.engine.in_sight("pbx:office")
        company.engine.writable = False
        await page.until(lambda seen: "журнал не пишется" in seen["health"]["health"])


async def test_after_a_restart_the_page_is_as_it_was(tmp_path: Path) -> None:
    async with played(tmp_path) as company:
        await company.rings("c1")
        await company.gives_up("c1")
        await company.rings("c2")
        await company.talks("c2")
        await company.over("c2")
        await company.rings("c3")
        before = await api(company)
    async with played(tmp_path) as company:
        after = await api(company)
        for what in ("figures", "calls", "ended"):
            assert after[what] == before[what], what
        assert len((await api(company, "callbacks"))["callbacks"]) == 1


async def test_many_calls_are_counted_not_drawn(company: Played) -> None:
    for number in range(45):
        await company.rings(f"c{number}")
    said = await api(company)
    assert (len(said["calls"]), said["calls_more"]) == (40, 5)
    assert "и ещё 5" in await (await company.client.get("/")).text()


async def test_an_orderly_stop_does_not_wait_for_open_pages(tmp_path: Path) -> None:
    async with asyncio.timeout(20), played(tmp_path) as company:
        response = await company.client.get("/events")
        assert await response.content.readline()
        await company.client.server.close()
