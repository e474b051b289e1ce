"""`hopline clients …` and the part of `hopline apply` that is about clients."""

import getpass
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from router.basis.failures import Mistake, Mistakes

TOGETHER = 200
"""Clients of one request to the server, which compares them in one breath: some 5 ms."""

DataOption = Annotated[Path, typer.Option("--data", help="the data folder of the server")]
RegionOption = Annotated[str, typer.Option("--region", help="country in which numbers without a + are read (ISO 3166)")]
JsonOption = Annotated[bool, typer.Option("--json", help="print JSON")]
DryOption = Annotated[bool, typer.Option("--dry-run", help="only show what would change")]

Run = Callable[[Any], Any]


@dataclass(slots=True)
class Told:
    """What became of all clients of a file."""

    changed: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    words: dict[str, int] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


def commands(run: Run) -> typer.Typer:
    """The commands; `run` runs a coroutine and tells what goes wrong with the journal (`router.cli`)."""
    app = typer.Typer(no_args_is_help=True, help="The client book: import, export, conflicts.")

    @app.command("import")
    def import_table(
        table: Annotated[Path, typer.Argument(help="CSV with a line of headings (docs/people.md)")],
        data: DataOption = Path("data"),
        region: RegionOption = "RU",
        dry: DryOption = False,
        as_json: JsonOption = False,
    ) -> None:
        """Write the clients of a CSV file into the client book; whoever is not in it stays as he is."""
        from router.crm_bridge.builtin.table import by_column, read_table

        try:
            text = table.read_text(encoding="utf-8")
        except OSError as error:
            raise Mistakes([Mistake(str(table), "", f"cannot be read: {error.strerror}")]) from error
        except UnicodeDecodeError as error:
            remedy = 'not UTF-8; save it as "CSV UTF-8"'
            raise Mistakes([Mistake(str(table), "", remedy)]) from error
        placed = read_table(text, region)
        told = run(bring(placed, data, dry=dry))
        if told.mistakes:
            raise Mistakes([by_column(mistake) for mistake in told.mistakes])
        tell(told, dry=dry, as_json=as_json)

    @app.command("export")
    def export_table(
        table: Annotated[Path, typer.Argument(help="where to write the CSV; - for standard output")],
        data: DataOption = Path("data"),
    ) -> None:
        """Write all clients as CSV, beside a running server or without one."""
        from router.crm_bridge.builtin.table import write_table
        from router.reports import client_entries

        text = write_table(run(client_entries(data)))
        if str(table) == "-":
            sys.stdout.write(text)
        else:
            table.touch(mode=0o600)  # names and numbers in plain: for the one who exports them
            table.write_text(text, encoding="utf-8", newline="")
            print(f"{text.count(chr(10)) - 1} line(s) written to {table}", file=sys.stderr)

    @app.command("conflicts")
    def conflicts(data: DataOption = Path("data"), as_json: JsonOption = False) -> None:
        """Name numbers and mails that stand with several active clients; exit code 1 if there are any."""
        from router.reports import client_conflicts

        found = run(client_conflicts(data))
        if as_json:
            print(json.dumps(found, ensure_ascii=False))
        else:
            for conflict in found:
                first, *others = conflict["clients"]
                print(f"{conflict['contact']}: taken for {first}, stands with {', '.join(others)} as well")
            print(f"{len(found)} conflict(s)")
        sys.exit(1 if found else 0)

    return app


async def bring(placed: Sequence[Any], data: Path, *, dry: bool) -> Told:
    """Give clients to the running server, or write them without one. With mistakes nothing is written."""
    from router.clients import Clients
    from router.control import ask, running_server, told
    from router.own_engine import own_engine

    by = getpass.getuser()
    async with running_server(data) as server:
        if server is not None:

            async def over_socket(part: Sequence[Any], dry: bool) -> dict[str, Any]:
                body = {"clients": msgspec.to_builtins(part), "by": by, "dry": dry}
                return dict(await ask(server, "/clients", body))

            return await _in_parts(placed, over_socket, dry=dry)
    async with own_engine(data) as engine:
        clients = Clients(engine)
        await clients.open()

        async def here(part: Sequence[Any], dry: bool) -> dict[str, Any]:
            return told(await clients.save(part, by, dry=dry))

        return await _in_parts(placed, here, dry=dry)


async def _in_parts(placed: Sequence[Any], save: Callable[..., Any], *, dry: bool) -> Told:
    """First everything dry, so that a mistake in the last line leaves nothing half written."""
    parts = [placed[start : start + TOGETHER] for start in range(0, len(placed), TOGETHER)]
    dry_told = Told()
    steps = [(part, True, dry_told) for part in parts]
    written = Told()
    if not dry:
        steps += [(part, False, written) for part in parts]
    shown = typer.progressbar(
        steps, label="clients", file=sys.stderr, hidden=not sys.stderr.isatty() or len(parts) == 1
    )
    with shown as bar:
        for part, is_dry, into in bar:
            if dry_told.mistakes and not is_dry:
                break
            answer = await save(part, is_dry)
            into.changed += answer["changed"]
            into.warnings += answer["warnings"]
            for word in answer["words"]:
                into.words[word] = into.words.get(word, 0) + 1
            into.mistakes += [Mistake(one["key"], one["value"], one["remedy"]) for one in answer["mistakes"]]
    return dry_told if dry or dry_told.mistakes else written


def tell(told: Told, *, dry: bool, as_json: bool) -> None:
    """Print what became of the clients."""
    if as_json:
        said = {"changed": told.changed, "warnings": told.warnings, "words": told.words, "dry": dry}
        print(json.dumps(said, ensure_ascii=False))
        return
    for line in (*told.changed, *dict.fromkeys(told.warnings)):
        print(line)
    counts = ", ".join(f"{count} {word}" for word, count in sorted(told.words.items())) or "none"
    print(f"{'would be' if dry else 'clients'}: {counts}")
