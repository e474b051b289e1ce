"""Every await and commit of the engine has a name; `test_crash_day` ends the process at each.

The rule that the syntax trees of `router/engine/**` are checked against:

- an `await` is `await passing(NAME, …)`, `await passing_in_thread(NAME, …)` or `await passing_here(NAME, …)`, where
  NAME is a constant of the same module assigned from `point(…)`; or `await self.method(…)` of an async method of the
  same class, whose own awaits are named by the same rule;
- there is no `async with`, no `async for` and no asynchronous comprehension: they await without saying so;
- an `execute("COMMIT")` stands inside `passing(…)`; or in a synchronous function that async code reaches only as
  `self._file.<name>`, inside `passing…(…)`.

The functions of `crashes` that do the waiting are the only ones left out.
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import router.engine
from router.engine import crashes

ROOT = Path(router.engine.__file__).parent
PASSING = {"passing", "passing_in_thread", "passing_here"}
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
