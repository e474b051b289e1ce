"""A head with a browser: the call hops on the wall, the card comes by itself, marks and corrections are answered.

Debian's Chromium (scripts/install-browser.sh), driven by Playwright; the server, engine, journal and machines are real.
"""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from router.chains.events import Disposition
from router.web.streams import end_streams
from tests.support.left_out import leave_out
from tests.web.played import Played, played

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PATIENCE_MS = 30_000
"""A noisy machine of two cores must not fail a good page."""


@dataclass
class Desktop:
    """A browser on a head's desk, which notes what goes wrong in its pages and whom they ask."""

    browser: Browser
    company: Played
    wrong: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    @property
    def base(self) -> str:
        """The server."""
        return f"http://127.0.0.1:{self.company.client.server.port}"

    async def open(self, path: str, *, script: bool = True, language: str = "ru") -> Page:
        """A page in a window of its own."""
        context: BrowserContext = await self.browser.new_context(java_script_enabled=script)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("console", lambda line: self.wrong.append(line.text) if line.type == "error" else None)
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        await page.goto(f"{self.base}{path}?lang={language}")
        return page


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desktop]:
    program = shutil.which("chromium")
    if program is None:
        leave_out("Chromium is not installed: run scripts/install-browser.sh as root")
    # Chromium refuses to sandbox itself under root; /dev/shm is small in containers.
    arguments = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    async with played(folder) as company, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=arguments)
        desktop = Desktop(browser, company)
        try:
            yield desktop
        finally:
            await browser.close()
        assert desktop.wrong == [], "errors in the page (a breach of the content policy is one)"
        assert desktop.hosts == {desktop.base.removeprefix("http://")}, "a page asked somebody else"


@pytest.fixture(autouse=True)
def patience() -> None:
    expect.set_options(timeout=PATIENCE_MS)


async def test_from_the_ring_to_a_corrected_verdict(tmp_path: Path) -> None:
    async with desk(tmp_path) as desktop:
        company = desktop.company
        wall, inbox = await desktop.open("/"), await desktop.open(company.address("anna"))
        await expect(wall.get_by_text("Сейчас никто не звонит.")).to_be_visible()
        await expect(inbox.get_by_text("Звонков пока нет.")).to_be_visible()

        await company.rings("c1")
        call = wall.locator('[data-key="call:office:c1"]')
        await expect(call).to_contain_text("Звоним: Анна Смирнова")
        await expect(wall.locator(".person", has_text="Анна")).to_contain_text("звонит телефон")

        await company.talks("c1")
        await expect(call).to_contain_text("Разговор: Анна Смирнова")
        card = inbox.locator(".card")
        await expect(card).to_contain_text("Реальный клиент или спам?")
        await expect(card.get_by_role("link", name="+7 999 000-11-22")).to_have_attribute("href", "tel:+79990001122")

        old_page = await desktop.open(company.address("anna"), script=False)
        await card.get_by_role("button", name="Спам", exact=True).click()
        await expect(card.get_by_role("heading")).to_have_text("Отмечено: спам")
        await expect(card.locator("[data-answer]")).to_have_text("Отмечено.")

        await card.get_by_role("button", name="Исправить: это реальный клиент").click()
        await expect(card.get_by_role("heading")).to_have_text("Отмечено: реальный клиент")

        # The old page still offers both buttons: its Spam would overturn a verdict that it has not seen.
        await old_page.get_by_role("button", name="Спам", exact=True).click()
        await expect(old_page.get_by_role("status").first).to_contain_text("Карточка изменилась")
        await expect(old_page.get_by_role("heading", level=2)).to_have_text("Отмечено: реальный клиент")

        await company.over("c1")
        await expect(wall.locator(".ended .row")).to_contain_text("реал")
        history = await company.engine.store.history("call:office:c1")
        assert sum(b'"VerdictGiven"' in record.event for record in history) == 2


async def test_the_countdown_runs_and_the_call_hops(tmp_path: Path) -> None:
    async with desk(tmp_path) as desktop:
        wall = await desktop.open("/")
        await desktop.company.rings("c1")
        left = wall.locator(".call .left")
        first = await left.inner_text()
        assert 1 <= int(first) <= 8
        await expect(left).not_to_have_text(first)
        assert int(await left.inner_text()) < int(first)
        width = await wall.locator("rect.ringing").get_attribute("width")
        assert width is not None
        assert 100 <= float(width) <= 800
        await desktop.company.hop_ends("c1", 1, Disposition.DECLINED)
        await expect(wall.locator(".call")).to_contain_text("Звоним: Борис Котов")
        await expect(wall.locator(".hops .declined")).to_contain_text("Анна Смирнова")


