"""Every await and commit of the engine has a name, and wherever the process ends, nothing is lost.

The rule that the syntax trees of `router/engine/**` are checked against:

- an `await` is either `await passing(NAME, …)` or `await passing_in_thread(NAME, …)`, where NAME is a constant of the
  same module assigned from `point(…)`; or `await self.method(…)` of an async method of the same class, whose own awaits
  are named by the same rule;
- there is no `async with`, no `async for` and no asynchronous comprehension: they await without saying so;
- an `execute("COMMIT")` stands inside `passing(…)`; or in a synchronous function that async code reaches only as
  `self._file.<name>`, inside `passing…(…)`.

The two functions of `crashes` that do the waiting are the only ones left out.
"""

import ast
import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import router.engine
from router.basis.failures import Permanent
from router.basis.instants import SECOND, Instant
from router.basis.machine import Event
from router.engine import auditor, crashes, shell
from router.engine.auditor import Auditor
from router.engine.clock import VirtualClock
from router.engine.core import Admission
from router.engine.journal import Order, Refused
from router.engine.store import postgres, sqlite
from router.engine.store.port import Store, StoreUnavailable
from router.engine.store.postgres import PostgresStore
from router.engine.store.sqlite import SqliteStore
from tests.engine.approval import (
    LEDGER,
    ClerkAnswered,
    ClerkSeenWorking,
    Filed,
    LightIsOff,
    ManagerAnswered,
    SendLetter,
    SwitchOff,
    Withdrawn,
)
from tests.engine.bench import T0, request
from tests.engine.edge import PATIENCE, Edge, MoodyStore, World
from tests.engine.quirks import Note, Small
from tests.engine.rows import batch, record
from tests.engine.values import ANNA, BORIS, Terms

ROOT = Path(router.engine.__file__).parent
PASSING = {"passing", "passing_in_thread"}
LEFT_OUT = {("crashes.py", name) for name in PASSING}


# --- the check --------------------------------------------------------------------------------------------------------


def faults(source: str, file: str = "planted.py") -> list[str]:
    """What breaks the rule in a module."""
    tree = ast.parse(source)
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    points = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign) and _calls(node.value, {"point"})
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found: list[str] = []
    for node in ast.walk(tree):
        line = f"{file}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.AsyncWith | ast.AsyncFor):
            found.append(f"{line}: {type(node).__name__} awaits without a name")
        elif isinstance(node, ast.comprehension) and node.is_async:
            found.append(f"{file}: an asynchronous comprehension awaits without a name")
        elif isinstance(node, ast.Await) and not _left_out(node, parents, file):
            found.extend(f"{line}: {fault}" for fault in _await_faults(node, parents, points))
        elif isinstance(node, ast.Call) and _commits(node) and not _inside_passing(node, parents):
            if isinstance(_function(node, parents), ast.AsyncFunctionDef):
                found.append(f"{line}: COMMIT outside of passing")
        elif _reaches_a_commit(node) and not _inside_passing(node, parents):
            found.append(f"{line}: a synchronous commit is reached outside of passing")
    return found


def _await_faults(node: ast.Await, parents: dict[ast.AST, ast.AST], points: set[str]) -> list[str]:
    call = node.value
    if _calls(call, PASSING):
        assert isinstance(call, ast.Call)
        name = call.args[0] if call.args else None
        known = isinstance(name, ast.Name) and name.id in points
        return [] if known else ["passing without a point declared in this module"]
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and _is_self(call.func.value):
        return (
            [] if call.func.attr in _methods(node, parents) else [f"self.{call.func.attr} is no method of this class"]
        )
    return [f"await {ast.unparse(call)[:60]} has no name"]


def _calls(node: ast.AST, names: set[str]) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names


