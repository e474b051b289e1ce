"""The locks: every version with hashes, no address of an index, and in step with pyproject.toml."""

import re
import tomllib

import pytest

from tests.packaging.tree import ROOT

pytestmark = pytest.mark.packaging

LOCKS = ("requirements.lock", "requirements-dev.lock")
PINNED = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ;\\]+)")


def requirements(lock: str) -> dict[str, str]:
    """Name -> all that belongs to it: the line and its continuation lines."""
    text = (ROOT / lock).read_text(encoding="utf-8")
    joined = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE))
    found = {}
    for line in filter(str.strip, joined.splitlines()):
        match = PINNED.match(line)
        assert match, f"{lock}: neither a pinned requirement nor a comment: {line!r}"
        found[match["name"]] = line
    return found


def normal(name: str) -> str:
    """The one spelling of a distribution's name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_has_a_hash(lock: str) -> None:
    listed = requirements(lock)
    assert len(listed) > 30
    assert [name for name, line in listed.items() if "--hash=sha256:" not in line] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_no_index_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert re.findall(r"https?://|--(?:extra-)?index-url|--find-links|--trusted-host| @ ", text) == []


def test_what_pyproject_asks_for_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    plain = [*project["dependencies"], *extras["postgres"], *extras["uvloop"], *extras["build"]]
    name_of = re.compile(r"^[A-Za-z0-9._-]+")
    for lock, wanted in (("requirements.lock", plain), ("requirements-dev.lock", [*plain, *extras["dev"]])):
        names = {normal(match[0]) for text in wanted if (match := name_of.match(text))}
        assert names - {normal(name) for name in requirements(lock)} == set()


def test_both_locks_agree() -> None:
    plain, full = requirements("requirements.lock"), requirements("requirements-dev.lock")
    version = {name: PINNED.match(line) for name, line in plain.items()}
    other = {name: PINNED.match(line) for name, line in full.items()}
    differing = [name for name in plain if (a := version[name]) and (b := other.get(name)) and a[2] != b[2]]
    assert differing == []
    assert set(plain) <= set(full)
