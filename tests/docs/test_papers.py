"""Links lead somewhere, paths exist, and what the papers call by name has that name in the code."""

import re
from pathlib import Path

import pytest

from tests.docs.code import members, words
from tests.docs.papers import ROOT, code_words, papers, prose, text

PAPERS = [pytest.param(path, id=str(path.relative_to(ROOT))) for path in papers()]
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("*.md"))
CODE_PAPERS = [
    "ARCHITECTURE.md",
    "docs/operations.md",
    *(str(path.relative_to(ROOT)) for path in DECISIONS),
]
"""Papers in which a CamelCase or under_scored word between backticks is a name of the code."""

ROOMS = {path.name for path in ROOT.iterdir() if path.is_dir()} | {".ci"}
PATH = re.compile(r"^(?:[\w.-]+/)+[\w.-]*$|^[\w-]+\.(?:md|py|toml|yml|yaml|lock)$|^Makefile$|^Dockerfile$")
OWN = {
    "hopline.toml",
    "people.toml",
    "config/people.toml",
    "clients.toml",
    "config/hopline.toml",
    "data/demo",
    "data/",
    "extensions.conf",
}
"""Files that a company writes for itself, or a run makes."""
ELSEWHERE = {"tests/wire"}
"""Rooms that CONTRIBUTING.md asks the first one who needs them to make."""


def anchors(source: str) -> set[str]:
    """The anchors of a paper's headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(source), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("paper", PAPERS)
def test_links_lead_somewhere(paper: Path) -> None:
    source = paper.read_text(encoding="utf-8")
    broken: list[str] = []
    for link in re.findall(r"\]\(([^)\s]+)\)", prose(source)):
        if re.match(r"[a-z]+:", link):
            continue
        place, _, anchor = link.partition("#")
        goal = (paper.parent / place) if place else paper
        if not goal.exists() or (anchor and anchor not in anchors(goal.read_text(encoding="utf-8"))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("paper", PAPERS)
def test_paths_exist(paper: Path) -> None:
    missing: list[str] = []
    for word in code_words(paper.read_text(encoding="utf-8")):
        first = word.split("/")[0]
        if not PATH.match(word) or word in OWN | ELSEWHERE or ("/" in word and first not in ROOMS):
            continue
        places = (ROOT / word, paper.parent / word)
        if not any(place.exists() for place in places) and "/" in word:
            missing.append(word)
    assert missing == []


@pytest.mark.parametrize("name", CODE_PAPERS)
def test_names_are_names_of_the_code(name: str) -> None:
    unknown: list[str] = []
    for word in code_words(text(name)):
        if re.fullmatch(r"[A-Z][A-Za-z]+\.[a-z_]+", word):
            owner, member = word.split(".")
            if member not in members().get(owner, frozenset()):
                unknown.append(word)
        elif re.fullmatch(r"[A-Z][a-z]+[A-Za-z]*|_?[a-z]+(?:_[a-z]+)+", word):
            plain = re.sub(r"_total$", "", word) if word.startswith("hopline_") else word
            if word not in words() and plain not in words():
                unknown.append(word)
    assert unknown == []


def test_the_glossary_names_what_exists() -> None:
    from tests.docs.code import defined  # noqa: PLC0415 - reads all sources: only where it is needed

    rows = [
        line.split(" | ") for line in text("GLOSSARY.md").splitlines() if line.startswith("| ") and "---" not in line
    ]
    with_code = [row for row in rows if len(row) == 4 and "`" in row[3]]
    assert len(with_code) > 50
    missing = {name for row in with_code for name in re.findall(r"`([^`]+)`", row[3]) if name not in defined()}
    assert missing == set()


def test_each_word_of_the_glossary_has_a_russian_one() -> None:
    rows = [line.strip("| ").split(" | ") for line in text("GLOSSARY.md").splitlines() if re.match(r"\| [a-z]", line)]
    entries = [row for row in rows if row[0] != "term"]
    assert len(entries) > 60
    assert [row[0] for row in entries if not re.search(r"[а-яё]", row[2])] == []
    terms = [term.strip() for row in entries for term in row[0].split(",")]
    assert sorted(terms) == sorted(set(terms)), "one word, two entries"


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.name)
def test_a_decision_has_its_four_parts(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", source, re.MULTILINE) == ["Context", "Options", "Choice", "Price"]
    assert source.startswith(f"# {int(path.name[:4])}. ")


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(path.name[:4]) for path in DECISIONS] == list(range(1, len(DECISIONS) + 1))


def test_decisions_that_the_code_names_exist() -> None:
    named: set[str] = set()
    for room in ("router", "simulators", "sidecars", "benchmarks", "scripts", "deploy"):
        for path in (ROOT / room).rglob("*"):
            if path.is_file() and path.suffix in {".py", ".sh", ".conf", ".yml", ".toml"}:
                named |= set(re.findall(r"docs/[\w./-]+\.md", path.read_text(encoding="utf-8")))
    assert named, "the code names no paper: look at the pattern"
    assert {name for name in named if not (ROOT / name).exists()} == set()
