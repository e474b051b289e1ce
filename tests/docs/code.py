"""Which names the code has: for papers that speak of it."""

import ast
import re
from functools import cache
from pathlib import Path

from tests.docs.papers import ROOT
from tests.packaging.tree import text_of, tracked

WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@cache
def words() -> frozenset[str]:
    """Every word of the sources, the examples and what is deployed; not of the papers and their tests."""
    found: set[str] = set()
    for path in tracked():
        where = path.relative_to(ROOT)
        if path.suffix == ".md" or where.parts[:2] == ("tests", "docs"):
            continue
        found |= set(WORD.findall(text_of(path) or ""))
    return frozenset(found)


@cache
def defined() -> frozenset[str]:
    """What `router` defines: classes, functions, fields, constants, columns, and values of closed lists."""
    found: set[str] = set()
    for tree in _trees():
        for node in ast.walk(tree):
            match node:
                case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                    found.add(name)
                case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    found.add(name)
                case ast.Call(func=ast.Name(id="Table"), args=[ast.Constant(value=str(name)), *_]):
                    found.add(name)
                case _:
                    pass
    return frozenset(found)


@cache
def members() -> dict[str, frozenset[str]]:
    """Class -> its methods and fields, its parents' included where they are ours."""
    own: dict[str, set[str]] = {}
    parents: dict[str, list[str]] = {}
    for tree in _trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                own.setdefault(node.name, set()).update(_members(node))
                parents[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return {
        name: frozenset(found.union(*(own.get(parent, set()) for parent in parents[name])))
        for name, found in own.items()
    }


def log_events() -> dict[str, set[str]]:
    """Name of each log event -> the levels at which it is written."""
    found: dict[str, set[str]] = {}
    for tree in _trees():
        for node in ast.walk(tree):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(value=str(name)), *_]
                ):
                    found.setdefault(name, set()).add("error" if level == "exception" else level)
                case _:
                    pass
    return found


def unnamed_log_lines() -> list[str]:
    """Log calls whose event is no plain text: nobody could find them in the list."""
    found: list[str] = []
    levels = {"debug", "info", "warning", "error", "exception", "critical"}
    for tree in _trees():
        for node in ast.walk(tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level), args=[ast.Constant(), *_]):
                    pass
                case ast.Call(func=ast.Attribute(value=ast.Name(id="log"), attr=level)) if level in levels:
                    found.append(ast.unparse(node))
                case _:
                    pass
    return found


def _members(node: ast.ClassDef) -> set[str]:
    found: set[str] = set()
    for part in ast.walk(node):
        match part:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                found.add(name)
            case ast.AnnAssign(target=ast.Name(id=name)) | ast.Attribute(value=ast.Name(id="self"), attr=name):
                found.add(name)
            case _:
                pass
    return found


@cache
def _trees() -> tuple[ast.Module, ...]:
    return tuple(ast.parse(path.read_text(encoding="utf-8")) for path in _sources())


def _sources() -> list[Path]:
    return sorted((ROOT / "router").rglob("*.py"))
