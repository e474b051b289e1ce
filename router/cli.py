"""The command `hopline`. Exit code 0 only when all is well; `--json` where a program may read along.

Commands of the packages beside the server (`demo`, `simulate`) are found by the entry points `hopline.command`.
"""

import asyncio
import contextlib
import getpass
import json
import signal
import sys
from collections.abc import Coroutine
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from router import collector, commands
from router.basis.failures import Mistakes, Permanent
from router.engine import crashes
from router.logs import set_up

app = typer.Typer(
    name="hopline",
    help="Routes inbound calls to the people who sell.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

CONFIG = Path("hopline.toml")
ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="the configuration file")]
DataOption = Annotated[Path, typer.Option("--data", help="the data folder of the server")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]

ENDED_FOR_GOOD = 4
"""Exit code when a start anew would only do harm (another server took the application over): a person has to look.
Named in deploy/systemd/hopline.service, which does not restart after it."""

T = TypeVar("T")


def main() -> None:
    """Run the command line; mistakes of configuration and data are told, not traced."""
    for entry in entry_points(group="hopline.command"):
        try:
            app.command(name=entry.name)(entry.load())
        except ImportError as error:
            # A broken addition must not keep the server from starting.
            print(f"the command {entry.name!r} is not there: {error}", file=sys.stderr)
    try:
        app()
    except Mistakes as mistakes:
        tell_mistakes(mistakes)
        sys.exit(2)


def tell_mistakes(mistakes: Mistakes) -> None:
    """All of them, each with its key and remedy."""
    print(f"{len(mistakes.mistakes)} mistake(s):", file=sys.stderr)
    for mistake in mistakes.mistakes:
        print(f"  {mistake.key} = {mistake.value!r}\n      {mistake.remedy}", file=sys.stderr)


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine; a journal that cannot be used is told, not traced, and so is what ends a server for good."""
    from router.engine.store.port import StoreUnavailable

    try:
        return asyncio.run(work)
    except StoreUnavailable as error:
        print(f"the journal cannot be used: {error}", file=sys.stderr)
        sys.exit(3)
    except Permanent as failure:
        print(f"ended for good: {failure}", file=sys.stderr)
        sys.exit(ENDED_FOR_GOOD)


@app.command()
def serve(config: ConfigOption = CONFIG) -> None:
    """Start the server."""
    from router.config import read_config

    read = read_config(config)
    set_up(read.server.log)
    run(serve_until_stopped(read))


async def serve_until_stopped(config: Any, directory: Any = None) -> None:
    """Run a server until SIGTERM or SIGINT, or until a part of it ends for good."""
    from router.app import Server

    crashes.install_from_environment()
    server = Server(config)
    stopped, hurry = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def signalled() -> None:
        (hurry if stopped.is_set() else stopped).set()

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, signalled)
    await server.start(directory)
    collector.settle()
    print(f"hopline listens on {server.url}", file=sys.stderr, flush=True)
    waits = [asyncio.create_task(stopped.wait()), asyncio.create_task(server.failed())]
    done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    if stopped.is_set() and config.server.drain_on_stop_s:
        await server.drain(config.server.drain_on_stop_s, hurry)
    for task in waits:
        task.cancel()
    await server.stop()
    for task in done:
        task.result()


@app.command("check-config")
def check_config(
    config: ConfigOption = CONFIG, people: Annotated[Path | None, typer.Option(help="people.toml")] = None
) -> None:
    """Read the configuration (and people) and report all mistakes together."""
    from router.config import read_config
    from router.crm_bridge.directory import read_directory

    mistakes: list[Any] = []
    try:
        read_config(config)
    except Mistakes as found:
        mistakes += found.mistakes
    try:
        if people is not None:
            read_directory(people)
    except Mistakes as found:
        mistakes += found.mistakes
    if mistakes:
        raise Mistakes(mistakes)
    print("no mistakes found")


@app.command()
def apply(
    people: Annotated[Path, typer.Argument(help="people.toml: people, lines, chains")],
    data: DataOption = Path("data"),
    dry: Annotated[bool, typer.Option("--dry-run", help="only show what would change")] = False,
) -> None:
    """Make a file the company's directory of people, lines and chains; shows what changes."""
    from router.crm_bridge.directory import read_directory

    changed = run(_apply(read_directory(people), data, dry=dry))
    for line in changed:
        print(line)
    print("nothing changes" if not changed else "would be changed" if dry else "applied")


