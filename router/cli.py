"""The command `hopline`. Exit code 0 only when all is well; `--json` where a program may read along.

Commands of the packages beside the server (`demo`, `simulate`) are found by the entry points `hopline.command`.
"""

import asyncio
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

from router import client_commands, collector, commands
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
LanguageOption = Annotated[str, typer.Option("--language", help="ru or en")]

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


app.add_typer(client_commands.commands(run), name="clients")


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
    config: ConfigOption = CONFIG,
    people: Annotated[Path | None, typer.Option(help="people.toml")] = None,
    language: LanguageOption = "ru",
    as_json: JsonOption = False,
) -> None:
    """Read the configuration (and people) and report all mistakes together, and what is doubtful in the chains."""
    from router.config import read_config
    from router.crm_bridge.directory import read_directory
    from router.lint import lint

    mistakes: list[Any] = []
    findings: list[Any] = []
    try:
        read_config(config)
    except Mistakes as found:
        mistakes += found.mistakes
    try:
        if people is not None:
            findings = lint(read_directory(people), _now())
    except Mistakes as found:
        mistakes += found.mistakes
    if as_json:
        _print_checked(mistakes, findings)
        sys.exit(2 if mistakes else 0)
    _tell_findings(findings, language)
    if mistakes:
        raise Mistakes(mistakes)
    print("no mistakes found")


def _now() -> Any:
    from router.engine.clock import SystemClock

    return SystemClock().now()


def _tell_findings(findings: list[Any], language: str) -> None:
    """What the linter found, a line each, on standard error."""
    from router.lint import words

    for finding in findings:
        print(words.line(finding, language), file=sys.stderr)


def _print_checked(mistakes: list[Any], findings: list[Any]) -> None:
    from router.lint import words

    told = [{"key": one.key, "value": str(one.value), "remedy": one.remedy} for one in mistakes]
    print(json.dumps({"mistakes": told, "findings": list(map(words.as_data, findings))}, ensure_ascii=False))


@app.command()
def apply(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="people.toml (people, lines, chains) or clients.toml")],
    data: DataOption = Path("data"),
    dry: Annotated[bool, typer.Option("--dry-run", help="only show what would change")] = False,
    language: LanguageOption = "ru",
    as_json: JsonOption = False,
    region: Annotated[str, typer.Option(help="country in which clients' numbers without a + are read")] = "RU",
) -> None:
    """Make a file the company's directory, or write its clients into the client book; shows what changes.

    What is doubtful in the chains is told; what makes them useless is refused.
    """
    from router.crm_bridge.builtin.document import clients_of, is_clients
    from router.crm_bridge.directory import directory_of
    from router.crm_bridge.toml_file import read_toml
    from router.lint import lint, words

    document = read_toml(path)
    if is_clients(document):
        told = run(client_commands.bring(clients_of(document, region), data, dry=dry))
        if told.mistakes:
            raise Mistakes(told.mistakes)
        client_commands.tell(told, dry=dry, as_json=as_json)
        return
    directory = directory_of(document)
    findings = lint(directory, _now())
    if not as_json:
        _tell_findings(findings, language)
    if any(finding.severity == "error" for finding in findings):
        sys.exit(2)
    changed = run(_apply(directory, data, dry=dry))
    if as_json:
        said = {"changed": changed, "dry": dry, "findings": list(map(words.as_data, findings))}
        print(json.dumps(said, ensure_ascii=False))
        return
    for line in changed:
        print(line)
    print("nothing changes" if not changed else "would be changed" if dry else "applied")


async def _apply(directory: Any, data: Path, *, dry: bool) -> list[str]:
    from router.control import apply_directory, ask, running_server
    from router.own_engine import own_engine

    by = getpass.getuser()
    async with running_server(data) as server:
        if server is not None:
            body = {"directory": msgspec.to_builtins(directory), "by": by, "dry": dry}
            return list((await ask(server, "/apply", body))["changed"])
    async with own_engine(data) as engine:
        return await apply_directory(engine, directory, by, dry=dry)


@app.command()
def explain(
    call: Annotated[str, typer.Argument(help="the call: the PBX's id or the chain's")],
    data: DataOption = Path("data"),
    language: LanguageOption = "ru",
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
