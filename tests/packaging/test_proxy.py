"""The nginx example, played by nginx itself before a server of ours: what a page, a webhook and a stranger get.

Names, ports and certificate of the example are replaced by ours; every other line is played as it stands.
"""

import asyncio
import io
import os
import re
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from tests.packaging.programs import program
from tests.packaging.tree import ROOT
from tests.support.ports import free_port

pytestmark = pytest.mark.packaging

LIMIT_S = 30.0

AROUND = """
{user}
daemon off;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    include {home}/site.conf;
}}
"""


@dataclass
class Behind:
    """The server behind the proxy: remembers what it was told, and holds a live page open until it is let go."""

    seen: list[web.Request] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def app(self) -> web.Application:
        app = web.Application()
        app.add_routes(
            [
                web.get("/live", self._live),
                web.get("/metrics", self._plain),
                web.get("/", self._plain),
                web.post("/webhooks/pbx/webhook", self._drop),
            ]
        )
        return app

    async def _plain(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        return web.Response(text="ok")

    async def _live(self, request: web.Request) -> web.StreamResponse:
        page = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await page.prepare(request)
        await page.write(b"data: first\n\n")
        await self.go_on.wait()
        await page.write(b"data: second\n\n")
        return page

    async def _drop(self, request: web.Request) -> web.Response:
        self.seen.append(request)
        await request.read()
        assert request.transport
        request.transport.abort()  # the server dies after it may have admitted the event
        return web.Response()


@dataclass
class Proxy:
    behind: Behind
    http: int
    https: int
    trust: ssl.SSLContext

    def url(self, path: str) -> str:
        return f"https://hopline.example.com:{self.https}{path}"

    @asynccontextmanager
    async def client(self, address: str = "127.0.0.1") -> AsyncIterator[aiohttp.ClientSession]:
        """A client that speaks from `address` (all of 127/8 is ours) and finds the example's name on this machine."""
        connector = aiohttp.TCPConnector(ssl=self.trust, resolver=Here(), local_addr=(address, 0))
        timeout = aiohttp.ClientTimeout(total=LIMIT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield session


class Here(aiohttp.abc.AbstractResolver):
    """Every name is this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[aiohttp.abc.ResolveResult]:
        return [{"hostname": host, "host": "127.0.0.1", "port": port, "family": 2, "proto": 0, "flags": 0}]

    async def close(self) -> None:
        pass


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    nginx = program("nginx", "usr/sbin/nginx")
    behind = Behind()
    runner = web.AppRunner(behind.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    upstream = runner.addresses[0][1]
    made = Proxy(behind, free_port(), free_port(), _certificate(tmp_path))
    _write_configuration(tmp_path, upstream, made)
    child = await asyncio.create_subprocess_exec(nginx, "-p", tmp_path, "-c", tmp_path / "nginx.conf")
    try:
        await _listening(child, made.https, tmp_path / "error.log")
        yield made
    finally:
        behind.go_on.set()
        if child.returncode is None:
            child.terminate()
        await asyncio.wait_for(child.wait(), LIMIT_S)
        await runner.cleanup()


def _certificate(home: Path) -> ssl.SSLContext:
    name = ("-subj", "/CN=hopline.example.com", "-addext", "subjectAltName=DNS:hopline.example.com")
    files = ("-keyout", home / "privkey.pem", "-out", home / "fullchain.pem")
    command = ("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", *name, *files)
    subprocess.run(command, check=True, capture_output=True)
    return ssl.create_default_context(cafile=str(home / "fullchain.pem"))


def _write_configuration(home: Path, upstream: int, made: Proxy) -> None:
    text = (ROOT / "deploy/proxy/nginx.conf").read_text(encoding="utf-8")
    for there, here in (
        (r"server 127\.0\.0\.1:8080;", f"server 127.0.0.1:{upstream};"),
        (r"listen (\[::\]:)?80;", f"listen 127.0.0.1:{made.http};"),
        (r"listen (\[::\]:)?443 ", f"listen 127.0.0.1:{made.https} "),
        (r"/etc/letsencrypt/live/hopline\.example\.com", str(home)),
    ):
        text, times = re.subn(there, here, text)
        assert times, f"the example no longer says {there}"
    # two lines listened (v4, v6) and are one now
    lines = text.splitlines()
    kept = [line for at, line in enumerate(lines) if not ("listen" in line and line in lines[max(0, at - 1) : at])]
    (home / "site.conf").write_text("\n".join(kept), encoding="utf-8")
    user = "user root;" if os.geteuid() == 0 else ""
    (home / "nginx.conf").write_text(AROUND.format(home=home, user=user), encoding="utf-8")


async def _listening(child: asyncio.subprocess.Process, port: int, log: Path) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            assert child.returncode is None, log.read_text(encoding="utf-8")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)  # another program: there is no event to wait for
            else:
                writer.close()
                await writer.wait_closed()
                return


async def test_a_live_page_is_not_held_back(proxy: Proxy) -> None:
    """The second event is sent only after the first has arrived: with buffering this would wait for ever."""
    async with proxy.client() as client, client.get(proxy.url("/live")) as page:
        assert await page.content.readuntil(b"\n\n") == b"data: first\n\n"
        proxy.behind.go_on.set()
        assert await page.content.readuntil(b"\n\n") == b"data: second\n\n"


async def test_the_client_address_is_appended_to_what_the_client_claims(proxy: Proxy) -> None:
    claimed = {"X-Forwarded-For": "10.1.1.1"}
    async with proxy.client("127.0.0.9") as client, client.get(proxy.url("/"), headers=claimed) as answer:
        assert answer.status == 200
        assert answer.headers["Strict-Transport-Security"]
    (request,) = proxy.behind.seen
    assert request.headers["X-Forwarded-For"] == "10.1.1.1, 127.0.0.9"
    assert request.headers["X-Forwarded-Proto"] == "https"
    assert request.headers["Host"] == "hopline.example.com"


async def test_a_webhook_is_given_once_even_when_the_server_dies_over_it(proxy: Proxy) -> None:
    async with proxy.client() as client, client.post(proxy.url("/webhooks/pbx/webhook"), data=b"{}") as answer:
        assert answer.status == 502
    assert len(proxy.behind.seen) == 1


async def test_a_body_of_megabytes_is_refused(proxy: Proxy) -> None:
    body = io.BytesIO(b"x" * 2_000_000)
    async with proxy.client() as client, client.post(proxy.url("/webhooks/pbx/webhook"), data=body) as answer:
        assert answer.status == 413
    assert proxy.behind.seen == []


@pytest.mark.parametrize(("address", "status"), [("127.0.0.1", 200), ("127.0.0.9", 403)])
async def test_metrics_are_for_this_machine_only(proxy: Proxy, address: str, status: int) -> None:
    async with proxy.client(address) as client, client.get(proxy.url("/metrics")) as answer:
        assert answer.status == status


async def test_plain_http_is_sent_to_https(proxy: Proxy) -> None:
    async with proxy.client() as client:
        plain = f"http://hopline.example.com:{proxy.http}/calls?day=1"
        async with client.get(plain, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (301, "https://hopline.example.com/calls?day=1")
