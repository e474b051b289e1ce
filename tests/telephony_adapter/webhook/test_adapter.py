"""The entry point: settings and secrets, and all that can be wrong with them."""

from importlib.metadata import entry_points

import pytest
from pydantic import ValidationError

from router.basis.failures import Mistakes
from router.telephony_adapter.port import PORT_VERSION
from router.telephony_adapter.webhook import ADAPTER, WebhookSettings
from router.telephony_adapter.webhook.config import secrets_variable

SECRET = "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx"
SETTINGS = WebhookSettings(command_url="https://pbx.example/hopline")


def test_it_is_found_by_its_entry_point() -> None:
    (found,) = [point for point in entry_points(group="hopline.telephony") if point.name == "webhook"]
    assert found.load() is ADAPTER
    assert (ADAPTER.kind, ADAPTER.port_version) == ("webhook", PORT_VERSION)


def test_secrets_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_PBX_MAIN_OFFICE_SECRETS", f" {SECRET}  {SECRET} ")
    telephony = ADAPTER.build("main-office", SETTINGS)
    assert telephony.name == "main-office"
    assert [route.path for route in telephony.routes(_nobody)] == [
        "/webhooks/pbx/main-office", "/webhooks/pbx/main-office/openapi.json",
    ]  # fmt: skip


@pytest.mark.parametrize("value", [None, "", "hush-hush", f"{SECRET} short"])
def test_a_wrong_secret_names_the_variable_and_the_remedy_but_not_the_secret(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    variable = secrets_variable("office")
    monkeypatch.delenv(variable, raising=False)
    if value is not None:
        monkeypatch.setenv(variable, value)
    with pytest.raises(Mistakes) as mistakes:
        ADAPTER.build("office", SETTINGS)
    (mistake,) = mistakes.value.mistakes
    assert variable in mistake.key
    assert "whsec_" in mistake.remedy
    assert not value or value.split()[0] not in str(mistakes.value)


def test_what_it_can_do_is_a_setting() -> None:
    assert SETTINGS.abilities().owns_timer == "pbx"
    assert not SETTINGS.abilities().can_connect_late
    poor = WebhookSettings(command_url="http://x/c", owns_timer="server", idempotent_legs=False, reports_ringing=False)
    abilities = poor.abilities()
    assert (abilities.owns_timer, abilities.idempotent_legs, abilities.reports_ringing) == ("server", False, False)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"command_url": "pbx.example"},
        {"command_url": "https://user:word@pbx.example/"},
        {"command_url": "https://pbx.example/?token=1"},
        {"command_url": "https://pbx.example/", "answer_within_s": 0},
        {"command_url": "https://pbx.example/", "secret": "x"},
    ],
)
def test_settings_that_cannot_be(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        WebhookSettings.model_validate(given)


async def _nobody(_reports: object) -> list[None]:
    return []
