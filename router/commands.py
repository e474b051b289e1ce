"""Commands for whoever is in charge of the running server: `do`, `aside`, `quarantine`, `drain`.

They speak to the server over its control socket. Without a server all but `drain` take the writer's lock themselves;
what they ask of a PBX is carried out when the server starts.
"""

import asyncio
import getpass
import json
import logging
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

DataOption = Annotated[Path, typer.Option("--data", help="the data folder of the server")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
ByOption = Annotated[str, typer.Option("--by", help="who orders it; else the user of this machine")]

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]
T = TypeVar("T")

LOOK_S = 0.2
"""Seconds between two looks while a drain is waited for."""


class Order(StrEnum):
    """What `hopline do` can order."""

    FREE = "free"
    PAUSE = "pause"
    RESUME = "resume"
    END = "end"
    FALLBACK = "fallback"


class AsideAct(StrEnum):
    """What `hopline aside` does."""

    LIST = "list"
    SEND_AGAIN = "send-again"
    DROP = "drop"


class QuarantineAct(StrEnum):
    """What `hopline quarantine` does."""

    LIST = "list"
    SHOW = "show"
    DROP = "drop"


def do(
    order: Annotated[Order, typer.Argument(help="what shall be done")],
    target: Annotated[
        str, typer.Argument(help="person id (free, pause, resume), or the call: its id in the PBX, or its chain")
    ],
    reason: Annotated[
        str, typer.Option(help="for end: stuck, test, nuisance, other; for a call-back as on its card")
    ] = "",
    until: Annotated[str, typer.Option(help="for pause: end of the absence, ISO 8601 with a zone")] = "",
    by: ByOption = "",
    data: DataOption = Path("data"),
    as_json: JsonOption = False,
) -> None:
    """Give an emergency order: free a person, pause or resume him, end a call, send it to the PBX's own plan."""
    body = {"verb": order.value, "target": target, "reason": reason, "by": _who(by), "until": _instant(until)}
    _tell(_run(_act(data, body)), as_json=as_json)


def aside(
    act: Annotated[AsideAct, typer.Argument(help="what shall be done")] = AsideAct.LIST,
    effect: Annotated[str, typer.Argument(help="the effect's id, as listed")] = "",
    reason: Annotated[str, typer.Option(help="for drop: done_otherwise, obsolete, other")] = "",
    by: ByOption = "",
    data: DataOption = Path("data"),
    as_json: JsonOption = False,
) -> None:
    """List effects that were given up, send one again, or drop it."""
    if act is AsideAct.LIST:
        found = _run(_read(data, "/aside", {}))["aside"]
        if as_json:
            print(json.dumps(found, ensure_ascii=False))
            return
        for entry in found:
            print(
                f"{entry['id']}\n    {_moment(entry['ordered'])} {entry['effect']} to {entry['lane']}: {entry['why']}"
            )
        print(f"{len(found)} put aside", file=sys.stderr)
        return
    verb = "send_again" if act is AsideAct.SEND_AGAIN else "drop"
    _tell(_run(_act(data, {"verb": verb, "target": effect, "reason": reason, "by": _who(by)})), as_json=as_json)


def quarantine(
    act: Annotated[QuarantineAct, typer.Argument(help="what shall be done")] = QuarantineAct.LIST,
    row: Annotated[str, typer.Argument(help="the row's id, or the first characters of it")] = "",
    by: ByOption = "",
    data: DataOption = Path("data"),
    as_json: JsonOption = False,
) -> None:
    """List what nobody could take in, show one (it may hold numbers of people), or drop it."""
    if act is QuarantineAct.DROP:
        _tell(_run(_act(data, {"verb": "drop_unread", "target": row, "by": _who(by)})), as_json=as_json)
        return
    wanted = row if act is QuarantineAct.SHOW else ""
    if act is QuarantineAct.SHOW and not row:
        raise typer.BadParameter("name the row to be shown", param_hint="row")
    rows = _run(_read(data, "/quarantine", {"row": wanted}))["rows"]
    if as_json:
        print(json.dumps(rows, ensure_ascii=False))
    for kept in () if as_json else rows:
        print(f"{kept['id'][:12]} {_moment(kept['at'])} {kept['source']} {kept['chain']}\n    {kept['error']}")
        if "body" in kept:
            print(kept["body"])
    if wanted and not rows:
        print(f"no row {row!r}, or several", file=sys.stderr)
        sys.exit(1)
    if not wanted and not as_json:
        print(f"{len(rows)} in quarantine", file=sys.stderr)


