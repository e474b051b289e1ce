"""A Stasis application that takes calls and does nothing by itself: a server that hangs, or is killed when told."""

import base64
import json
import os
import socket
import struct
from types import TracebackType
from typing import Any, Self, cast

from tests.e2e.asterisk.rig.ari import Ari


class Application:
    """A WebSocket to `/ari/events`, read only when asked; `with Application(ari, "name") as application: ...`."""

    def __init__(self, ari: Ari, name: str) -> None:
        self.ari, self.name = ari, name
        self._buffer = b""
        self._socket = socket.create_connection(("127.0.0.1", ari.port), timeout=30)
        secret = base64.b64encode(f"{ari.user}:{ari.password}".encode()).decode()
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            f"GET /ari/events?app={name} HTTP/1.1", f"Host: 127.0.0.1:{ari.port}", f"Authorization: Basic {secret}",
            "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Protocol: ari", "", "",
        )  # fmt: skip
        self._socket.sendall("\r\n".join(lines).encode())
        while b"\r\n\r\n" not in self._buffer:
            self._receive()
        answer, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        assert b" 101 " in answer.partition(b"\r\n")[0], answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    def kill(self) -> None:
        """What the kernel does for a process that got SIGKILL: the connection is reset, no closing word is said."""
        if self._socket.fileno() >= 0:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._socket.close()

    def wait_for(self, kind: str) -> dict[str, Any]:
        """The next event of this type; others before it are dropped. TimeoutError after 30 s without any event."""
        while True:
            event = self._event()
            if event["type"] == kind:
                return event

    def _event(self) -> dict[str, Any]:
        # Frames from a server are not masked (RFC 6455 5.1); Asterisk sends each event as one text frame.
        head = self._take(2)
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._take(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._take(8))
        body = self._take(length)
        return cast(dict[str, Any], json.loads(body)) if head[0] & 0x0F == 1 else {"type": ""}

    def _take(self, count: int) -> bytes:
        while len(self._buffer) < count:
            self._receive()
        taken, self._buffer = self._buffer[:count], self._buffer[count:]
        return taken

    def _receive(self) -> None:
        data = self._socket.recv(65536)
        if not data:
            raise ConnectionError("Asterisk closed the WebSocket")
        self._buffer += data
