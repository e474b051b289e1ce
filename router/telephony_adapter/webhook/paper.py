"""The OpenAPI document of this contract, both directions, made from the very types that read and write it. Pure.

`paths` is what the server offers, `webhooks` what it asks of the PBX. For people there is `docs/webhook-pbx.md`; a test
holds that its examples are what this document describes, and another plays the running server against it.
"""

from typing import Any

import msgspec

from router.chains.effects import Advice
from router.telephony_adapter.webhook.answers import Said
from router.telephony_adapter.webhook.commands import Answered, Command, HandedOut, Taken
from router.telephony_adapter.webhook.wire import AnyTold, Calls, CallSeen


class Accepted(msgspec.Struct, frozen=True):
    """The facts are on the disk."""

    accepted: int
    replies: tuple[Advice | None, ...] = ()
    """One for each event, where there is any: the advice for `advice.asked`."""


class Kept(msgspec.Struct, frozen=True):
    """Signed and kept, but not all of it is in this contract."""

    accepted: int
    not_understood: tuple[str, ...]
    remark: str


class Wrong(msgspec.Struct, frozen=True):
    """Which header or field, what was found, what to do."""

    key: str
    value: str
    remedy: str


class NotTaken(msgspec.Struct, frozen=True):
    """Not taken: correct it, then send again."""

    error: Wrong


class Later(msgspec.Struct, frozen=True):
    """Not stored: send again under the same webhook-id."""

    error: str


_REF = "#/components/schemas/{name}"
_BODIES: dict[str, Any] = {
    "Event": AnyTold, "Accepted": Accepted, "Kept": Kept, "NotTaken": NotTaken, "Later": Later, "Command": Command,
    "CommandAnswer": Said, "Call": CallSeen, "Calls": Calls, "HandedOut": HandedOut, "Answered": Answered,
    "Taken": Taken, "Advice": Advice,
}  # fmt: skip
_TIMESTAMP = {"type": "string", "format": "date-time", "description": "When it happened; kept with the payload."}


def document(name: str, *, polled: bool = False) -> dict[str, Any]:
    """The document for the PBX `name`; `polled`: it fetches its commands."""
    roots, components = msgspec.json.schema_components(list(_BODIES.values()), ref_template=_REF)
    schemas = dict(components)
    for title, root in zip(_BODIES, roots, strict=True):
        schemas.setdefault(title, root)
    for title, schema in schemas.items():
        if title.endswith("Told") and "properties" in schema:
            schema["properties"].setdefault("timestamp", _TIMESTAMP)
    below = f"/webhooks/pbx/{name}"
    paths: dict[str, Any] = {
        below: {"post": _tell()},
        f"{below}/openapi.json": {
            "get": _operation("This document", {"200": _json("The document", {"type": "object"})})
        },
    }
    if polled:
        paths[f"{below}/commands"] = {"get": _fetch(), "post": _answer()}
    return {
        "openapi": "3.1.0",
        "info": {"title": "Hopline: connect any PBX by signed webhooks", "version": "1"},
        "paths": paths,
        "webhooks": {"command": {"post": _command()}, "calls": {"get": _calls()}},
        "components": {"schemas": schemas, "parameters": _HEADERS},
    }


_HEADERS = {
    "webhook-id": {
        "name": "webhook-id", "in": "header", "required": True,
        "description": "Identity of what is said: the same when it is said again.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": r"^[\x21-\x2d\x2f-\x7e]+$"},
    },
    "webhook-timestamp": {
        "name": "webhook-timestamp", "in": "header", "required": True,
        "description": "Unix seconds of this attempt.",
        "schema": {"type": "string", "pattern": "^[0-9]{1,10}$"},
    },
    "webhook-signature": {
        "name": "webhook-signature", "in": "header", "required": True,
        "description": "`v1,` and the base64 of HMAC-SHA256 over `<id>.<timestamp>.<body>` (Standard Webhooks).",
        "schema": {"type": "string", "minLength": 1},
    },
}  # fmt: skip
_SIGNED = [{"$ref": f"#/components/parameters/{header}"} for header in _HEADERS]


def _ref(title: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{title}"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _one_or_many(title: str) -> dict[str, Any]:
    schema = {"anyOf": [_ref(title), {"type": "array", "items": _ref(title)}]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _operation(summary: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"summary": summary, "responses": responses, **more}


_REFUSALS = {
    "400": _json("A header, parameter or the body cannot be read", _ref("NotTaken")),
    "401": _json("No holder of the secret signed this lately", _ref("NotTaken")),
}
_TOO_LARGE = {"413": _json("Too large: send it in parts", _ref("NotTaken"))}
_LATER = {"503": _json("Not stored, or the server is stopping: again, after Retry-After seconds", _ref("Later"))}


def _this() -> dict[str, Any]:
    return _operation("This document", {"200": _json("The document", {"type": "object"})})


def _tell() -> dict[str, Any]:
    responses = {
        "200": _json("Stored", _ref("Accepted")),
        "202": _json("Kept, but not understood", _ref("Kept")),
        **_REFUSALS, **_TOO_LARGE, **_LATER,
    }  # fmt: skip
    return _operation("Tell what happened", responses, parameters=_SIGNED, requestBody=_one_or_many("Event"))


def _fetch() -> dict[str, Any]:
    after = {"name": "after", "in": "query", "schema": {"type": "string"}, "description": "`after` of the last answer."}
    wait = {
        "name": "wait_s", "in": "query", "description": "How long to wait for a command, seconds.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 60, "default": 25},
    }  # fmt: skip
    responses = {"200": _json("Commands, none if the time is over", _ref("HandedOut")), **_REFUSALS, **_LATER}
    return _operation("Fetch commands", responses, parameters=[*_SIGNED, after, wait])


def _answer() -> dict[str, Any]:
    responses = {"200": _json("Taken", _ref("Taken")), **_REFUSALS, **_TOO_LARGE}
    return _operation("Answer commands", responses, parameters=_SIGNED, requestBody=_one_or_many("Answered"))


def _command() -> dict[str, Any]:
    responses = {
        "200": _json("Accepted; to a look: the call", {"anyOf": [_ref("Call"), _ref("CommandAnswer")]}),
        "404": _json("Gone", _ref("CommandAnswer")),
        "409": _json("Already done", _ref("CommandAnswer")),
        "422": _json("Refused, with the reason", _ref("CommandAnswer")),
        "503": {"description": "Not taken: asked again, after Retry-After seconds if that is given"},
        "default": _json("Cannot be done: a person is told", _ref("CommandAnswer")),
    }
    body = {"required": True, "content": {"application/json": {"schema": _ref("Command")}}}
    return _operation("POST <command_url>: do this", responses, parameters=_SIGNED, requestBody=body)


def _calls() -> dict[str, Any]:
    responses = {"200": _json("All live calls", _ref("Calls"))}
    return _operation("GET <command_url>/calls: what is true", responses, parameters=_SIGNED)
