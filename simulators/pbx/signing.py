"""Standard Webhooks signatures as a PBX owner would write them from the specification, with nothing but Python.

`webhook-id`, `webhook-timestamp` (Unix seconds of the attempt), `webhook-signature` (`v1,` and the base64 of the
HMAC-SHA256 over `<id>.<timestamp>.<body>`); the secret is `whsec_` and base64.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence


def key(secret: str) -> bytes:
    """The bytes of a secret as it is written."""
    return base64.b64decode(secret.removeprefix("whsec_"))


def signed(secret: bytes, message: str, body: bytes, at_s: int) -> dict[str, str]:
    """The three headers."""
    return {
        "webhook-id": message,
        "webhook-timestamp": str(at_s),
        "webhook-signature": _v1(secret, message, at_s, body),
    }


def proven(
    secrets: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: float, window_s: int = 300
) -> bool:
    """Whether a holder of one of the secrets signed this within the window."""
    message, stamp, given = (headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not message or not stamp.isdigit() or abs(now_s - int(stamp)) > window_s:
        return False
    right = [_v1(secret, message, int(stamp), body) for secret in secrets]
    return any(hmac.compare_digest(one, word) for one in right for word in given.split())


def _v1(secret: bytes, message: str, at_s: int, body: bytes) -> str:
    digest = hmac.new(secret, f"{message}.{at_s}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()
