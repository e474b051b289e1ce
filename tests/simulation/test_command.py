"""`hopline simulate`: what it prints and how it ends."""

import json

import typer
from typer.testing import CliRunner

from simulators import commands
from simulators.defects import DEFECTS

app = typer.Typer()
app.command()(commands.simulate)
runner = CliRunner()


def test_prints_one_line_of_json() -> None:
    result = runner.invoke(app, ["--days", "1", "--seed", "2", "--calls-a-day", "20"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert list(said) == ["calls", "answered", "unaccounted", "violations", "events", "hash", "wall_s"]
    assert said["calls"] >= 20
    assert (said["unaccounted"], said["violations"]) == (0, 0)


def test_details_name_every_judge() -> None:
    result = runner.invoke(app, ["--faults", "mild", "--calls-a-day", "20", "--json"])
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["checkers"]["conservation"] == 0
    assert len(said["checkers"]) >= 5


def test_a_violation_is_an_exit_code() -> None:
    defect = next(defect for defect in DEFECTS if defect.name == "message_dropped")
    with defect.planted():
        result = runner.invoke(app, ["--calls-a-day", "30", "--json"])
    assert result.exit_code == 1
    said = json.loads(result.stdout)
    assert said["unaccounted"] > 0
    assert said["first_violations"]


def test_an_existing_journal_is_not_touched(tmp_path) -> None:  # type: ignore[no-untyped-def]
    journal = tmp_path / "kept.db"
    journal.write_text("precious")
    result = runner.invoke(app, ["--journal", str(journal)])
    assert result.exit_code == 2
    assert journal.read_text() == "precious"
