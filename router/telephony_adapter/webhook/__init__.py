"""Any PBX whose owner can send and receive signed JSON over HTTP. The contract for him: docs/webhook-pbx.md.

Events come as Standard Webhooks deliveries, commands go out the same way, and the PBX lists its live calls on request.
It is the adapter to take where no vendor's own fits, and the one the demonstration office and the crash tests run on:
because the PBX is idempotent by our leg ids and remembers ended legs, a restart can be exact.

Rooms: `config` (settings), `signature` and `wire` and `answers` (pure), `routes` (in), `client` (out).
"""

import os
from typing import Any, ClassVar

from router.basis.failures import Mistake, Mistakes
from router.telephony_adapter.port import PORT_VERSION, Adapter, Telephony
from router.telephony_adapter.webhook.client import WebhookPbx
from router.telephony_adapter.webhook.config import WebhookSettings, secrets_variable
from router.telephony_adapter.webhook.signature import Keys

__all__ = ["ADAPTER", "WebhookAdapter", "WebhookPbx", "WebhookSettings"]


class WebhookAdapter:
    """Entry point `hopline.telephony`, kind `webhook`."""

    kind: ClassVar[str] = "webhook"
    port_version: ClassVar[int] = PORT_VERSION
    config: type[Any] = WebhookSettings

    def build(self, name: str, config: WebhookSettings) -> Telephony:
        """Reads the secrets from the environment, once. Raises Mistakes."""
        variable = secrets_variable(name)
        try:
            keys = Keys(os.environ.get(variable, "").split())
        except ValueError as error:
            remedy = (
                f"{error}; set {variable} in the environment to one or more secrets, separated by spaces "
                "(each: whsec_ and the base64 of 24 to 64 random bytes; the first signs, all are accepted)"
            )
            raise Mistakes([Mistake(f"environment.{variable}", "***", remedy)]) from error
        return WebhookPbx(name, config, keys)


ADAPTER: Adapter = WebhookAdapter()
