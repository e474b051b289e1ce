"""The OpenAPI document says what the manual says, and what the running server does."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from router.telephony_adapter.webhook.paper import document
from simulators.pbx import signing
from tests.docs.papers import ROOT
from tests.support.ports import free_port
from tests.telephony_adapter.webhook.served import SECRET, served_beside

MANUAL = (ROOT / "docs" / "webhook-pbx.md").read_text(encoding="utf-8")
EXAMPLES = [
    pytest.param(kind, json.loads(text), id=f"{kind}-{number}")
    for number, (kind, text) in enumerate(
        re.findall(r"^```json (\w+)\n(.*?)^```$", MANUAL, re.DOTALL | re.MULTILINE)
    )
]  # fmt: skip
SCHEMAS = {
    "event": "Event", "command": "Command", "leg": "LegSeen", "calls": "Calls", "advice": "Advice",
    "fetched": "HandedOut", "answered": "Answered", "accepted": "Accepted",
}  # fmt: skip
PAPER = document("office", polled=True)


def validator(title: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{title}", "components": PAPER["components"]}
    return jsonschema_rs.Draft202012Validator(schema)


@pytest.mark.parametrize(("kind", "body"), EXAMPLES)
def test_an_example_of_the_manual_is_described(kind: str, body: Any) -> None:
    validator(SCHEMAS[kind]).validate(body)


def test_every_kind_of_example_is_there() -> None:
    shown: list[Any] = [param.values for param in EXAMPLES]
    assert {kind for kind, _ in shown} == SCHEMAS.keys()
    told = {body["type"] for kind, body in shown if kind == "event"}
    described = {
        schema["properties"]["type"]["enum"][0]
        for title, schema in PAPER["components"]["schemas"].items()
        if title.endswith("Told")
    }
    assert told == described


@pytest.mark.parametrize(
    ("title", "wrong"),
    [
        ("Event", {"type": "leg.ringing"}), ("Event", {"type": "weather", "call": "c"}),
        ("Event", {"type": "device.state", "extension": "101", "reachable": "yes"}),
        ("Command", {"command": "ring", "call": "c"}), ("Advice", {"do": "sing"}),
        ("Answered", {"id": "x", "status": 7}), ("Calls", {"calls": [{}]}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_not_described(title: str, wrong: Any) -> None:
    assert not validator(title).is_valid(wrong)


# --- the running server ---------------------------------------------------------------------------------------------

API = schemathesis.openapi.from_dict(PAPER)
CHECKS = [
    checks.not_a_server_error, openapi_checks.status_code_conformance, openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]  # fmt: skip
PLAYED = settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)  # fmt: skip
seen: dict[str, set[int]] = {}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that conducts and is polled: all routes are there. Polls do not wait, so that nothing has to."""
    data: Path = tmp_path_factory.mktemp("served") / "data"
    with served_beside(data, free_port(), commands="poll") as url:
        yield url


def send(case: "schemathesis.Case[Any]", address: str, *, honest: bool) -> requests.Response:
    """The generated case over HTTP; `honest`: with headers that prove its sender."""
    kwargs = case.as_transport_kwargs(base_url=address)
    query: Mapping[str, Any] | None = kwargs.get("params")
    if (
        case.path.endswith("/commands")
        and case.method == "GET"
        and not (query and str(query.get("wait_s", "")).startswith("-"))
    ):
        kwargs["params"] = {**(query or {}), "wait_s": "0"}
    request = requests.Request(**{key: value for key, value in kwargs.items() if key in _REQUEST}).prepare()
    if honest:
        body: Any = request.body or b""
        raw = body.encode() if isinstance(body, str) else body
        name = re.sub(r"[^\x21-\x2d\x2f-\x7e]", "", str(request.headers.get("webhook-id", "")))[:200] or "fact-1"
        request.headers.update(signing.signed(signing.key(SECRET), name, raw, int(time.time())))
    with requests.Session() as session:
        return session.send(request, timeout=30)


_REQUEST = {"method", "url", "headers", "params", "data", "json", "cookies", "files"}


@pytest.mark.slow
@API.parametrize()
@PLAYED
def test_signed_by_a_pbx(case: "schemathesis.Case[Any]", address: str) -> None:
    played(case, address, honest=True)


@pytest.mark.slow
@API.parametrize()
@PLAYED
def test_signed_by_nobody(case: "schemathesis.Case[Any]", address: str) -> None:
    played(case, address, honest=False)


def played(case: "schemathesis.Case[Any]", address: str, *, honest: bool) -> None:
    response = send(case, address, honest=honest)
    seen.setdefault(f"{case.method} {'honest' if honest else 'anybody'}", set()).add(response.status_code)
    case.validate_response(response, checks=CHECKS)


@pytest.mark.slow
def test_the_play_met_what_it_was_for(address: str) -> None:
    """Else it would prove nothing: facts were taken, others kept, strangers refused."""
    assert {200, 202, 400} <= seen["POST honest"], seen
    assert {400, 401} <= seen["POST anybody"] <= {400, 401, 405}, seen


@pytest.mark.slow
def test_the_document_is_served(address: str) -> None:
    answer = requests.get(f"{address}/webhooks/pbx/office/openapi.json", timeout=30)
    assert answer.json() == json.loads(json.dumps(PAPER))
