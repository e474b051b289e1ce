"""Standard Webhooks signatures, both ways: who may speak, and when a delivery is too old to be believed. Pure.

The format (spec/standard-webhooks.md, version 1.0.0, "Signature scheme" and "Webhook headers"): three headers
`webhook-id`, `webhook-timestamp` (whole Unix seconds of this *attempt*) and `webhook-signature` (one or more
`v1,<base64>` separated by spaces); signed is `<id>.<timestamp>.<body>` with HMAC-SHA256.

The library signs what we send. What we receive is checked here: the library reads the system's clock itself, has one
secret, raises whatever its parser met on a malformed header, and its way over `datetime`, text and `hmac.new` costs
three times as much as the digest, for every event of every call. The tests hold both against each other.
"""

import binascii
import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from standardwebhooks import Webhook

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"

WINDOW_S = 300
"""How far a delivery's timestamp may be from our clock, seconds, either way. The specification asks for a tolerance
and leaves the number open; its reference libraries use 5 minutes."""

SHORTEST_SECRET, LONGEST_SECRET = 24, 64
"""Bytes of a secret (spec/standard-webhooks.md, "Signature scheme": at least 192 bits, at most 512)."""

_LONGEST_ID = 200
"""Characters. Ids are kept with the fact; nobody needs more than a few dozen."""

_LONGEST_STAMP = 10
"""Digits: they reach to the year 2286. More would only be there to break the conversion to a date."""


class Refused(Exception):
    """The delivery is not believed: which header, its value, what to do."""

    def __init__(self, status: int, key: str, value: str, remedy: str) -> None:
        super().__init__(f"{key}: {remedy}")
        self.status = status
        """400: a header is missing or unreadable; 401: it does not prove who sent this."""
        self.key = key
        self.value = value
        self.remedy = remedy


class Keys:
    """The secrets shared with one PBX. The first signs; all are accepted, so that they can be exchanged one by one."""

    __slots__ = ("_begun", "_signer")

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises ValueError for an empty list, or a secret that is not base64 of 24 to 64 bytes."""
        known = [_secret_bytes(secret) for secret in secrets]
        if not known:
            raise ValueError("no secret given")
        self._signer = Webhook(known[0])
        # Begun once and copied for each delivery: setting up the key is half of the work.
        self._begun = [hmac.new(secret, None, "sha256") for secret in known]

    def check(self, headers: Mapping[str, str], body: bytes, now_s: float) -> str:
        """The delivery's id, once it is proven that a holder of a secret sent it lately. Raises Refused."""
        delivery, given = _present(headers, ID), _present(headers, SIGNATURE)
        if "." in delivery or len(delivery) > _LONGEST_ID or not (delivery.isascii() and delivery.isprintable()):
            # With a dot in the id, one signature would fit several splits into id, timestamp and body.
            raise Refused(400, ID, delivery, f"no full stop in it, printable ASCII, at most {_LONGEST_ID} characters")
        stamp = _seconds(_present(headers, TIMESTAMP))
        if abs(now_s - stamp) > WINDOW_S:
            remedy = f"more than {WINDOW_S} s away from this clock: set yours by NTP, and sign each attempt anew"
            raise Refused(401, TIMESTAMP, str(stamp), remedy)
        _demand_text(body)
        signed = f"{delivery}.{stamp}.".encode() + body
        offered = [word.encode("ascii", "replace") for word in given.split(" ")]
        for begun in self._begun:
            digest = begun.copy()
            digest.update(signed)
            right = b"v1," + binascii.b2a_base64(digest.digest(), newline=False)
            for word in offered:
                if hmac.compare_digest(right, word):
                    return delivery
        remedy = (
            "no v1 signature of these bytes by a shared secret: sign id.timestamp.body as sent, with the same secret"
        )
        raise Refused(401, SIGNATURE, given, remedy)

    def sign(self, delivery: str, body: bytes, now_s: float) -> dict[str, str]:
        """The three headers for a body that goes out now."""
        stamp = int(now_s)
        signature = self._signer.sign(delivery, datetime.fromtimestamp(stamp, UTC), body.decode())
        return {ID: delivery, TIMESTAMP: str(stamp), SIGNATURE: signature}


def _secret_bytes(secret: str) -> bytes:
    try:
        key = binascii.a2b_base64(secret.removeprefix("whsec_") + "==", strict_mode=False)
    except binascii.Error as error:
        raise ValueError("a secret is whsec_ and base64 behind it") from error
    if not re.fullmatch(r"(whsec_)?[A-Za-z0-9+/]+={0,2}", secret) or not SHORTEST_SECRET <= len(key) <= LONGEST_SECRET:
        message = f"a secret is whsec_ and the base64 of {SHORTEST_SECRET} to {LONGEST_SECRET} random bytes"
        raise ValueError(message)
    return key


def _present(headers: Mapping[str, str], name: str) -> str:
    value = headers.get(name)
    if not value:
        raise Refused(400, name, "", "the header is missing: every delivery is signed (Standard Webhooks)")
    return value


def _seconds(stamp: str) -> int:
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= _LONGEST_STAMP):
        raise Refused(400, TIMESTAMP, stamp, "whole Unix seconds of this attempt, digits only")
    return int(stamp)


def _demand_text(body: bytes) -> None:
    if body.isascii():
        return
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise Refused(400, "body", f"byte {error.start}", "it is not UTF-8: send JSON in UTF-8") from error
