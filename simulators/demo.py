"""The demonstration office: a played PBX over real HTTP, people who answer, ignore and decline, clients who call.

Everything between the two is the real server: signed webhooks in, signed commands out, journal, inbox, pages. It keeps
to real pace and to a data folder of its own, and says on every page that it is a demonstration.
"""

import asyncio
import base64
import os
import random
import secrets
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import aiohttp
import typer

from router.basis.people import Chain, Directory, Line, Person
from router.chains.roster import ROSTER
from router.chat_notify.buttons import Signer
from simulators.pbx.http import PbxServer
from simulators.pbx.phones import SECOND_US, Call, Deed, Deeds, Leg, Outcome, Phone
from simulators.pbx.switchboard import Switchboard

PBX = "office"


class Actor(NamedTuple):
    """One head of sales and his habits."""

    id: str
    name: str
    extension: str
    answers: float
    """How often he answers a ring; the same scale for `declines`; else he lets it ring."""
    declines: float
    after_s: tuple[float, float]
    """Soonest and latest, seconds."""


PEOPLE = (
    Actor("anna", "Анна Лебедева", "101", 0.45, 0.05, (2.0, 7.0)),
    Actor("boris", "Борис Ким", "102", 0.30, 0.25, (1.5, 6.0)),
    Actor("vera", "Вера Ольховская", "103", 0.40, 0.05, (3.0, 7.5)),
    Actor("gleb", "Глеб Сафин", "104", 0.35, 0.10, (2.0, 7.0)),
    Actor("darya", "Дарья Юн", "105", 0.50, 0.05, (1.5, 5.0)),
)

LINES = (
    ("+74950000001", "Яндекс Директ", "Реклама в поиске"),
    ("+74950000002", "Карты и справочники", "Карточка на картах"),
    ("+78120000003", "Наружная реклама", "Щит у вокзала"),
)


def directory() -> Directory:
    """People, lines and the one chain of the office."""
    return Directory(
        people=tuple(Person(actor.id, actor.name, (actor.extension,)) for actor in PEOPLE),
        lines=tuple(Line(number, "sales", channel, title) for number, channel, title in LINES),
        chains=(Chain("sales", tuple(actor.id for actor in PEOPLE), "Отдел продаж"),),
    )


class Habits:
    """What the people of the office do with a ringing phone."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._people = {actor.extension: actor for actor in PEOPLE}

    def on_ring(self, phone: Phone, leg: Leg, now: int) -> Deeds:
        """Answers, declines or lets it ring."""
        actor = self._people[phone.extension]
        fate = self._dice.random()
        if fate >= actor.answers + actor.declines:
            return ()
        deed: Deed = "answer" if fate < actor.answers else "decline"
        return [(round(self._dice.uniform(*actor.after_s) * SECOND_US), deed)]

    def on_talk(self, call: Call, leg: Leg, now: int) -> Deeds:
        """Talks for a quarter of a minute to a minute; mostly the client hangs up."""
        who: Deed = "caller_hangs_up" if self._dice.random() < 0.6 else "hang_up"
        return [(round(self._dice.uniform(12, 60) * SECOND_US), who)]

    def on_fallback(self, call: Call, now: int) -> Outcome:
        """The PBX's own plan: a message is played."""
        return Outcome(after_us=8 * SECOND_US)


async def clients(board: Switchboard, pbx: PbxServer, dice: random.Random, every_s: float) -> None:
    """Clients call, some in twos and threes, some with little patience."""
    while True:
        for _ in range(dice.choices((1, 2, 3), (8, 3, 1))[0]):
            line = dice.choice(LINES)[0]
            caller = f"+7999000{dice.randrange(10_000):04}"
            patience = dice.choices((None, dice.uniform(6, 35)), (3, 1))[0]
            board.call_in(
                pbx.now(), line, caller, patience_us=None if patience is None else round(patience * SECOND_US)
            )
            pbx.moved()
            await asyncio.sleep(dice.uniform(0.3, 2.5))
        await asyncio.sleep(dice.expovariate(1 / every_s))


