"""The few ARI requests that the rig makes itself: is it up, what is left over, set a global variable."""

import base64
import http.client
import json
from typing import Any, cast
from urllib.parse import urlencode


class AriError(RuntimeError):
    """Asterisk refused a request."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(f"ARI answered {status}: {text}")
        self.status = status


class Ari:
    """Blocking requests to Asterisk's REST interface; a connection for each, so any thread may ask."""

    def __init__(self, port: int, user: str, password: str) -> None:
        self.port, self.user, self.password = port, user, password
        self.url = f"http://127.0.0.1:{port}/ari"
        self._auth = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    def request(self, method: str, path: str, **query: str) -> Any:
        """Answer's JSON (None when empty). AriError on 4xx and 5xx, OSError when nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            target = f"/ari{path}" + (f"?{urlencode(query)}" if query else "")
            connection.request(method, target, headers={"Authorization": self._auth})
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise AriError(answer.status, body.decode(errors="replace"))
        return json.loads(body) if body else None

    def ready(self) -> bool:
        """Whether Asterisk is fully booted."""
        try:
            self.request("GET", "/asterisk/ping")
        except (OSError, http.client.HTTPException, AriError):
            return False
        return True

    def channels(self) -> list[dict[str, Any]]:
        """All live channels."""
        return cast(list[dict[str, Any]], self.request("GET", "/channels"))

    def bridges(self) -> list[dict[str, Any]]:
        """All live bridges."""
        return cast(list[dict[str, Any]], self.request("GET", "/bridges"))

    def applications(self) -> list[str]:
        """Names of the applications that are connected."""
        return [app["name"] for app in self.request("GET", "/applications")]

    def set_global(self, name: str, value: str) -> None:
        """Set a global variable of the dialplan."""
        self.request("POST", "/asterisk/variable", variable=name, value=value)
