"""Who is believed: vectors checked against the library, and everything that must not pass."""

import base64
import time
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from router.telephony_adapter.webhook.signature import Keys, Refused
from simulators.pbx import signing

SECRET = "whsec_" + base64.b64encode(b"the secret that both sides have.").decode()
OLDER = "whsec_" + base64.b64encode(b"the secret that is given up soon").decode()
FOREIGN = "whsec_" + base64.b64encode(b"a secret that nobody gave to us.").decode()
BODY = '{"type":"call.ended","call":"c-1","note":"прощайте"}'.encode()
NOW = 1_764_000_000


def headers(secret: str = SECRET, body: bytes = BODY, at: int = NOW, delivery: str = "fact-1") -> dict[str, str]:
    return signing.signed(signing.key(secret), delivery, body, at)


def refusal(given: dict[str, str], body: bytes = BODY, keys: Keys | None = None) -> Refused:
    with pytest.raises(Refused) as refused:
        (keys or Keys([SECRET])).check(given, body, NOW)
    assert refused.value.key
    assert refused.value.remedy
    return refused.value


@pytest.mark.parametrize(
    ("secret", "delivery", "at", "body", "signature"),
    [
        # Standard Webhooks' own: libraries/python/tests/test_webhooks.py, test_sign_function.
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
            b'{"test": 2432232314}', "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ),
        # The vector that docs/webhook-pbx.md gives to owners of PBXs.
        (
            "whsec_aG9wbGluZS1leGFtcGxlLXNlY3JldC0wMDAx", "fact-1", 1764000000,
            b'{"type":"call.ended","call":"c-1"}', "v1,BEo7sVfzsXgQgql9UNhbRLBUt69UsqwJFVJChBTyOJo=",
        ),
    ],
)  # fmt: skip
def test_vectors(secret: str, delivery: str, at: int, body: bytes, signature: str) -> None:
    keys = Keys([secret])
    made = keys.sign(delivery, body, at)
    assert made == {"webhook-id": delivery, "webhook-timestamp": str(at), "webhook-signature": signature}
    assert keys.check(made, body, at) == delivery
    assert signing.signed(signing.key(secret), delivery, body, at) == made
    assert Webhook(secret).sign(delivery, datetime.fromtimestamp(at, UTC), body.decode()) == signature


def test_the_library_believes_us_and_we_believe_the_library() -> None:
    now = int(time.time())  # the library looks at the system's clock
    ours = Keys([SECRET]).sign("fact-1", BODY, now)
    Webhook(SECRET).verify(BODY, ours, json_parse=False)
    theirs = ours | {
        "webhook-signature": Webhook(SECRET).sign("fact-1", datetime.fromtimestamp(now, UTC), BODY.decode())
    }
    assert Keys([SECRET]).check(theirs, BODY, now) == "fact-1"


def test_a_good_delivery_is_known_by_its_id() -> None:
    assert Keys([SECRET]).check(headers(), BODY, NOW + 0.9) == "fact-1"


def test_secrets_are_exchanged_one_by_one() -> None:
    both = Keys([SECRET, OLDER])
    assert both.check(headers(OLDER), BODY, NOW) == "fact-1"
    assert both.check(headers(SECRET), BODY, NOW) == "fact-1"
    assert both.sign("x", BODY, NOW) == headers(SECRET, delivery="x")  # the first signs


def test_several_signatures_in_one_header() -> None:
    two = headers(FOREIGN)["webhook-signature"] + " v1a,abc " + headers()["webhook-signature"]
    assert Keys([SECRET]).check(headers() | {"webhook-signature": two}, BODY, NOW) == "fact-1"


@pytest.mark.parametrize("age", [-300, -1, 0, 299, 300])
def test_inside_the_window(age: int) -> None:
    assert Keys([SECRET]).check(headers(at=NOW - age), BODY, NOW) == "fact-1"


@pytest.mark.parametrize("age", [-301, 301, 86_400])
def test_outside_the_window(age: int) -> None:
    refused = refusal(headers(at=NOW - age))
    assert (refused.status, refused.key) == (401, "webhook-timestamp")


@pytest.mark.parametrize(
    "given",
    [
        headers(FOREIGN),
        headers(body=BODY + b" "),
        headers() | {"webhook-id": "fact-2"},
        headers() | {"webhook-timestamp": str(NOW - 1)},
        headers() | {"webhook-signature": "v1,"},
        headers() | {"webhook-signature": "v1"},
        headers() | {"webhook-signature": "v1,это не подпись"},
        headers() | {"webhook-signature": headers()["webhook-signature"].replace("v1,", "v2,")},
        headers() | {"webhook-signature": headers()["webhook-signature"].removeprefix("v1,")},
        headers() | {"webhook-signature": headers()["webhook-signature"][:-2]},
    ],
)
def test_no_proof(given: dict[str, str]) -> None:
    assert refusal(given).status == 401


def test_a_tampered_body() -> None:
    assert refusal(headers(), BODY.replace(b"c-1", b"c-2")).status == 401


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(name: str) -> None:
    refused = refusal({key: value for key, value in headers().items() if key != name})
    assert (refused.status, refused.key) == (400, name)


@pytest.mark.parametrize("stamp", ["soon", "1764000000.5", "-5", "９", "17640000000", "1e9", " 1764000000"])
def test_an_unreadable_timestamp(stamp: str) -> None:
    refused = refusal(headers() | {"webhook-timestamp": stamp})
    assert (refused.status, refused.key) == (400, "webhook-timestamp")


def test_an_id_with_a_full_stop_could_be_split_elsewhere() -> None:
    assert refusal(headers(delivery="fact.1")).status == 400
    assert refusal(headers(delivery="x" * 201)).status == 400


def test_a_body_that_is_not_utf8() -> None:
    body = b'{"call":"\xff"}'
    assert refusal(headers(body=body), body).key == "body"


@pytest.mark.parametrize(
    "secret", ["", "whsec_", "whsec_c2hvcnQ=", "whsec_!!!!", "secret with spaces", "whsec_" + "A" * 100]
)
def test_a_secret_that_is_none(secret: str) -> None:
    with pytest.raises(ValueError, match="whsec_"):
        Keys([secret])


def test_no_secret_at_all() -> None:
    with pytest.raises(ValueError, match="no secret"):
        Keys([])


@pytest.mark.parametrize("delivery", ["fäct", "a\x00b", "a b\n", "\udcff", "факт"])
def test_an_id_that_is_no_printable_ascii(delivery: str) -> None:
    with pytest.raises(Refused) as refused:
        Keys([SECRET]).check(
            {"webhook-id": delivery, "webhook-timestamp": "1764000000", "webhook-signature": "v1,x"}, b"", 1
        )
    assert (refused.value.status, refused.value.key) == (400, "webhook-id")
