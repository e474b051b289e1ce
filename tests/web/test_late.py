"""A head who picked up a moment too late takes the caller who still waits, from his page."""

from pathlib import Path

import pytest

from router.basis.people import Chain, Directory, Line
from router.chains.events import LegAnswered
from tests.web.forms import forms
from tests.web.played import LINE, PEOPLE, Played, played
from tests.web.streams import reading

pytestmark = pytest.mark.slow  # an offer of a second is waited out

JSON = {"Accept": "application/json"}

# Short offers, so that the server's own timer passes the call on while the test looks; a window longer than any noise.
BRISK: dict[str, int | str] = {"ring_s": 1, "min_offer_s": 0, "window_s": 120, "no_ringing_after_s": 0}
OFFICE = Directory(PEOPLE.people, (Line(LINE, "sales"),), (Chain("sales", ("anna", "boris", "vera"), terms=BRISK),))


async def too_late(company: Played) -> None:
    """Anna's ring was told to stop when she picks up; the caller waits on."""
    async with reading(company.client, "/events?lang=ru") as wall:
        await wall.next()
        await company.rings("c1")
        await wall.until(lambda seen: "нет ответа" in seen["calls"].get("call:office:c1", ""))
    await company.tell("c1", LegAnswered("c1.h1"))
    await company.card("person:anna", "late")


async def test_take_makes_her_the_next(tmp_path: Path) -> None:
    async with played(tmp_path, people=OFFICE) as company:
        await too_late(company)
        page = await (await company.client.get(company.address("anna"))).text()
        assert "Вы сняли трубку чуть позже" in page
        [form] = forms(page)
        assert form.label == "Взять звонок"
        answers = [await company.client.post(form.action, data=form.fields | {"press": press}, headers=JSON)
                   for press in ("p1", "p1", "p2")]  # fmt: skip
        assert [(await answer.json())["reply"] for answer in answers] == ["next", "next", "already"]


async def test_when_the_caller_is_gone_the_button_is(tmp_path: Path) -> None:
    async with played(tmp_path, people=OFFICE) as company:
        await too_late(company)
        [form] = forms(await (await company.client.get(company.address("anna"))).text())
        await company.gives_up("c1")
        await company.card("person:anna", "late_over")
        page = await (await company.client.get(company.address("anna"))).text()
        assert forms(page) == []
        assert "Клиент вас больше не ждёт" in page
        answer = await company.client.post(form.action, data=form.fields, headers=JSON)
        assert (await answer.json())["reply"] == "too_late"
