"""`hopline apply` beside a server, without one, and where it must refuse."""

import fcntl
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.crash import company
from tests.crash.company import PEOPLE, configuration, hopline
from tests.crash.lives import Child, start_server
from tests.support.ports import free_port

pytestmark = pytest.mark.net

MEANT = "WARNING list_ends_early [sales]: "
API_TOKEN = "0123456789abcdef" * 2
CLIENTS = "id,name,phones\n" + "".join(f"c{n},Client {n},+7999{n:07}\n" for n in range(1_200))


@asynccontextmanager
async def running(home: Path) -> AsyncIterator[Child]:
    """A server on this folder; killed at the end if it still runs."""
    server = await start_server(configuration(home, free_port(), free_port()))
    try:
        await server.says("hopline listens")
        yield server
    finally:
        await server.kill()


async def apply(home: Path, *more: str, people: str = PEOPLE) -> tuple[int, str, str]:
    path = home / "people.toml"
    path.write_text(people, encoding="utf-8")
    code, output, errors = await hopline("apply", path, "--data", home / "data", *more)
    # The list of this company ends before its window, and is meant to (`tests.crash.company`): that is told each time.
    return code, output, "".join(line for line in errors.splitlines(True) if not line.startswith(MEANT))


async def test_without_a_server_it_writes_the_journal_itself(tmp_path: Path) -> None:
    code, output, errors = await apply(tmp_path, "--dry-run")
    assert (code, errors) == (0, "")
    assert "would be changed" in output
    code, output, _ = await apply(tmp_path)
    assert code == 0
    assert "+ person anna" in output
    assert output.endswith("applied\n")
    code, output, _ = await apply(tmp_path)
    assert (code, output) == (0, "nothing changes\n")


async def test_beside_a_server_it_asks_the_server(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        mode = (tmp_path / "data" / "hopline.sock").stat().st_mode
        assert stat.S_ISSOCK(mode)
        assert stat.S_IMODE(mode) == 0o600
        code, output, errors = await apply(tmp_path)
        assert (code, errors) == (0, "")
        assert output.endswith("applied\n")
        code, output, _ = await apply(tmp_path, people=PEOPLE.replace('name = "Anna"', 'name = "Anna L."'))
        assert code == 0
        assert "~ person anna" in output
        assert await server.terminate() == 0
    assert not (tmp_path / "data" / "hopline.sock").exists()
    code, output, _ = await apply(tmp_path, people=PEOPLE.replace('name = "Anna"', 'name = "Anna L."'))
    assert (code, output) == (0, "nothing changes\n")


async def test_it_refuses_where_somebody_else_writes_and_does_not_listen(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "hopline.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, output, errors = await apply(tmp_path)
    assert code == 3
    assert output == ""
    assert "is being written by another process" in errors
    assert "Traceback" not in errors
    assert (await apply(tmp_path))[0] == 0


async def test_the_socket_of_a_killed_server_is_in_nobodys_way(tmp_path: Path) -> None:
    async with running(tmp_path) as server:
        await server.kill()
    assert (tmp_path / "data" / "hopline.sock").exists()
    code, output, errors = await apply(tmp_path)
    assert (code, errors) == (0, "")
    assert output.endswith("applied\n")
    async with running(tmp_path) as server:
        code, output, _ = await apply(tmp_path)
        assert (code, output) == (0, "nothing changes\n")
        assert await server.terminate() == 0


async def test_mistakes_in_the_file_change_nothing(tmp_path: Path) -> None:
    code, _, errors = await apply(tmp_path, people=PEOPLE.replace('"105"', '"104"'))
    assert code == 2
    assert "belongs to more than one person" in errors
    assert not (tmp_path / "data" / "hopline.db").exists()


@pytest.mark.slow
async def test_a_server_that_hangs_is_told_not_traced(tmp_path: Path) -> None:

    async with running(tmp_path) as server:
        server.process.send_signal(signal.SIGSTOP)
        code, _, errors = await apply(tmp_path)
        server.process.send_signal(signal.SIGCONT)
    assert code == 3
    assert "does not answer" in errors
    assert "Traceback" not in errors


async def test_clients_are_written_beside_a_server_and_read_over_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(company.ENVIRONMENT, "HOPLINE_API_TOKEN", API_TOKEN)
    table, back = tmp_path / "clients.csv", tmp_path / "back.csv"
    table.write_text(CLIENTS, encoding="utf-8")
    async with running(tmp_path) as server:
        url = (await server.says("hopline listens on")).rpartition(" ")[2]
        for expected in ("clients: 1200 created", "clients: 1200 same"):
            code, output, errors = await hopline("clients", "import", table, "--data", tmp_path / "data")
            assert (code, errors, output.splitlines()[-1]) == (0, "", expected)
        code, output, _ = await hopline("clients", "export", back, "--data", tmp_path / "data")
        assert code == 0
        assert back.read_text(encoding="utf-8").count("\n") == 1_201
        async with aiohttp.ClientSession(url, headers={"Authorization": f"Bearer {API_TOKEN}"}) as session:
            async with session.get("/api/v1/clients?phone=89990000007") as answer:
                assert [client["id"] for client in (await answer.json())["clients"]] == ["c7"]
            async with session.patch("/api/v1/clients/c7", json={"priority": 9}) as answer:
                assert answer.status == 200
        async with aiohttp.ClientSession(url) as session, session.get("/api/v1/clients") as answer:
            assert answer.status == 401
        assert await server.terminate() == 0
    async with running(tmp_path) as server:
        url = (await server.says("hopline listens on")).rpartition(" ")[2]
        sent = {"Authorization": f"Bearer {API_TOKEN}"}
        async with aiohttp.ClientSession(url, headers=sent) as session, session.get("/api/v1/clients/c7") as answer:
            said = await answer.json()
        assert (said["priority"], said["revision"], said["phones"]) == (9, 2, ["+79990000007"])
    code, output, _ = await hopline("replay", "--all", "--check", "--data", tmp_path / "data")
    assert code == 0, output
    code, output, _ = await hopline("audit", "--data", tmp_path / "data")
    assert code == 0, output
