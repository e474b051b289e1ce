"""Named crash points: every await and commit of the engine has a name, and a test can end the process there.

A point is declared once with what is true when it is passed. `passing` wraps an await and is reached twice, as
`name:before` and `name:after`; `reach` marks a place between two statements. In production both are a dictionary miss.
`HOPLINE_CRASH_AT=name[:before|:after][#n]` ends the process at the n-th passage with the exit code of a kill -9;
the simulator installs a hook of its own instead.

A test walks the syntax trees of the engine: an await without `passing`, or a COMMIT without `reach`, fails it.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from typing import TypeVar

T = TypeVar("T")

POINTS: dict[str, str] = {}
"""Name -> what is true there."""

KILLED = 137
"""Exit code of a process ended by SIGKILL as shells report it (128 + 9)."""

Hook = Callable[[str], None]
_hook: Hook | None = None


def point(name: str, meaning: str) -> str:
    """Declare a crash point; returns its name. A name is declared once."""
    if name in POINTS:
        message = f"crash point {name} is declared twice"
        raise ValueError(message)
    POINTS[name] = meaning
    return name


def install(hook: Hook | None) -> None:
    """Call `hook` with the name of every point that is passed; None removes it."""
    global _hook  # noqa: PLW0603 - one process crashes as one
    _hook = hook


def reach(name: str) -> None:
    """The flow of the program is at the named place."""
    if _hook is not None:
        _hook(name)


async def passing(name: str, awaitable: Awaitable[T]) -> T:
    """Await under a name: `name:before`, the await, `name:after`."""
    if _hook is None:
        return await awaitable
    try:
        _hook(f"{name}:before")
    except BaseException:
        if isinstance(awaitable, Coroutine):
            awaitable.close()  # a hook that ends things must not leave it complaining that nobody awaited it
        raise
    result = await awaitable
    if _hook is not None:
        _hook(f"{name}:after")
    return result


async def passing_in_thread(name: str, executor: Executor, work: Callable[[], T]) -> T:
    """As `passing`, for work in a thread: it begins after `name:before`, while a future would be under way already."""
    reach(f"{name}:before")
    result = await asyncio.get_running_loop().run_in_executor(executor, work)
    reach(f"{name}:after")
    return result


async def passing_here(name: str, work: Callable[[], T]) -> T:
    """As `passing_in_thread`, for work that this thread waits for itself."""
    reach(f"{name}:before")
    result = work()
    reach(f"{name}:after")
    return result


def install_from_environment() -> str | None:
    """Obey HOPLINE_CRASH_AT; returns the point that will be fatal. Raises ValueError for an unknown name."""
    wanted = os.environ.get("HOPLINE_CRASH_AT", "")
    if not wanted:
        return None
    place, _, count = wanted.partition("#")
    name = place.removesuffix(":before").removesuffix(":after")
    if name not in POINTS:
        message = f"HOPLINE_CRASH_AT={wanted!r}: no such crash point; `hopline crash-points` lists them"
        raise ValueError(message)
    left = int(count or "1")

    def die(passed: str) -> None:
        nonlocal left
        if passed not in {place, f"{place}:before"}:
            return
        left -= 1
        if left == 0:
            os.write(2, f"crash point {passed} reached\n".encode())
            os._exit(KILLED)

    install(die)
    return place
