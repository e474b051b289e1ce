"""A server that cannot start says why in a line, leaves nothing running and nothing locked, and exits with a number."""

import fcntl
import re
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from router.engine.store.migrate import migrate_sqlite
from tests.crash.company import configuration, environment, hopline
from tests.support.ports import free_port

pytestmark = pytest.mark.net

MISTAKE, JOURNAL = 2, 3
"""Exit codes: of a mistake in the configuration; of a journal that cannot be used."""


async def fails(config: Path) -> tuple[int, str]:
    """The exit code and what was said; a server that hangs fails the test."""
    code, output, errors = await hopline("serve", "--config", config, within_s=60)
    assert "Traceback" not in errors, errors
    assert "listens" not in errors
    assert output == ""
    return code, errors


def office(home: Path, **server: object) -> Path:
    return configuration(home, free_port(), free_port(), **server)


async def test_its_port_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        code, said = await fails(configuration(tmp_path, port, free_port()))
    assert code == MISTAKE
    assert f"server.port = '127.0.0.1:{port}'" in said
    assert "choose another port" in said
    assert not (tmp_path / "data" / "hopline.sock").exists()
    # Nothing is left behind that keeps the next one from starting where there is room.
    with (tmp_path / "data" / "hopline.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


async def test_its_folder_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = await fails(office(tmp_path, data=str(tmp_path / "file" / "data")))
    assert code == JOURNAL
    assert "Not a directory" in said
    assert str(tmp_path / "file") in said


async def test_its_folder_is_too_deep_for_a_socket(tmp_path: Path) -> None:
    deep = tmp_path / ("deep-" * 25)  # unix(7): the path of a socket has 108 bytes
    code, said = await fails(office(tmp_path, data=str(deep)))
    assert code == MISTAKE
    assert "server.data" in said


async def test_another_process_writes_its_journal(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    with (tmp_path / "data" / "hopline.db.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, said = await fails(office(tmp_path))
    assert code == JOURNAL
    assert "is being written by another process" in said


async def test_a_newer_version_wrote_its_journal(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    path = tmp_path / "data" / "hopline.db"
    migrate_sqlite(str(path))
    with closing(sqlite3.connect(path)) as journal, journal:
        journal.execute("UPDATE alembic_version SET version_num = '9999'")
    code, said = await fails(office(tmp_path))
    assert code == JOURNAL
    assert re.search(r"written by a newer version \(tables 9999, .*\d{4}\)", said)


async def test_its_journal_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hopline.db").write_bytes(b"not a database" * 1000)
    code, said = await fails(office(tmp_path))
    assert code == JOURNAL
    assert "file is not a database" in said


async def test_its_pbx_is_of_no_known_kind(tmp_path: Path) -> None:
    config = office(tmp_path)
    config.write_text(config.read_text().replace('"webhook"', '"telegraph"'))
    code, said = await fails(config)
    assert code == MISTAKE
    assert "pbx.office.kind = 'telegraph'" in said
    assert "choose one of asterisk, webhook" in said


async def test_a_crash_point_that_does_not_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake must not look like a point that was never reached."""
    config = office(tmp_path)
    monkeypatch.setattr("tests.crash.company.ENVIRONMENT", environment() | {"HOPLINE_CRASH_AT": "engine.nowhere"})
    code, _, said = await hopline("serve", "--config", config, within_s=60)
    assert code != 0
    assert "no such crash point" in said
