"""Headers, languages, escapes, the demonstration's banner, and a log without secrets."""

import re
from pathlib import Path

import pytest
import structlog
from aiohttp.test_utils import make_mocked_request
from aiohttp.web import Response

from router.basis.people import Chain, Directory, Line, Person
from router.engine.store.port import StoreUnavailable
from router.web.access import AccessLog, safe_path
from tests.web.played import LINE, Played, played
from tests.web.streams import reading

EVIL = """<script>alert(1)</script>"' onload=x {{7*7}}"""


def pages(company: Played) -> list[str]:
    return [
        "/",
        company.address("anna"),
        company.address("duty", "duty"),
        "/api/v1/calls",
        "/api/v1/callbacks",
        "/inbox/none",
    ]


async def test_every_page_carries_the_headers(company: Played) -> None:
    streams = ["/events", company.address("anna") + "/events"]
    for path in [*pages(company), *streams]:
        async with company.client.get(path) as response:
            headers = response.headers
            policy = headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            assert "frame-ancestors 'none'" in policy
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Cache-Control"] == "no-store"


async def test_no_page_needs_anybody_else_or_anything_inline(company: Played) -> None:
    await company.rings("c1")
    for path in pages(company)[:3]:
        page = await (await company.client.get(path)).text()
        assert not re.search(r"(src|href|action)=\"(https?:)?//", page)
        assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)


async def test_assets_may_be_kept_for_ever_under_their_own_name_only(company: Played) -> None:
    page = await (await company.client.get("/")).text()
    addresses = re.findall(r'"(/static/[^"]+)"', page)
    assert len(addresses) == 3
    for address in addresses:
        response = await company.client.get(address)
        assert response.status == 200
        assert "immutable" in response.headers["Cache-Control"]
        other = await company.client.get(address.partition("?")[0])
        assert other.headers["Cache-Control"] == "no-cache"
        assert "http" not in (await response.text()).replace("http://www.w3.org/2000/svg", "")
    assert (await company.client.get("/static/../desk.py")).status == 404
    assert (await company.client.get("/static/__init__.py")).status == 404


async def test_russian_first_english_on_demand_and_remembered(company: Played) -> None:
    assert "Сейчас никто не звонит." in await (await company.client.get("/")).text()
    response = await company.client.get("/?lang=en")
    assert "Nobody is calling right now." in await response.text()
    cookie = response.cookies["hopline_lang"]
    assert (cookie.value, cookie["httponly"], cookie["samesite"]) == ("en", True, "Lax")
    assert "Nobody is calling right now." in await (await company.client.get("/")).text()
    assert "My calls" in await (await company.client.get(company.address("anna"))).text()
    assert '<html lang="ru">' in await (await company.client.get("/?lang=ru")).text()
    assert '<html lang="ru">' in await (await company.client.get("/?lang=zz")).text()


async def test_english_pages_hold_no_russian_words_of_ours(company: Played) -> None:
    await company.rings("c1")
    await company.talks("c1")
    await company.card("person:anna", "verdict_asked")
    own = {"Анна", "Смирнова", "Борис", "Котов", "Вера", "Лис", "Отдел", "продаж", "Яндекс", "Директ", "Рус"}
    for path in pages(company)[:3]:
        page = await (await company.client.get(path + "?lang=en")).text()
        assert set(re.findall(r"[А-Яа-яЁё]+", page)) <= own


async def test_the_demonstration_says_so_on_every_page(tmp_path: Path) -> None:
    async with played(tmp_path / "demo", demo=True) as company:
        for path in [*pages(company)[:3], "/inbox/none"]:
            assert "ДЕМО" in await (await company.client.get(path)).text()
    async with played(tmp_path / "real") as company:
        assert "ДЕМО" not in await (await company.client.get("/")).text()


async def test_names_and_numbers_are_text_never_markup(tmp_path: Path) -> None:
    people = Directory(
        (Person("anna", EVIL, ("101",)),), (Line(LINE, "sales", EVIL, EVIL),), (Chain("sales", ("anna",)),)
    )
    async with played(tmp_path, people=people) as company:
        await company.rings("c1", EVIL)
        await company.rings("c2", EVIL, line=EVIL)
        await company.gives_up("c2")
        await company.talks("c1", extension=EVIL)
        await company.card("duty", "unknown_answerer")
        for path in pages(company)[:3]:
            page = await (await company.client.get(path)).text()
            assert "<script>alert" not in page
            assert "onload=x" not in re.sub(r"&#39; onload=x|&quot;&#39; onload=x", "", page)
            assert "{{7*7}}" in page or path == company.address("anna")
        async with reading(company.client, company.address("duty", "duty") + "/events") as stream:
            await stream.next()
            assert not any("<script" in html for html in stream.sections["cards"].values())


async def test_while_the_journal_cannot_be_read_the_page_says_so(
    company: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(sql: str, parameters: object = ()) -> None:
        raise StoreUnavailable("gone")

    with monkeypatch.context() as patched:
        patched.setattr(company.engine.store, "select", gone)
        response = await company.client.get(company.address("anna"))
        assert response.status == 503
        assert "Ничего не потеряно" in await response.text()


async def test_a_new_card_comes_to_the_open_inbox_by_itself(company: Played) -> None:
    async with reading(company.client, company.address("anna") + "/events?lang=ru") as page:
        await page.next()
        assert page.sections["cards"] == {}
        await company.rings("c1")
        await company.talks("c1")
        await page.until(lambda seen: len(seen["cards"]) == 1)
        card = page.sections["cards"]["call:office:c1/verdict"]
        assert "Реальный клиент или спам?" in card
        assert 'href="tel:+79990001122"' in card, "who answered must be able to call back"


async def test_an_open_call_back_is_never_too_old_for_the_duty_page(
    company: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.rings("old")
    await company.gives_up("old")
    await company.card("duty", "callback_open")
    newest = company.desk.inbox.cards

    async def few(audience: str, limit: int = 0) -> object:
        return await newest(audience, limit)

    monkeypatch.setattr(company.desk.inbox, "cards", few)
    page = await (await company.client.get(company.address("duty", "duty"))).text()
    assert "Перезвоните клиенту" in page


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/inbox/WyJhbm5h.c2ln", "/inbox/***"),
        ("/inbox/WyJhbm5h.c2ln/press", "/inbox/***/press"),
        ("/duty/WyJhbm5h.c2ln/events?lang=ru", "/duty/***/events"),
        ("/?lang=ru", "/"),
        ("/static/page.css?v=1", "/static/page.css"),
    ],
)
def test_a_log_line_holds_no_link(path: str, safe: str) -> None:
    assert safe_path(path) == safe


def test_the_access_log_masks() -> None:
    with structlog.testing.capture_logs() as lines:
        request = make_mocked_request("GET", "/inbox/WyJhbm5h.c2ln?said=marked")
        AccessLog(None, "").log(request, Response(status=200), 0.0123)  # type: ignore[arg-type]
    assert [(line["path"], line["status"], line["ms"]) for line in lines] == [("/inbox/***", 200, 12.3)]
