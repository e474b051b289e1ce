"""One file and the environment; all mistakes together, each with its key and remedy; no secret in any of them."""

import base64
from pathlib import Path

import pytest

from router.basis.failures import Mistakes
from router.config import config_of, read_config

SECRET = "0123456789abcdef0123456789abcdef"
KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_SECRET", SECRET)
    monkeypatch.setenv("HOPLINE_PBX_OFFICE_SECRETS", KEY)
    monkeypatch.delenv("HOPLINE_PBX_MAIN_PASSWORD", raising=False)


def told(document: dict[str, object]) -> dict[str, str]:
    with pytest.raises(Mistakes) as mistakes:
        config_of(document)
    return {mistake.key: str(mistake) for mistake in mistakes.value.mistakes}


def test_a_right_file_builds_its_pbxs(tmp_path: Path) -> None:
    path = tmp_path / "hopline.toml"
    path.write_text(
        f'[server]\nport = 0\ndata = "{tmp_path}"\n[pbx.office]\nkind = "webhook"\ncommand_url = "http://127.0.0.1:9/"\n'
    )
    config = read_config(path)
    assert [telephony.name for telephony in config.telephones] == ["office"]
    assert config.secret == SECRET


def test_all_mistakes_are_told_together_with_key_and_remedy() -> None:
    found = told(
        {
            "server": {"port": 99_999, "colour": "red"},
            "pbx": {
                "main": {"kind": "asterisk"},
                "office": {"kind": "webhook", "command_url": "ftp://x"},
                "third": {"kind": "carrier-pigeon"},
                "no name!": {"kind": "webhook"},
            },
            "bus": {},
        }
    )
    assert set(found) == {
        "server.port",
        "server.colour",
        "HOPLINE_PBX_MAIN_PASSWORD",
        "pbx.office.command_url",
        "pbx.third.kind",
        "pbx.no name!",
        "bus",
    }
    assert "choose one of asterisk, webhook" in found["pbx.third.kind"]


def test_no_pbx_is_a_mistake_that_names_the_demonstration() -> None:
    assert "hopline demo" in told({})["pbx"]


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_missing_or_short_secret_is_told_without_showing_it(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("HOPLINE_SECRET", secret)
    text = told({"pbx": {"office": {"kind": "webhook", "command_url": "http://127.0.0.1:9/"}}})["HOPLINE_SECRET"]
    assert "openssl rand" in text
    assert not secret or secret not in text


def test_a_file_that_is_missing_or_broken_names_itself(tmp_path: Path) -> None:
    path = tmp_path / "hopline.toml"
    for text in (None, "[server"):
        if text is not None:
            path.write_text(text)
        with pytest.raises(Mistakes) as mistakes:
            read_config(path)
        assert mistakes.value.mistakes[0].key == str(path)
