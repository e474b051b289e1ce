"""Connections to ARI: which one is used, what is read, what a broken one means. Against a server of plain bytes."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from router.telephony_adapter.asterisk import connections as connections_module
from router.telephony_adapter.asterisk.connections import Connections, Cut, Reply, Unreachable
from tests.support.ports import free_port

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Far:
    """The far end: answers each request with the next of `answers` (the last one again and again)."""

    answers: list[bytes] = field(default_factory=lambda: [OK])
    requests: list[bytes] = field(default_factory=list)
    opened: int = 0
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    """No answer leaves before it is set."""
    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        self.opened += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(length))
                answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                await self.hold.wait()
                writer.write(answer)
                if not answer or b"Connection: close" in answer:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


Opener = Callable[..., Connections]


@pytest.fixture
async def far() -> AsyncIterator[Far]:
    far = Far()
    far.hold.set()
    server = await asyncio.start_server(far.serve, "127.0.0.1", 0)
    far.port = server.sockets[0].getsockname()[1]
    yield far
    server.close()
    for writer in far.writers:
        writer.close()
    await server.wait_closed()


@pytest.fixture
async def opened(far: Far) -> AsyncIterator[Opener]:
    made: list[Connections] = []

    def opener(*, most: int = 4, keep_s: float = 10.0, limit_s: float = 20.0, port: int = 0) -> Connections:
        url = f"http://127.0.0.1:{port or far.port}/ari/"
        made.append(
            Connections(url, most=most, keep_s=keep_s, limit_s=limit_s, headers="Authorization: Basic eA==\r\n")
        )
        return made[-1]

    yield opener
    for connections in made:
        connections.close()
    await asyncio.sleep(0)


async def until(holds: Callable[[], bool]) -> None:
    """Let the loop go round until it holds."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - the protocol under test has no event to wait for
            await asyncio.sleep(0)


async def test_a_request_as_it_is_sent(far: Far, opened: Opener) -> None:
    connections = opened()
    assert await connections.ask("POST", "/channels/1.2.h1", b'{"timeout":8}') == Reply(200, b"{}")
    await connections.ask("DELETE", "/channels/1.2.h1?reason_code=19")
    host = f"Host: 127.0.0.1:{far.port}\r\nAuthorization: Basic eA==\r\n"
    assert far.requests == [
        f"POST /ari/channels/1.2.h1 HTTP/1.1\r\n{host}Content-Type: application/json\r\nContent-Length: 13\r\n\r\n"
        '{"timeout":8}'.encode(),
        f"DELETE /ari/channels/1.2.h1?reason_code=19 HTTP/1.1\r\n{host}Content-Length: 0\r\n\r\n".encode(),
    ]  # fmt: skip


async def test_the_bytes_leave_in_the_step_that_asks(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    """No other task of the loop, a turn of the engine above all, comes between a ring and the wire."""
    connections = opened()
    await connections.ask("GET", "/channels")
    written: list[bytes] = []
    (idle,) = connections._idle
    assert idle._transport
    write = idle._transport.write

    def noted(data: bytes) -> None:
        written.append(data)
        write(data)

    monkeypatch.setattr(idle._transport, "write", noted)
    asking = asyncio.ensure_future(connections.ask("POST", "/channels/1.2.h1", b"{}"))
    steps = 0
    while not written and steps < 5:
        await asyncio.sleep(0)
        steps += 1
    assert steps == 1
    await asking


async def test_one_connection_serves_one_after_another_and_several_serve_at_once(far: Far, opened: Opener) -> None:
    connections = opened(most=4)
    for _ in range(3):
        await connections.ask("GET", "/channels")
    assert far.opened == 1
    far.hold.clear()
    asking = [asyncio.ensure_future(connections.ask("GET", f"/channels/{number}")) for number in range(10)]
    await until(lambda: len(far.requests) == 3 + 4)
    assert far.opened == 4, "no more than `most`"
    far.hold.set()
    assert [reply.status for reply in await asyncio.gather(*asking)] == [200] * 10
    assert far.opened == 4
    assert sorted(request.split()[1] for request in far.requests[3:]) == [b"/ari/channels/%d" % n for n in range(10)]


async def test_an_old_connection_is_not_used(far: Far, opened: Opener) -> None:
    connections = opened(keep_s=0.0)
    await connections.ask("GET", "/channels")
    await connections.ask("GET", "/channels")
    assert far.opened == 2


async def test_a_fresh_one_is_opened_where_it_is_asked_for_also_when_all_are_taken(far: Far, opened: Opener) -> None:
    connections = opened(most=1)
    await connections.ask("GET", "/channels")
    await connections.ask("GET", "/channels", fresh=True)
    assert far.opened == 2
    assert len(connections._all) == 1


@pytest.mark.parametrize(
    ("answer", "reply"),
    [
        (b"HTTP/1.1 204 No Content\r\nServer: Asterisk\r\n\r\n", Reply(204, b"")),
        (b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", Reply(404, b"")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n",
            Reply(200, b"[1,2]"),
        ),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + OK, Reply(200, b"{}")),
    ],
    ids=["without a body", "empty", "in chunks", "after a 100"],
)
async def test_answers_in_their_forms(far: Far, opened: Opener, answer: bytes, reply: Reply) -> None:
    connections = opened()
    far.answers = [answer, OK]
    assert await connections.ask("GET", "/channels") == reply
    assert await connections.ask("GET", "/channels") == Reply(200, b"{}")
    assert far.opened == 1