async def say_here(links: Mapping[str, str], signer: Signer, dice: random.Random) -> None:
    """Heads who were asked whether they are there, or paused, come back to their inboxes now and then and say so."""
    async with aiohttp.ClientSession() as browser:
        while True:
            await asyncio.sleep(dice.uniform(6, 14))
            person, link = dice.choice(list(links.items()))
            card = f"{ROSTER}/here-{person}"
            press = {"proof": signer.form(link.rsplit("/", 1)[-1]), "card": card, "button": "here"}
            with suppress(aiohttp.ClientError):  # the office is being closed
                async with browser.post(f"{link}/press", data=press, allow_redirects=False):
                    pass


def _document(host: str, port: int, data: Path, command_url: str, public_url: str) -> dict[str, Any]:
    return {
        "server": {"host": host, "port": port, "data": str(data), "public_url": public_url, "log": "text"},
        "pbx": {PBX: {"kind": "webhook", "command_url": command_url}},
    }


async def _office(host: str, port: int, data: Path, seed: int, every_s: float) -> None:
    from router.cli import serve_until_stopped  # noqa: PLC0415 - only the running demonstration needs the server
    from router.config import config_of  # noqa: PLC0415
    from router.web import personal_link  # noqa: PLC0415

    dice = random.Random(seed)
    key = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
    os.environ[f"HOPLINE_PBX_{PBX.upper()}_SECRETS"] = key
    os.environ.setdefault("HOPLINE_SECRET", _kept_secret(data))
    habits = Habits(dice)
    board = Switchboard(
        [actor.extension for actor in PEOPLE],
        on_ring=habits.on_ring,
        on_talk=habits.on_talk,
        on_fallback=habits.on_fallback,
        name=f"demo{secrets.token_hex(3)}",
    )
    server_url = f"http://{'127.0.0.1' if host in ('0.0.0.0', '') else host}:{port}"
    async with PbxServer(board, server_url=f"{server_url}/webhooks/pbx/{PBX}", secret=key) as pbx:
        config = config_of(_document(host, port, data, pbx.command_url, server_url), demo=True)
        inboxes = {actor.id: personal_link(server_url, config.secret, actor.id) for actor in PEOPLE}
        links = [(actor.name, inboxes[actor.id]) for actor in PEOPLE]
        _greet(server_url, [("Дежурный канал", personal_link(server_url, config.secret, "duty")), *links])
        traffic = asyncio.create_task(clients(board, pbx, dice, every_s))
        presence = asyncio.create_task(say_here(inboxes, Signer(config.secret), random.Random(seed)))
        try:
            await serve_until_stopped(config, directory())
        finally:
            traffic.cancel()
            presence.cancel()


def _kept_secret(data: Path) -> str:
    """The secret of an earlier demonstration in this folder, so that its links stay good; else a new one."""
    path = data / "secret"
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32), encoding="ascii")
    return path.read_text(encoding="ascii")


def _greet(url: str, links: Sequence[tuple[str, str]]) -> None:
    lines = [
        "",
        "Hopline: demonstration office / демонстрационный офис",
        "",
        f"  live / эфир               {url}/",
        *(f"  inbox / чат  {name:12} {link}" for name, link in links),
        "",
        "  Ctrl-C ends it.",
        "",
    ]
    sys.stderr.write("\n".join(lines) + "\n")
    sys.stderr.flush()


def demo(
    port: Annotated[int, typer.Option(help="port of the pages")] = 8080,
    host: Annotated[str, typer.Option(help="address of the pages")] = "127.0.0.1",
    data: Annotated[Path, typer.Option(help="data folder of the demonstration")] = Path("data/demo"),
    every: Annotated[float, typer.Option(help="seconds between clients, on average")] = 18.0,
    seed: Annotated[int, typer.Option(help="the same seed, the same people")] = 1,
    fresh: Annotated[bool, typer.Option(help="forget what an earlier demonstration left")] = False,
) -> None:
    """Open the demonstration office: a played PBX, people and clients around the real server."""
    from router.logs import set_up  # noqa: PLC0415

    if fresh and data.exists():
        shutil.rmtree(data)
    data.mkdir(parents=True, exist_ok=True)
    set_up("text", level=30)
    asyncio.run(_office(host, port, data, seed, every))