def drain(
    within: Annotated[float, typer.Option(min=0, help="seconds to wait for what is under way")] = 60.0,
    off: Annotated[bool, typer.Option("--off", help="take calls again")] = False,
    by: ByOption = "",
    data: DataOption = Path("data"),
    as_json: JsonOption = False,
) -> None:
    """Take no new calls and wait until nothing rings: then a restart disturbs nobody. Talks go on in the PBX."""
    left = _run(_drained(data, within, _who(by), off=off))
    if as_json:
        print(json.dumps({"under_way": left}))
    elif off:
        print("new calls are taken")
    else:
        print("nothing rings: the server can be stopped" if not left else f"still under way: {', '.join(left)}")
    sys.exit(1 if left else 0)


# --- the server, or its journal ---------------------------------------------------------------------------------


async def _drained(data: Path, within: float, by: str, *, off: bool) -> list[str]:
    from router.control import ask, running_server
    from router.engine.store.port import StoreUnavailable

    async with running_server(data) as server:
        if server is None:
            message = f"no server runs on {data}: there is nothing to drain"
            raise StoreUnavailable(message)
        await ask(server, "/do", {"verb": "undrain" if off else "drain", "by": by})
        if off:
            return []
        until = time.monotonic() + within
        while True:
            async with server.get("/status") as answer:
                left = [str(chain) for chain in (await answer.json())["under_way"]]
            if not left or time.monotonic() >= until:
                return left
            await asyncio.sleep(LOOK_S)


async def _act(data: Path, body: dict[str, Any]) -> Any:
    async with _at_hand(data) as ask:
        return await ask("/do", {name: value for name, value in body.items() if value is not None})


async def _read(data: Path, path: str, body: dict[str, Any]) -> Any:
    async with _at_hand(data) as ask:
        return await ask(path, body)


@asynccontextmanager
async def _at_hand(data: Path) -> AsyncIterator[Ask]:
    """Asks the running server; without one, an engine of this command's own. Raises StoreUnavailable."""
    from router.control import ask, running_server

    async with running_server(data) as server:
        if server is not None:
            running = server
            yield lambda path, body: ask(running, path, body)
            return
    async with _own_operations(data) as operations:
        yield operations


@asynccontextmanager
async def _own_operations(data: Path) -> AsyncIterator[Ask]:
    import msgspec

    from router.control import aside as asides
    from router.control import done
    from router.control import quarantine as rows
    from router.engine.quarantine import Quarantine
    from router.logs import set_up
    from router.office import Office
    from router.operations import Act, Operations
    from router.own_engine import own_engine

    set_up("text", level=logging.WARNING)  # what is printed belongs to the command
    async with own_engine(data) as engine:
        operations = Operations(engine, Office({}), Quarantine(engine))

        async def ask(path: str, body: dict[str, Any]) -> Any:
            match path:
                case "/do":
                    return await done(operations, msgspec.convert(body, Act))
                case "/aside":
                    return await asides(operations)
                case _:
                    return await rows(operations, str(body.get("row", "")))

        yield ask


# --- words ------------------------------------------------------------------------------------------------------


def _run(work: Coroutine[Any, Any, T]) -> T:
    from router.cli import run

    return run(work)


def _who(by: str) -> str:
    return by or getpass.getuser()


def _instant(text: str) -> int | None:
    from router.basis.instants import from_datetime

    if not text:
        return None
    try:
        return from_datetime(datetime.fromisoformat(text))
    except ValueError as error:
        message = f"{text!r}: give a date and time with a zone, for example 2026-05-08T18:00+03:00"
        raise typer.BadParameter(message, param_hint="--until") from error


def _moment(instant: int) -> str:
    from router.basis.instants import Instant, iso

    return iso(Instant(instant))


def _tell(answer: dict[str, Any], *, as_json: bool) -> None:
    print(json.dumps(answer) if as_json else WORDS.get(answer["said"], answer["said"]))
    sys.exit(0 if answer["done"] else 1)


WORDS = {
    "freed": "freed: the next call may be offered to him",
    "away": "paused: no call is offered to him",
    "back": "back: calls are offered to him",
    "closed": "ended",
    "sent": "given to the PBX's own plan",
    "sent_again": "it is sent again",
    "dropped": "dropped",
    "no_such_person": "there is no such person in the directory",
    "no_such_call": "there is no such live call",
    "several_such_calls": "several PBXs have a call of that name: give the chain, as in call:office:17",
    "no_such_effect": "no effect of that id is put aside",
    "no_such_row": "no row of that id, or several",
    "not_held": "no call holds him",
    "not_away": "he is not away",
    "over": "the call is over",
    "already": "that is so already",
    "pbx_leads": "this PBX leads its calls itself: it takes no orders",
    "in_talk": "they talk: nobody is torn away from a talk; end the call if that is meant",
    "reason_missing": "give one of the reasons with --reason",
    "not_stored": "it could not be written",
    "unknown": "the server does not know that order",
}
"""Answers of `router.operations`, in words."""