async def test_a_page_whose_stream_broke_catches_up(tmp_path: Path) -> None:
    async with desk(tmp_path) as desktop:
        company = desktop.company
        inbox = await desktop.open(company.address("anna"))
        await expect(inbox.get_by_text("Звонков пока нет.")).to_be_visible()
        assert company.client.app is not None
        await end_streams(company.client.app)
        await company.rings("c1")
        await company.talks("c1")
        await expect(inbox.locator(".card")).to_contain_text("Реальный клиент или спам?")
        await expect(inbox.locator("[data-link]")).to_be_hidden()
        desktop.wrong = [line for line in desktop.wrong if "ERR_INCOMPLETE_CHUNKED_ENCODING" not in line]


async def test_the_duty_page_closes_a_call_back_in_english(tmp_path: Path) -> None:
    async with desk(tmp_path) as desktop:
        company = desktop.company
        duty = await desktop.open(company.address("duty", "duty"), language="en")
        await company.rings("c1")
        await company.gives_up("c1")
        card = duty.locator(".card")
        await expect(card).to_contain_text("Call the client back")
        await card.get_by_role("combobox").select_option(label="wrong number")
        await card.get_by_role("button", name="Close").click()
        await expect(card.get_by_role("heading")).to_have_text("Call-back closed")
        await expect(card).to_contain_text("wrong number")


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
async def test_no_page_is_wider_than_its_screen(tmp_path: Path, width: int) -> None:
    async with desk(tmp_path) as desktop:
        company = desktop.company
        await company.rings("c1", line="+79990000000000000000000000000000000000000000000")
        await company.rings("c2")
        await company.gives_up("c2")
        await company.rings("c3")
        await company.talks("c3", 1)
        for path in ("/", company.address("boris"), company.address("duty", "duty"), "/inbox/none"):
            page = await desktop.open(path)
            await page.set_viewport_size({"width": width, "height": 800})
            over = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, f"{path} is {over} px too wide at {width}"
        desktop.wrong = [line for line in desktop.wrong if "404" not in line]  # the last page is one


async def test_somebody_in_charge_frees_a_head_and_sends_a_call_away(tmp_path: Path) -> None:
    """Without JavaScript and with it: the page of emergency orders is plain forms."""
    async with desk(tmp_path) as desktop:
        company = desktop.company
        await company.rings("c1")
        await company.talks("c1")
        await company.rings("c2")
        duty = await desktop.open(company.address("duty", "duty"), script=False)
        await duty.get_by_role("link", name="Срочные распоряжения").click()
        anna = duty.locator('[data-key="anna"]')
        await anna.get_by_role("button", name="Освободить").click()
        await expect(duty.get_by_role("status")).to_contain_text("Сотрудник свободен")
        await expect(anna.get_by_role("button", name="Освободить")).to_have_count(0)

        live = await desktop.open(f"{company.address('duty', 'duty')}/operations")
        call = live.locator('[data-key="call:office:c2"]')
        await call.get_by_role("button", name="На запасную линию").click()
        await expect(live.get_by_role("status")).to_contain_text("Клиент передан на запасную линию")
        await expect(call.get_by_role("button", name="На запасную линию")).to_have_count(0)
        await call.get_by_role("combobox").select_option(label="проверочный звонок")
        await call.get_by_role("button", name="Завершить звонок").click()
        await expect(live.get_by_role("status")).to_contain_text("Закрыто")
        await expect(call).to_have_count(0)

        await live.get_by_role("button", name="Не принимать новые звонки").click()
        wall = await desktop.open("/")
        await expect(wall.locator(".chip.alarm")).to_contain_text("сервер готовится к остановке")
        for width in (360, 1280):
            await live.set_viewport_size({"width": width, "height": 800})
            over = await live.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert over <= 0, f"{over} px too wide at {width}"
        await live.get_by_role("button", name="Снова принимать звонки").click()
        await expect(wall.locator(".chip.alarm")).to_have_count(0)
        history = await company.engine.store.history("call:office:c1")
        assert b'"HeadFreed","person":"anna","by":"duty"' in history[-1].event
