"""`hopline clients`, `hopline apply` and `check-config` as they are typed; no server runs."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer.testing

from router import cli
from router.basis.failures import Mistakes
from tests.docs.papers import ROOT

TABLE = "id,name,phones\noleg,Олег,8 999 000-11-22\ninna,Инна,+79990003344\n"


class Shell:
    """Types commands in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runner = typer.testing.CliRunner()

    def __call__(self, *words: str) -> tuple[int, str]:
        result = self._runner.invoke(cli.app, list(words))
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout

    def file(self, name: str, text: str) -> str:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


def keys(told: Mistakes) -> list[str]:
    return [mistake.key for mistake in told.mistakes]


def test_a_table_is_tried_then_imported_then_exported(shell: Shell) -> None:
    table = shell.file("clients.csv", TABLE)
    assert shell("clients", "import", table, "--dry-run") == (
        0, "+ client oleg\n+ client inna\nwould be: 2 created\n")  # fmt: skip
    assert shell("clients", "import", table) == (0, "+ client oleg\n+ client inna\nclients: 2 created\n")
    assert shell("clients", "import", table) == (0, "clients: 2 same\n")
    code, text = shell("clients", "export", "-")
    assert code == 0
    assert text.splitlines()[1:] == [
        "inna,Инна,new,+79990003344,,,yes,0,", "oleg,Олег,new,+79990001122,,,yes,0,",
    ]  # fmt: skip
    assert shell("clients", "import", shell.file("back.csv", text)) == (0, "clients: 2 same\n")


def test_a_table_with_a_mistake_in_its_last_line_writes_nothing(shell: Shell) -> None:
    shell("apply", str(ROOT / "config" / "people.example.toml"))
    rows = "".join(f"c{number},\n" for number in range(600))
    table = shell.file("clients.csv", "id,responsible\n" + rows + "last,ghost\n")
    with pytest.raises(Mistakes) as told:
        shell("clients", "import", table)
    assert keys(told.value) == ["line 602, responsible"]
    assert shell("clients", "export", "-")[1].count("\n") == 1


def test_a_table_that_cannot_be_read_is_told(shell: Shell) -> None:
    (shell.folder / "cp1251.csv").write_bytes("id,имя\na,Олег\n".encode("cp1251"))
    for name in ("none.csv", "cp1251.csv", "."):
        with pytest.raises(Mistakes) as told:
            shell("clients", "import", str(shell.folder / name))
        assert keys(told.value) == [str(shell.folder / name)]


def test_conflicts_have_an_exit_code(shell: Shell) -> None:
    table = shell.file("clients.csv", TABLE)
    shell("clients", "import", table)
    assert shell("clients", "conflicts") == (0, "0 conflict(s)\n")
    twin = shell.file("twin.csv", "id,phones\ntwin,+79990001122\n")
    code, output = shell("clients", "import", twin)
    assert (code, output.splitlines()[1]) == (0, "! +7***22 of client twin belongs to oleg as well")
    code, output = shell("clients", "conflicts", "--json")
    assert (code, json.loads(output)) == (1, [{"contact": "+7***22", "clients": ["oleg", "twin"]}])


def test_clients_are_applied_like_people(shell: Shell) -> None:
    shell("apply", str(ROOT / "config" / "people.example.toml"))
    example = str(ROOT / "config" / "clients.example.toml")
    code, output = shell("apply", example, "--json")
    assert code == 0
    assert json.loads(output)["words"] == {"created": 2}
    assert shell("apply", example) == (0, "clients: 2 same\n")
    both = shell.file("both.toml", '[[client]]\nid = "a"\n[[person]]\nid = "b"\n')
    with pytest.raises(Mistakes) as told:
        shell("apply", both)
    assert keys(told.value) == ["person"]


# --- the linter where people meet it --------------------------------------------------------------------------------

SIX = "".join(f'[[person]]\nid = "p{n}"\nname = "P"\nextensions = ["10{n}"]\n' for n in range(6)) + (
    '[[line]]\nnumber = "1"\nchain = "sales"\n[chain.sales]\nheads = ["p0", "p1", "p2", "p3", "p4", "p5"]\n'
)


def stderr(shell: Shell, *words: str) -> str:
    result = typer.testing.CliRunner().invoke(cli.app, list(words))
    assert result.exit_code == 0, result.output
    return result.stderr


def test_apply_tells_what_is_doubtful_and_applies(shell: Shell) -> None:
    people = shell.file("people.toml", SIX)
    assert "WARNING never_reached [sales, p5]: Если никто" in stderr(shell, "apply", people)
    assert "WARNING never_reached [sales, p5]: If nobody" in stderr(shell, "apply", people, "--language", "en")
    code, output = shell("apply", people, "--json")
    said: dict[str, Any] = json.loads(output)
    assert (code, said["changed"], [one["code"] for one in said["findings"]]) == (0, [], ["never_reached"])
    assert set(said["findings"][0]["text"]) == {"ru", "en"}


def test_apply_refuses_what_is_useless(shell: Shell) -> None:
    people = shell.file("people.toml", SIX.replace('"p5"]', '"ghost"]'))
    with pytest.raises(Mistakes) as told:
        shell("apply", people)
    assert keys(told.value) == ["chain.sales.heads"]
    assert not (shell.folder / "data").exists()


def test_check_config_looks_through_people(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SECRET", "s" * 32)
    monkeypatch.setenv("HOPLINE_PBX_OFFICE_PASSWORD", "p")
    config, people = str(ROOT / "config" / "hopline.example.toml"), shell.file("people.toml", SIX)
    assert "never_reached" in stderr(shell, "check-config", "-c", config, "--people", people)
    code, output = shell("check-config", "-c", config, "--people", people, "--json")
    said = json.loads(output)
    assert (code, said["mistakes"], [one["code"] for one in said["findings"]]) == (0, [], ["never_reached"])
    monkeypatch.delenv("HOPLINE_SECRET")
    code, output = shell("check-config", "-c", config, "--people", people, "--json")
    assert (code, json.loads(output)["mistakes"][0]["key"]) == (2, "HOPLINE_SECRET")
    example = str(ROOT / "config" / "people.example.toml")
    monkeypatch.setenv("HOPLINE_SECRET", "s" * 32)
    assert stderr(shell, "check-config", "-c", config, "--people", example) == ""


def test_a_short_api_token_is_a_mistake(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SECRET", "s" * 32)
    monkeypatch.setenv("HOPLINE_PBX_OFFICE_PASSWORD", "p")
    monkeypatch.setenv("HOPLINE_API_TOKEN", "short")
    with pytest.raises(Mistakes) as told:
        shell("check-config", "-c", str(ROOT / "config" / "hopline.example.toml"))
    assert keys(told.value) == ["HOPLINE_API_TOKEN"]
    assert "short" not in str(told.value)
