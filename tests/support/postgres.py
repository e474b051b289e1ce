"""A real PostgreSQL for the tests: own data folder, free port, gone afterwards.

PostgreSQL refuses to run as root (postgres(1)), so under root its processes run as the user `postgres` that Debian's
package makes. Debian keeps the server's programs out of PATH, below /usr/lib/postgresql (pg_wrapper(1)).

    def test_it(postgres_url: str) -> None: ...        a database of its own for each test, dropped afterwards
"""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.left_out import leave_out
from tests.support.ports import free_port

START_LIMIT_S = 60.0
"""initdb and the first start took 2 s on two idle cores; a noisy machine gets thirty times that."""


@dataclass(frozen=True)
class Server:
    """A running server. Anybody on this machine may connect (trust), on loopback only."""

    programs: Path
    port: int
    log: Path

    def url(self, database: str) -> str:
        """The form that asyncpg and libpq read."""
        return f"postgresql://hopline@127.0.0.1:{self.port}/{database}"

    def sql(self, statement: str) -> None:
        """Runs one statement outside of any transaction."""
        subprocess.run(
            [self.programs / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-c", statement, self.url("postgres")],
            check=True,
            timeout=START_LIMIT_S,
            capture_output=True,
        )


def programs() -> Path | None:
    """The folder of the newest server installed, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    elsewhere = shutil.which("initdb")
    return Path(elsewhere).resolve().parent if elsewhere else None


def unprivileged() -> pwd.struct_passwd | None:
    """The user to become under root; None when we are not root and stay who we are."""
    return pwd.getpwnam("postgres") if os.geteuid() == 0 else None


@contextmanager
def running_postgres() -> Iterator[Server]:
    """Starts a server, stops it at the end and removes its folder, whatever happened in between."""
    folder = programs()
    if folder is None:
        raise FileNotFoundError("PostgreSQL is not installed: run scripts/install-postgres.sh as root")
    user = unprivileged()
    # Not pytest's tmp_path: its parents are closed to other users, and a socket's path has about 100 bytes (unix(7)).
    with tempfile.TemporaryDirectory(prefix="hopline-pg-") as name:
        home = Path(name)
        if user:
            os.chown(home, user.pw_uid, user.pw_gid)
        how = ("-U", "hopline", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        _as(user, home, folder / "initdb", "-D", home / "data", *how)
        port = _start(user, home, folder)
        try:
            yield Server(folder, port, home / "log")
        finally:
            _as(user, home, folder / "pg_ctl", "-D", home / "data", "-m", "immediate", "-w", "stop")


def _start(user: pwd.struct_passwd | None, home: Path, folder: Path) -> int:
    until = time.monotonic() + START_LIMIT_S
    while True:
        port = free_port()
        # fsync off: what is tested is behaviour, not the disk. Crash tests of the journal kill us, never the machine.
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={home} -c fsync=off "
            "-c max_connections=200 -c timezone=UTC"
        )
        try:
            where = ("-D", home / "data", "-l", home / "log")
            _as(user, home, folder / "pg_ctl", *where, "-o", options, "-w", "-t", f"{START_LIMIT_S:.0f}", "start")
        except subprocess.CalledProcessError:
            if time.monotonic() > until:
                raise RuntimeError((home / "log").read_text()) from None
            continue  # the port was taken in between: the next one
        return port


def _as(user: pwd.struct_passwd | None, home: Path, *command: str | Path) -> None:
    # pg_ctl leaves the server behind with our output open; a pipe would wait for it for ever, so it goes to a file.
    with (home / "setup").open("ab") as output:
        subprocess.run(
            command,
            check=True,
            timeout=2 * START_LIMIT_S,
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=() if user else None,
        )


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """One server for the whole run (for each worker with xdist)."""
    if programs() is None:
        leave_out("PostgreSQL is not installed: run scripts/install-postgres.sh as root")
    with running_postgres() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: Server) -> Iterator[str]:
    """A new, empty database; connections that the test forgot are cut when it is dropped."""
    name = f"test_{uuid.uuid4().hex}"
    postgres_server.sql(f"CREATE DATABASE {name}")
    yield postgres_server.url(name)
    postgres_server.sql(f"DROP DATABASE {name} WITH (FORCE)")
