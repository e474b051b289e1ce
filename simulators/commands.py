"""The command `hopline simulate`: months of calls in seconds, from a seed, with faults, judged.

Found by the entry point `hopline.command`. Exit code 0 only when every call is accounted for and no judge objects.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import msgspec
import typer


class Climate(StrEnum):
    """See `simulators.faults`."""

    NONE = "none"
    MILD = "mild"
    WILD = "wild"


def simulate(
    days: Annotated[int, typer.Option(min=1, help="days to play, beginning with a Monday")] = 1,
    seed: Annotated[int, typer.Option(help="the same seed is the same history")] = 1,
    faults: Annotated[Climate, typer.Option(help="what goes wrong")] = Climate.NONE,
    calls_a_day: Annotated[int, typer.Option(min=1, help="first calls of a working day")] = 200,
    journal: Annotated[Path | None, typer.Option(help="keep the journal in this new file")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="add what each judge found")] = False,
) -> None:
    """Play working days on the real engine with a played PBX, people and faults, and judge what came of it."""
    # Imported when it is called: `hopline serve` loads this module only to offer the command.
    from router.engine.store.sqlite_file import MEMORY  # noqa: PLC0415
    from simulators.faults import CLIMATES  # noqa: PLC0415
    from simulators.simulation import Setup  # noqa: PLC0415
    from simulators.verdict import play  # noqa: PLC0415

    if journal is not None and journal.exists():
        raise typer.BadParameter(
            f"{journal} exists; a simulated history needs a file of its own", param_hint="--journal"
        )
    setup = Setup(
        days=days,
        seed=seed,
        faults=CLIMATES[faults.value],
        calls_a_day=calls_a_day,
        journal=MEMORY if journal is None else str(journal),
    )
    if sys.stderr.isatty():
        with typer.progressbar(length=days, label="days", file=sys.stderr) as bar:
            report = play(setup, lambda _: bar.update(1))
    else:
        report = play(setup)
    said = report.details() if as_json else report.summary()
    typer.echo(msgspec.json.format(msgspec.json.encode(said), indent=2 if as_json else 0).decode())
    if not report.clean:
        raise typer.Exit(1)