def _is_self(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _above(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while node in parents:
        node = parents[node]
        yield node


def _function(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> ast.AST | None:
    return next(
        (above for above in _above(node, parents) if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef)), None
    )


def _methods(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> set[str]:
    owner = next((above for above in _above(node, parents) if isinstance(above, ast.ClassDef)), None)
    return {item.name for item in (owner.body if owner else ()) if isinstance(item, ast.AsyncFunctionDef)}


def _left_out(node: ast.AST, parents: dict[ast.AST, ast.AST], file: str) -> bool:
    function = _function(node, parents)
    return isinstance(function, ast.AsyncFunctionDef) and (file, function.name) in LEFT_OUT


def _inside_passing(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    return any(_calls(above, PASSING) for above in _above(node, parents))


def _commits(node: ast.Call) -> bool:
    texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
    return any(isinstance(text, str) and text.strip(" ;").upper() in {"COMMIT", "END"} for text in texts)


def _reaches_a_commit(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == "commit"
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "_file"
    )


def test_every_await_and_commit_of_the_engine_has_a_name() -> None:
    files = [path for path in ROOT.rglob("*.py") if "migrations" not in path.parts]
    assert len(files) > 15
    assert [fault for path in files for fault in faults(path.read_text(), path.name)] == []


@pytest.mark.parametrize(
    ("planted", "told"),
    [
        ("async def f(x): await x", "await x has no name"),
        ("async def f(s): await s.commit()", "await s.commit() has no name"),
        ("class A:\n async def f(self): await self.store.commit()", "await self.store.commit() has no name"),
        ("class A:\n async def f(self): await self.g()", "self.g is no method of this class"),
        ("class A:\n def g(self): ...\n async def f(self): await self.g()", "self.g is no method of this class"),
        ("async def f(x): await passing('name', x)", "passing without a point declared"),
        ("async def f(x): await passing(NAME, x)", "passing without a point declared"),
        ("NAME = 'a'\nasync def f(x): await passing(NAME, x)", "passing without a point declared"),
        ("async def f(x):\n async with x: pass", "AsyncWith awaits without a name"),
        ("async def f(x):\n async for y in x: pass", "AsyncFor awaits without a name"),
        ("async def f(x): return [y async for y in x]", "asynchronous comprehension"),
        ("async def f(c): c.execute('COMMIT')", "COMMIT outside of passing"),
        ("class A:\n async def f(self): self._file.commit()", "a synchronous commit is reached outside of passing"),
        ("class A:\n def f(self): return self._file.commit", "a synchronous commit is reached outside of passing"),
    ],
)
def test_the_check_sees_a_planted_breach(planted: str, told: str) -> None:
    assert any(told in fault for fault in faults(planted)), faults(planted)


def test_the_check_lets_the_rule_pass() -> None:
    assert faults(
        "A = point('a', 'x')\n"
        "class B:\n"
        " async def f(self): await self.g()\n"
        " async def g(self): await passing(A, self.w.execute('COMMIT'))\n"
        " async def h(self): await passing_in_thread(A, self.d, self._file.commit)\n"
        "def i(c): c.execute('COMMIT')\n"
    ) == []  # fmt: skip


def test_a_point_is_declared_once_and_says_what_is_true_there() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        crashes.point("engine.commit", "again")
    assert all(len(meaning) > 10 for meaning in crashes.POINTS.values())


# --- the environment --------------------------------------------------------------------------------------------------


async def test_the_environment_ends_the_process_at_the_nth_passage(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    monkeypatch.setattr(os, "write", lambda file, text: len(text))
    try:
        for wanted, expected in (("engine.wait:after#2", [0, 0, 0, 1]), ("engine.wait", [1, 1, 1, 1])):
            monkeypatch.setenv("HOPLINE_CRASH_AT", wanted)
            assert crashes.install_from_environment() == wanted.partition("#")[0]
            ended.clear()
            counts: list[int] = []
            for _ in range(2):
                await crashes.passing("engine.wait", _count(ended, counts))
                counts.append(len(ended))
            assert counts == expected
        assert ended == [crashes.KILLED]
    finally:
        crashes.install(None)


async def _count(ended: list[int], counts: list[int]) -> None:
    counts.append(len(ended))


def test_an_unknown_point_in_the_environment_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOPLINE_CRASH_AT", "engine.nowhere:before")
    with pytest.raises(ValueError, match=r"no such crash point; `hopline crash-points` lists them"):
        crashes.install_from_environment()
    monkeypatch.setenv("HOPLINE_CRASH_AT", "")
    assert crashes.install_from_environment() is None


# --- a day that ends at every point -----------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is no more."""


class Fate:
    """The hook: counts passages; at the chosen one, and at every point after it, the process is dead."""

    def __init__(self, place: str = "", passage: int = 1) -> None:
        self.place = place
        self.left = passage
        self.passed: dict[str, int] = {}
        self.dead = asyncio.Event()

    def __call__(self, place: str) -> None:
        if not self.dead.is_set():
            self.passed[place] = self.passed.get(place, 0) + 1
            if place == self.place:
                self.left -= 1
                if self.left == 0:
                    self.dead.set()
        if self.dead.is_set():
            raise Killed(place)


class Day:
    """A script that is gone through step by step; a step that did not end is done again by the next process."""

    def __init__(self, store: Callable[[], Store]) -> None:
        self.store = store
        self.clock = VirtualClock(T0)
        self.world = World()
        self.world.answers = {Note: self._box_is_full_at_first, SendLetter: self._letter, SwitchOff: self._desk}
        self.edge: Edge | None = None
        self.step = 0
        self.processes = 0
        self.steps: list[Callable[[Edge], Awaitable[Any]]] = [
            self.says("f1", request("a"), self.filed("a"), personal={"asker": ("name", "Ivan")}),
            self.says("f2", request("b"), self.filed("b")),
            self.says("f3", request("c"), self.filed("c")),
            self.says("n1", "quirk:test:odd", lambda edge: Small("note")),
            self.quiet,
            self.sends_again,
            self.says("a1", request("a"), lambda edge: ClerkAnswered(ANNA, True)),
            self.comes(60),
            self.in_trouble("m1", request("a"), lambda edge: ManagerAnswered(True)),
            self.looks,
            self.says("w1", request("b"), lambda edge: Withdrawn()),
            self.says("c1", request("c"), lambda edge: ClerkSeenWorking(BORIS)),
            self.says("c2", request("c"), lambda edge: ClerkAnswered(BORIS, False)),
            self.quiet,
            self.audits,
            self.stops,
        ]

    async def live(self, fate: Fate) -> None:
        """Processes one after another until the script is through."""
        crashes.install(fate)
        try:
            while self.step < len(self.steps):
                self.processes += 1
                await self._process(fate)
                if fate.dead.is_set():
                    crashes.install(None)
                    await self._bury()
                    fate.dead.clear()
                    fate.place = ""
                    crashes.install(fate)
        finally:
            crashes.install(None)
            await self._bury()

    async def _process(self, fate: Fate) -> None:
        self.edge = Edge(MoodyStore(self.store()), self.clock, self.world)
        script = asyncio.create_task(self._script(self.edge))
        dead = asyncio.create_task(fate.dead.wait())
        async with asyncio.timeout(PATIENCE):
            await asyncio.wait({script, dead}, return_when=asyncio.FIRST_COMPLETED)
        dead.cancel()
        script.cancel()
        (result,) = await asyncio.gather(script, return_exceptions=True)
        if isinstance(result, Exception) and not fate.dead.is_set():
            raise result

    async def _script(self, edge: Edge) -> None:
        await edge.open()
        while self.step < len(self.steps):
            await self.steps[self.step](edge)
            self.step += 1

    async def _bury(self) -> None:
        if self.edge is not None:
            edge, self.edge = self.edge, None
            await edge.kill()

    # --- steps -------------------------------------------------------------------------------------------------

    def filed(self, name: str) -> Callable[[Edge], Event]:
        return lambda edge: Filed(request(name), 100, edge.core.contents.pin(Terms()))

    def says(
        self, origin: str, chain: str, event: Callable[[Edge], Event], **given: Any
    ) -> Callable[[Edge], Awaitable[Any]]:
        async def step(edge: Edge) -> None:
            answer = await edge.say(chain, event(edge), origin=origin, **given)
            assert answer.error is None

        return step

    def in_trouble(self, origin: str, chain: str, event: Callable[[Edge], Event]) -> Callable[[Edge], Awaitable[Any]]:
        async def step(edge: Edge) -> None:
            edge.store.fail_commits = [StoreUnavailable("for a moment")]
            await edge.engine.admit_surely([Admission(chain, event(edge), "test", origin)])
            edge.store.fail_commits = []  # a twin needs no commit

        return step

    def comes(self, seconds: int) -> Callable[[Edge], Awaitable[Any]]:
        until = Instant(T0 + seconds * SECOND)

        async def step(edge: Edge) -> None:
            self.clock.advance_to(until)
            edge.engine.wake()
            await edge.until(lambda: (edge.core.timer.next() or until + 1) > until)

        return step

    async def quiet(self, edge: Edge) -> None:
        await edge.until_quiet()

    async def sends_again(self, edge: Edge) -> None:
        await edge.engine.send_again(("quirk:test:odd", 1, 0))
        await edge.until_quiet()

    async def looks(self, edge: Edge) -> None:
        with pytest.raises(Refused):  # as when another engine was first
            await edge.store.inner.commit(batch(record(request("a"), 1)))
        assert len(await edge.store.inner.find("request", final=None, newest=9)) == 3
        row = {"chain": "x", "audience": "anna", "revision": 1, "face": b"", "shown": 1, "changed": 1}
        await edge.store.inner.upsert("inbox_card", {"card": "c"}, row)

    async def audits(self, edge: Edge) -> None:
        findings: list[Any] = []
        auditing = asyncio.create_task(Auditor(edge.engine, findings.append).run())
        rounds = edge.store.loads
        while edge.store.loads < rounds + 2:
            if auditing.done():
                await auditing
            await asyncio.sleep(0)
        auditing.cancel()
        await asyncio.gather(auditing, return_exceptions=True)
        assert findings == []

    async def stops(self, edge: Edge) -> None:
        await edge.say("quirk:test:odd", Small("last"), origin="last")  # its note is being sent when the stop comes
        await edge.engine.stop()
        assert edge.task is not None
        await edge.task

    # --- the world ---------------------------------------------------------------------------------------------

    async def _box_is_full_at_first(self, order: Order) -> tuple[Event, ...]:
        await asyncio.sleep(0)
        if self.step < self.steps.index(self.sends_again):
            raise Permanent("full")
        return ()

    async def _letter(self, order: Order) -> tuple[Event, ...]:
        assert self.edge is not None
        await self.edge.engine.reveal("t_unknown")
        return ()

    async def _desk(self, order: Order) -> tuple[Event, ...]:
        assert isinstance(order.effect, SwitchOff)
        return (LightIsOff(order.effect.offer),)


async def end_of(day: Day) -> dict[str, Any]:
    """What is in the journal and in the world at the end."""
    store = day.store()
    await store.open()
    chains = await store.load([*map(request, "abc"), LEDGER, "quirk:test:odd"])
    log = await store.records(0, 10_000)
    origins = [line.origin for line in log if line.origin is not None and line.source == "test"]
    assert len(origins) == len(set(origins))
    end = {
        "states": {chain.chain: chain.state for chain in chains},
        "claims": await store.claims(),
        "orders": [(order.id, order.aside) for order in await store.orders()],
        "origins": sorted(origins),
        "entries": [line.event for line in log if line.chain == LEDGER],
        "vault": await store.select("SELECT kind, value FROM vault"),
        "performed": performed_surely(day.world),
    }
    await store.close()
    return end


def performed_surely(world: World) -> set[str]:
    """What cannot be overtaken: lamps off, notes, and of each request's letters the newest."""
    letters = {
        letter.request: letter for letter in sorted(world.effects(SendLetter), key=lambda one: int(one.revision))
    }
    return {repr(effect) for effect in (*world.effects(SwitchOff), *world.effects(Note), *letters.values())}


def places(*modules: ModuleType) -> list[str]:
    """Everything that the hook is called with by these modules."""
    found: list[str] = []
    for module in modules:
        marks = set(re.findall(r"\breach\((\w+)\)", Path(module.__file__ or "").read_text()))
        for constant, name in vars(module).items():
            if isinstance(name, str) and name in crashes.POINTS:
                found += [name] if constant in marks else [f"{name}:before", f"{name}:after"]
    return found


ENGINE = (shell, auditor)
ON_SQLITE = places(*ENGINE, sqlite)
ON_POSTGRES = places(postgres)
ELSEWHERE = {"reading": "a command reads beside the server; it writes nothing, so there is nothing to lose"}
"""Modules whose points the day does not pass, and why that is enough."""


def test_no_module_with_points_is_forgotten() -> None:
    declaring = {path.stem for path in ROOT.rglob("*.py") if re.search(r"= point\(", path.read_text())}
    tried = {Path(module.__file__ or "").stem for module in (*ENGINE, sqlite, postgres)}
    assert declaring == tried | set(ELSEWHERE)


@pytest.fixture(scope="module", autouse=True)
def no_pauses() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell, "RETRY_WRITE", 0.001)
        patch.setattr(auditor, "EVERY", 0)
        yield


@pytest.fixture(scope="module")
def undisturbed(no_pauses: None, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], dict[str, int]]:
    """The end of a day on which nothing happens, and how often each point was passed."""

    async def run() -> tuple[dict[str, Any], dict[str, int]]:
        path = tmp_path_factory.mktemp("day") / "journal.db"
        day, fate = Day(lambda: SqliteStore(path)), Fate()
        await day.live(fate)
        return await end_of(day), fate.passed

    return asyncio.run(run())


def test_the_day_passes_every_point(undisturbed: tuple[dict[str, Any], dict[str, int]]) -> None:
    end, passed = undisturbed
    assert sorted(passed) == sorted(ON_SQLITE)
    assert end["orders"] == []
    assert end["claims"] == {}
    assert len(end["entries"]) == 1


@pytest.mark.parametrize("place", ON_SQLITE)
async def test_whatever_the_point_the_day_ends_the_same(
    tmp_path: Path, place: str, undisturbed: tuple[dict[str, Any], dict[str, int]]
) -> None:
    end, passed = undisturbed
    await dies_at(lambda: SqliteStore(tmp_path / "journal.db"), place, (passed[place] + 1) // 2, end)


@pytest.mark.slow
@pytest.mark.parametrize("place", ON_SQLITE)
async def test_whatever_the_passage_the_day_ends_the_same(
    tmp_path: Path, place: str, undisturbed: tuple[dict[str, Any], dict[str, int]]
) -> None:
    end, passed = undisturbed
    for passage in range(1, passed[place] + 1):
        path = tmp_path / f"{passage}.db"
        await dies_at(partial(SqliteStore, path), place, passage, end)


@pytest.mark.postgres
# A connection that was made and not yet handed over dies with a real process; here it is left to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
@pytest.mark.parametrize("place", ON_POSTGRES)
async def test_on_postgresql_the_day_ends_as_on_sqlite(
    postgres_url: str, place: str, undisturbed: tuple[dict[str, Any], dict[str, int]]
) -> None:
    """Killed at the third passage, which lies within the day; some points are passed only once or twice."""
    rare = place.startswith((postgres.MIGRATE, postgres.CONNECT, postgres.ROLLED_BACK))
    await dies_at(lambda: PostgresStore(postgres_url), place, 1 if rare else 3, undisturbed[0])


async def dies_at(store: Callable[[], Store], place: str, passage: int, end: dict[str, Any]) -> None:
    """The process dies once, there; another one takes over."""
    day, fate = Day(store), Fate(place, passage)
    await day.live(fate)
    # How often a point is passed differs a little from run to run (what is grouped with what); the first always comes.
    died = fate.left <= 0
    assert died or passage > 1
    assert day.processes == 1 + died
    assert await end_of(day) == end
