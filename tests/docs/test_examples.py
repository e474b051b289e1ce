"""Every setting and every term stands in an example, with its true default, its unit or kind, and a reason."""

import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from router.basis.failures import Mistakes
from router.basis.instants import SECOND
from router.basis.people import Chain, Line, Person
from router.chains.terms import _DURATIONS, Terms
from router.config import SECRET_LENGTH, ServerSettings, _with_data, config_of, read_config
from router.crm_bridge.directory import directory_of, read_directory
from router.telephony_adapter.asterisk.config import AsteriskSettings, password_variable
from router.telephony_adapter.webhook.config import WebhookSettings, secrets_variable
from tests.docs.examples import PEOPLE, SERVER, comment_above, full, plain

TABLES: tuple[tuple[type[BaseModel], tuple[str, ...], str], ...] = (
    (ServerSettings, ("server",), "[server]"),
    (AsteriskSettings, ("pbx", "office"), "[pbx.office]"),
    (WebhookSettings, ("pbx", "branch"), "#[pbx.branch]"),
)
FIELDS = [
    pytest.param(model, path, line, name, id=f"{path[-1]}.{name}")
    for model, path, line in TABLES
    for name in model.model_fields
]
TERMS = (
    "offers_per_person",
    "on_list_end",
    "after_window",
    "record",
    "announcement",
    "unannounced",
    *(f"{name}_s" for name in _DURATIONS),
)
BY_SERVER = {"fallback_position": Path("data/office.fallback-position.json")}
"""Defaults that the server, not the model, sets (`router.config`)."""
GIVEN = {"fallback_record"}
"""The example sets them to something else than the default, and says so."""


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SECRET", "s" * SECRET_LENGTH)
    monkeypatch.setenv(password_variable("office"), "p")
    monkeypatch.setenv(secrets_variable("branch"), "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx")


def _table(document: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path:
        document = document[key]
    return document


# --- the server's configuration -----------------------------------------------------------------------------------


def test_the_example_loads_as_it_stands(secrets: None) -> None:
    config = read_config(SERVER)
    assert [telephony.name for telephony in config.telephones] == ["office"]
    assert config.server == ServerSettings()


def test_the_example_loads_with_every_default_written_out(secrets: None) -> None:
    config = config_of(full(SERVER))
    assert [telephony.name for telephony in config.telephones] == ["office", "branch"]
    assert config.server == ServerSettings()


def test_the_example_names_the_environment_variables_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOPLINE_SECRET", "HOPLINE_PBX_OFFICE_PASSWORD"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Mistakes) as found:
        read_config(SERVER)
    said = SERVER.read_text(encoding="utf-8")
    assert {mistake.key for mistake in found.value.mistakes} == {"HOPLINE_SECRET", "HOPLINE_PBX_OFFICE_PASSWORD"}
    assert all(mistake.key in said for mistake in found.value.mistakes)
    assert password_variable("main-office") == "HOPLINE_PBX_MAIN_OFFICE_PASSWORD"


@pytest.mark.parametrize(("model", "path", "line", "name"), FIELDS)
def test_a_setting_is_shown_with_its_true_default(
    model: type[BaseModel], path: tuple[str, ...], line: str, name: str
) -> None:
    shown = _table(full(SERVER), path)
    assert name in shown, f"{model.__name__}.{name} is missing in {SERVER.name}"
    default = model.model_fields[name].default
    said = comment_above(SERVER, name, line)
    assert said, f"nothing is said about {name}"
    if name in BY_SERVER:
        assert Path(shown[name]) == BY_SERVER[name]
    elif name in GIVEN:
        assert default is None
        assert "default none" in said.lower()
    elif default is PydanticUndefined:
        assert "no default" in said.lower()
    else:
        assert getattr(model.model_validate({**_required(model), name: shown[name]}), name) == default
        assert type(shown[name]) is type(str(default) if isinstance(default, Path) else default)
        if isinstance(default, int | float):
            assert re.search(rf"efault(s are)? {str(default).lower().removesuffix('.0')}\b", said), "the prose differs"


@pytest.mark.parametrize(("model", "path", "line"), TABLES)
def test_nothing_is_shown_that_is_no_setting(model: type[BaseModel], path: tuple[str, ...], line: str) -> None:
    assert _table(full(SERVER), path).keys() - {"kind"} == model.model_fields.keys()


def test_the_default_that_the_server_sets_is_the_one_shown(secrets: None) -> None:
    given = _with_data({}, AsteriskSettings, ServerSettings(), "office")
    assert given["fallback_position"] == BY_SERVER["fallback_position"]


def _required(model: type[BaseModel]) -> dict[str, Any]:
    return {"command_url": "https://pbx.example/hopline"} if model is WebhookSettings else {}


# --- people ---------------------------------------------------------------------------------------------------------


def test_the_people_load_as_they_stand() -> None:
    directory = read_directory(PEOPLE)
    assert len(directory.people) == 5
    assert directory.chains[0].terms == {}


def test_the_people_load_with_every_default_written_out() -> None:
    assert directory_of(full(PEOPLE)).people == read_directory(PEOPLE).people


@pytest.mark.parametrize(
    ("kind", "rows"),
    [(Person, full(PEOPLE)["person"]), (Line, full(PEOPLE)["line"]), (Chain, list(full(PEOPLE)["chain"].values()))],
)
def test_every_key_of_the_directory_is_shown_with_its_default(kind: type[Any], rows: list[dict[str, Any]]) -> None:
    as_it_stands = plain(PEOPLE)[kind.__name__.lower()]
    stands = list(as_it_stands.values()) if isinstance(as_it_stands, dict) else as_it_stands
    in_the_table_name = {"id"} if kind is Chain else set()
    shown = {key for row in rows for key in row}
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    assert shown == fields.keys() - in_the_table_name
    for name in shown:
        assert name == "terms" or comment_above(PEOPLE, name), f"nothing is said about {name}"
    for row, standing in zip(rows, stands, strict=True):
        for name in row.keys() - standing.keys():
            default = fields[name].default
            assert row[name] == (list(default) if isinstance(default, tuple) else default), name


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_shown_with_its_true_default_and_a_reason(name: str) -> None:
    shown = full(PEOPLE)["chain"]["sales"]["terms"]
    assert name in shown, f"{name} is missing in {PEOPLE.name}"
    default = getattr(Terms(), name.removesuffix("_s"))
    assert shown[name] == (default / SECOND if name.endswith("_s") else default)
    assert f"efault {shown[name]}" in comment_above(PEOPLE, name).replace('"', ""), "the prose names another default"


def test_no_term_is_shown_that_is_none() -> None:
    assert full(PEOPLE)["chain"]["sales"]["terms"].keys() == set(TERMS)
