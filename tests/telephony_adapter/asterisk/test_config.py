"""Settings, and how an adapter is built from them."""

import logging
from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from router.basis.failures import Mistakes
from router.telephony_adapter.asterisk import ADAPTER
from router.telephony_adapter.asterisk.config import AsteriskSettings, password_variable
from router.telephony_adapter.port import PORT_VERSION
from tests.telephony_adapter.asterisk.harness import office


@pytest.mark.parametrize(
    "given",
    [
        {"url": "127.0.0.1:8088"},
        {"url": "http://hopline:secret@127.0.0.1:8088/ari"},
        {"url": "http://127.0.0.1:8088/ari?api_key=a:b"},
        {"endpoint": "PJSIP/101"},
        {"extension_pattern": "("},
        {"application": "hop,line"},
        {"on_replaced": "fight"},
        {"request_timeout_s": 0},
        {"unknown_setting": 1},
    ],
)
def test_mistakes_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        AsteriskSettings.model_validate(given)


def test_the_password_comes_from_the_environment_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert password_variable("head-office") == "HOPLINE_PBX_HEAD_OFFICE_PASSWORD"
    monkeypatch.delenv("HOPLINE_PBX_ASTERISK_PASSWORD", raising=False)
    with pytest.raises(Mistakes, match="HOPLINE_PBX_ASTERISK_PASSWORD"):
        ADAPTER.build("asterisk", AsteriskSettings())
    monkeypatch.setenv("HOPLINE_PBX_ASTERISK_PASSWORD", "secret")
    built = ADAPTER.build("asterisk", AsteriskSettings())
    assert built.name == "asterisk"
    assert "password" not in AsteriskSettings.model_fields


def test_it_is_found_by_its_entry_point() -> None:
    (found,) = [entry for entry in entry_points(group="hopline.telephony") if entry.name == "asterisk"]
    adapter = found.load()
    assert (adapter.kind, adapter.port_version, adapter.config) == ("asterisk", PORT_VERSION, AsteriskSettings)


async def test_no_secret_and_no_number_in_the_log(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with office() as (switch, door, desk):
        switch.call("9001", number="79161234567")
        call = await desk.arrived()
        await desk.ring(call, 1, "101", caller="+79161234567")
        await door.cut_sockets()
        await desk.connected(2)
    said = capsys.readouterr()
    text = said.out + said.err + caplog.text
    assert "leg_refused" in text
    assert "secret" not in text
    assert "9161234567" not in text
