"""Commands delivered to a PBX that can be reached: one signed `POST <command_url>` each, `GET <command_url>/calls`."""

from collections.abc import Callable

import aiohttp

from router.basis.failures import Permanent, Temporary
from router.telephony_adapter.port import NotSent
from router.telephony_adapter.webhook.config import WebhookSettings
from router.telephony_adapter.webhook.mailbox import Answer
from router.telephony_adapter.webhook.signature import Keys


class Callback:
    """The way out over HTTP."""

    def __init__(self, settings: WebhookSettings, keys: Keys, now_s: Callable[[], float]) -> None:
        self._settings = settings
        self._keys = keys
        self._now_s = now_s
        self._url = (settings.command_url or "").rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def ask(self, delivery: str, body: bytes) -> Answer:
        """Deliver; an empty body asks for the list of calls. Raises NotSent, Temporary, Permanent."""
        method, url = ("POST", self._url) if body else ("GET", f"{self._url}/calls")
        headers = self._keys.sign(delivery, body, self._now_s()) | {"Content-Type": "application/json"}
        session = self._open()
        try:
            async with session.request(
                method, url, data=body or None, headers=headers, allow_redirects=False
            ) as answer:
                return answer.status, await answer.read(), answer.headers.get("Retry-After", "")
        except aiohttp.ClientConnectorError as error:
            raise NotSent("not_reached", str(error.os_error)) from error
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError) as error:
            raise Permanent("bad_address", str(error)) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise Temporary("no_answer", type(error).__name__) from error

    async def close(self) -> None:
        """Free the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self._settings.connections),
                timeout=aiohttp.ClientTimeout(total=self._settings.answer_within_s),
            )
        return self._session