async def _apply(directory: Any, data: Path, *, dry: bool) -> list[str]:
    from router.control import apply_directory, ask, running_server

    by = getpass.getuser()
    async with running_server(data) as server:
        if server is not None:
            body = {"directory": msgspec.to_builtins(directory), "by": by, "dry": dry}
            return list((await ask(server, "/apply", body))["changed"])
    engine, task = await own_engine(data)
    try:
        return await apply_directory(engine, directory, by, dry=dry)
    finally:
        await engine.stop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await engine.store.close()


async def own_engine(data: Path) -> tuple[Any, asyncio.Task[None]]:
    """An engine over the journal without a server; takes the writer's lock or fails. Its effects stay in the outbox."""
    from router.app import JOURNAL
    from router.engine.clock import SystemClock
    from router.engine.core import Core
    from router.engine.shell import Engine
    from router.engine.store.sqlite import SqliteStore
    from router.engine.vault import Vault
    from router.office import Office, machines

    engine = Engine(Core(machines(), Office({}).looks(), Vault()), SqliteStore(data / JOURNAL), SystemClock())
    try:
        recovered = await engine.open()
    except BaseException:
        await engine.store.close()
        raise
    for order in recovered:
        engine.out_of_sight(order.delivery.lane)
    for lane in engine.outbox.lanes():
        engine.out_of_sight(lane)
    return engine, asyncio.create_task(engine.run())


@app.command()
def explain(
    call: Annotated[str, typer.Argument(help="the call: the PBX's id or the chain's")],
    data: DataOption = Path("data"),
    language: Annotated[str, typer.Option(help="ru or en")] = "ru",
    as_json: JsonOption = False,
) -> None:
    """Say why a call went the way it went."""
    from router.reports import explain_call

    lines = run(explain_call(data, call, language))
    if not lines:
        print(f"no call {call!r} in {data}", file=sys.stderr)
        sys.exit(1)
    print(json.dumps(lines, ensure_ascii=False) if as_json else "\n".join(lines))


@app.command()
def replay(
    call: Annotated[str, typer.Argument(help="the call; empty with --all")] = "",
    data: DataOption = Path("data"),
    everything: Annotated[bool, typer.Option("--all", help="all chains")] = False,
    check: Annotated[bool, typer.Option("--check", help="compare with what was written")] = False,
    as_json: JsonOption = False,
) -> None:
    """Fold the log of a call (or of everything) again."""
    from router.reports import replay_chains

    if bool(call) == everything:
        print("name one call, or give --all", file=sys.stderr)
        sys.exit(2)
    result = run(replay_chains(data, call, check=check))
    if as_json:
        print(json.dumps(result, ensure_ascii=False))
    else:
        for line in result["lines"]:
            print(line)
        print(f"chains {result['chains']}, events {result['events']}, differences {len(result['differences'])}")
        for difference in result["differences"]:
            print(json.dumps(difference, ensure_ascii=False))
    sys.exit(0 if result["chains"] and not result["differences"] else 1)


@app.command("audit")
def audit_command(data: DataOption = Path("data"), as_json: JsonOption = False) -> None:
    """Account for every call: each ended lawfully, is live, or is owed a call-back."""
    from router.reports import audit_journal

    found = run(audit_journal(data))
    if as_json:
        print(json.dumps({"counts": dict(found.counts), "problems": found.problems}, ensure_ascii=False))
    else:
        for name, count in sorted(found.counts.items()):
            print(f"{name:20} {count}")
        for problem in found.problems:
            print(f"PROBLEM {problem}")
        print("all accounted for" if found.clean else f"{len(found.problems)} problem(s)")
    sys.exit(0 if found.clean else 1)


@app.command()
def link(
    person: Annotated[str, typer.Argument(help="person id, or `duty` for the duty channel")],
    config: ConfigOption = CONFIG,
) -> None:
    """Print the signed personal link of somebody's inbox."""
    from router.config import read_config
    from router.web import personal_link

    read = read_config(config)
    print(personal_link(read.server.public_url, read.secret, person))


app.command("do")(commands.do)
app.command("aside")(commands.aside)
app.command("quarantine")(commands.quarantine)
app.command("drain")(commands.drain)


@app.command("crash-points")
def crash_points(as_json: JsonOption = False) -> None:
    """List the named crash points of the engine."""
    import router.app
    import router.engine.store.postgres
    import router.engine.store.reading  # noqa: F401 - these three declare all points

    if as_json:
        print(json.dumps(crashes.POINTS))
        return
    for name, meaning in sorted(crashes.POINTS.items()):
        print(f"{name:28} {meaning}")