async def test_an_answer_in_pieces(far: Far, opened: Opener) -> None:
    connections = opened()
    far.answers = [b"HTTP/1.1 200 OK\r\nConte"]
    asking = asyncio.ensure_future(connections.ask("GET", "/channels"))
    await until(lambda: bool(far.requests))
    for piece in (b"nt-Length: 4\r\n\r\nab", b"cd"):
        await asyncio.sleep(0.01)
        far.writers[0].write(piece)
    assert await asking == Reply(200, b"abcd")


async def test_told_to_close_it_is_closed(far: Far, opened: Opener) -> None:
    connections = opened()
    far.answers = [b"HTTP/1.1 401 Unauthorized\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", OK]
    assert await connections.ask("GET", "/channels") == Reply(401, b"")
    assert await connections.ask("GET", "/channels") == Reply(200, b"{}")
    assert far.opened == 2


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nhalf", b"SSH-2.0-OpenSSH_9.2\r\n"],
    ids=["none", "half", "of another protocol"],
)
async def test_an_answer_that_is_cut_off_or_makes_no_sense(far: Far, opened: Opener, answer: bytes) -> None:
    connections = opened()
    far.answers = [answer, OK]
    with pytest.raises(Cut):
        await connections.ask("GET", "/channels")
    assert await connections.ask("GET", "/channels") == Reply(200, b"{}")


async def test_an_endless_answer_is_cut_off(far: Far, opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "ANSWER_LIMIT", 1_000)
    connections = opened()
    far.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + bytes(2_000), OK]
    with pytest.raises(Cut):
        await connections.ask("GET", "/channels")
    assert await connections.ask("GET", "/channels") == Reply(200, b"{}")


async def test_words_that_nobody_asked_for_end_the_connection(far: Far, opened: Opener) -> None:
    connections = opened()
    await connections.ask("GET", "/channels")
    far.writers[0].write(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n")
    await until(lambda: not connections._all)
    assert await connections.ask("GET", "/channels") == Reply(200, b"{}")
    assert far.opened == 2


async def test_nobody_listens(opened: Opener) -> None:
    connections = opened(port=free_port(), most=1)
    for _ in range(3):  # and the room for a connection is free again
        with pytest.raises(Unreachable):
            await connections.ask("GET", "/channels")


async def test_no_answer_within_the_limit_and_none_is_taken_for_the_next(far: Far, opened: Opener) -> None:
    connections = opened(most=1, limit_s=0.05)
    far.hold.clear()
    with pytest.raises(TimeoutError):
        await connections.ask("GET", "/channels/late")
    assert connections._idle == []
    far.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"]
    far.hold.set()
    connections._limit_s = 20.0
    assert await connections.ask("GET", "/channels/next") == Reply(200, b"next")


async def test_who_waits_for_room_gets_it_when_the_one_before_is_given_up(far: Far, opened: Opener) -> None:
    connections = opened(most=1)
    far.hold.clear()
    first = asyncio.ensure_future(connections.ask("GET", "/channels/1"))
    await until(lambda: bool(far.requests))
    gives_up = asyncio.ensure_future(connections.ask("GET", "/channels/2"))
    third = asyncio.ensure_future(connections.ask("GET", "/channels/3"))
    await asyncio.sleep(0)
    gives_up.cancel()
    first.cancel()
    far.hold.set()
    await _ended(first, gives_up)
    assert await third == Reply(200, b"{}")


async def _ended(*tasks: "asyncio.Future[Reply]") -> None:
    ends = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(end, asyncio.CancelledError) for end in ends)


async def test_a_turn_that_comes_too_late_goes_to_the_next(
    far: Far, opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given up in the very step in which room was made for it: whoever waits behind it must not wait for ever."""
    connections = opened(most=1)
    far.hold.clear()
    first = asyncio.ensure_future(connections.ask("GET", "/channels/1"))
    await until(lambda: bool(far.requests))
    gives_up = asyncio.ensure_future(connections.ask("GET", "/channels/2"))
    third = asyncio.ensure_future(connections.ask("GET", "/channels/3"))
    await asyncio.sleep(0)
    make_room = connections._next

    def make_room_too_late() -> None:
        monkeypatch.setattr(connections, "_next", make_room)
        make_room()
        assert gives_up.cancel()

    monkeypatch.setattr(connections, "_next", make_room_too_late)
    far.hold.set()
    assert await first == Reply(200, b"{}")
    await _ended(gives_up)
    assert await third == Reply(200, b"{}")


async def test_lost_in_the_step_in_which_it_was_made(opened: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    connections = opened()
    made = connections_module._Connection.connection_made

    def cut_at_once(self: connections_module._Connection, transport: asyncio.BaseTransport) -> None:
        made(self, transport)
        self.close()

    monkeypatch.setattr(connections_module._Connection, "connection_made", cut_at_once)
    with pytest.raises(Cut):
        await connections.ask("GET", "/channels")
