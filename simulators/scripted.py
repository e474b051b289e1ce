"""Coroutines without an event loop: they are run by hand, and wait only for the virtual clock.

The server's own `async` code runs unchanged: an awaitable here either is ready at once or is a `Promise` that the world
keeps later. Unlike a coroutine, a `Later` that is never awaited (the process died just before) is no warning.
"""

from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Promise(Generic[T]):
    """A result that the world gives later; stands where the server's code expects a future."""

    def __init__(self) -> None:
        self._done = False
        self._result: T | None = None
        self._error: BaseException | None = None
        self._waiters: list[Callable[[], None]] = []

    def done(self) -> bool:
        """Whether it was kept."""
        return self._done

    def cancelled(self) -> bool:
        """Nobody cancels here."""
        return False

    def result(self) -> T:
        """What it was kept with. Raises the error if it was one."""
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value] # asked only when done

    def set_result(self, result: T) -> None:
        """Keep it."""
        self._result = result
        self._keep()

    def set_exception(self, error: BaseException) -> None:
        """Break it."""
        self._error = error
        self._keep()

    def then(self, what: Callable[[], None]) -> None:
        """Called when it is kept."""
        if self._done:
            what()
        else:
            self._waiters.append(what)

    def _keep(self) -> None:
        self._done = True
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter()

    def __await__(self) -> Generator[Any, Any, T]:
        if not self._done:
            yield self
        return self.result()


class Later(Coroutine[Any, Any, T]):
    """Work that is begun when it is awaited, not before."""

    def __init__(self, work: Callable[[], T | Promise[T] | Coroutine[Any, Any, T]]) -> None:
        self._work = work
        self._running: Generator[Any, Any, T] | None = None

    def __await__(self) -> Generator[Any, Any, T]:
        outcome = self._work()
        if isinstance(outcome, Promise | Coroutine):
            return (yield from outcome.__await__())
        return outcome

    def send(self, value: Any) -> Any:
        """See `Coroutine`."""
        if self._running is None:
            self._running = self.__await__()
        return self._running.send(value)

    def throw(self, *error: Any) -> Any:
        """See `Coroutine`."""
        if self._running is None:
            self._running = self.__await__()
        return self._running.throw(*error)

    def close(self) -> None:
        """See `Coroutine`."""
        if self._running is not None:
            self._running.close()


class Scripts:
    """Coroutines under way in one process; one that waits is moved on by `run` after its promise was kept.

    Like an event loop, and unlike a nested call, nobody is resumed in the middle of somebody else's work.
    """

    def __init__(self) -> None:
        self._ready: deque[Coroutine[Any, Any, Any]] = deque()

    def start(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Begin with the next `run`."""
        self._ready.append(coroutine)

    def busy(self) -> bool:
        """Whether `run` would do anything."""
        return bool(self._ready)

    def run(self) -> None:
        """Move everything on that can move."""
        while self._ready:
            coroutine = self._ready.popleft()
            try:
                promise: Promise[Any] = coroutine.send(None)
            except StopIteration:
                continue
            promise.then(lambda waiting=coroutine: self._ready.append(waiting))  # type: ignore[misc]

    def kill(self) -> None:
        """The process is dead: nothing of it moves any more."""
        for coroutine in self._ready:
            coroutine.close()
        self._ready.clear()


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that waits for nothing and return its result."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    message = f"{coroutine} waits although everything it needs is in memory"
    raise RuntimeError(message)
