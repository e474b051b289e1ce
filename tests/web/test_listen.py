"""A recording is heard by whoever has a card of its call, and by the duty page; by nobody else."""

import asyncio
from pathlib import Path
from urllib.parse import quote

from router.chains.events import RecordingKept, RecordingStarted, TalkHeld, TalkStarted, TalkTransferred, Transfer
from tests.web.played import PATIENCE_S, PBX, Played

SOUND = b"RIFF" + bytes(range(100))
NAME = "hopline-c1"


async def recorded(company: Played, folder: Path) -> str:
    """Anna talked, passed the client on to Boris, and it was recorded; the chain."""
    (folder / "recordings" / PBX).mkdir(parents=True)
    (folder / "recordings" / PBX / f"{NAME}.wav").write_bytes(SOUND)
    await company.rings("c1")
    await company.talks("c1")
    await company.tell("c1", RecordingStarted(NAME))
    await company.tell("c1", TalkTransferred(Transfer.ATTENDED, "x1", "102"))
    await company.over("c1")
    await company.tell("c1", RecordingKept(NAME, len(SOUND)))
    for audience in ("person:boris", "person:anna"):
        await shown_with_recording(company, audience)
    return f"call:{PBX}:c1"


async def shown_with_recording(company: Played, audience: str) -> None:
    """Wait until a card of this audience names the recording: cards follow the facts a moment later."""
    async with asyncio.timeout(PATIENCE_S):
        with company.desk.inbox.watch(audience) as watch:
            while not any("recording" in card.face.params for card in await company.desk.inbox.cards(audience)):
                await watch.changed.wait()
                watch.changed.clear()


async def test_both_who_talked_have_a_player(company: Played, tmp_path: Path) -> None:
    chain = await recorded(company, tmp_path)
    for person, card in (("boris", "verdict"), ("anna", "passed-anna")):
        page = company.address(person)
        address = f"{page}/recording?card={quote(f'{chain}/{card}')}"
        async with company.client.get(page) as response:
            assert f'src="{address}"' in await response.text()
            assert "media-src 'self'" in response.headers["Content-Security-Policy"]
        async with company.client.get(address) as response:
            assert (response.status, await response.read()) == (200, SOUND)
            assert response.headers["Content-Type"] == "audio/wav"
            assert "no-store" in response.headers["Cache-Control"]
        async with company.client.get(address, headers={"Range": "bytes=4-7"}) as response:
            assert (response.status, await response.read()) == (206, SOUND[4:8])


async def test_nobody_else(company: Played, tmp_path: Path) -> None:
    chain = await recorded(company, tmp_path)
    card = quote(f"{chain}/verdict")
    for page in (company.address("vera"), company.address("anna"), "/inbox/forged"):
        async with company.client.get(f"{page}/recording?card={card}") as response:
            assert response.status == 404, page
    async with company.client.get(f"{company.address('duty', 'duty')}/recording?card={card}") as response:
        assert response.status == 200


async def test_no_card_no_file_no_way_out_of_the_folder(company: Played, tmp_path: Path) -> None:
    await company.rings("c1")
    await company.talks("c1")
    await company.tell("c1", RecordingStarted("../../journal"))
    await company.over("c1")
    await company.tell("c1", RecordingKept("../../journal", 1))
    await shown_with_recording(company, "person:anna")
    card = quote(f"call:{PBX}:c1/verdict")
    (tmp_path / "recordings" / PBX).mkdir(parents=True)
    (tmp_path / "journal.wav").write_bytes(SOUND)
    page = company.address("anna")
    for asked in (card, "", "no-such-card"):
        async with company.client.get(f"{page}/recording?card={asked}") as response:
            assert response.status == 404


async def test_the_live_page_shows_hold_and_transfer(company: Played) -> None:
    await company.rings("c1")
    await company.talks("c1")
    await company.tell("c1", TalkHeld("c1.h1"))
    assert await shown(company) == ("on_hold", "Анна Смирнова", [])
    await company.tell("c1", TalkTransferred(Transfer.BLIND, "x1", "102"))
    assert await shown(company) == ("transferring", "Борис Котов", [("Анна Смирнова", "Борис Котов", False)])
    async with company.client.get("/") as response:
        assert "Перевод" in await response.text()
    await company.tell("c1", TalkStarted("x1", "102"))
    assert await shown(company) == ("talking", "Борис Котов", [("Анна Смирнова", "Борис Котов", False)])


async def shown(company: Played) -> tuple[str, str, list[tuple[str, str, bool]]]:
    """State, person, transfers of the only live call."""
    async with company.client.get("/api/v1/calls") as response:
        (view,) = (await response.json())["calls"]
    return view["state"], view["person"], [(one["name"], one["to"], one["lost"]) for one in view["passed"]]
