"""Reads people, lines, chains and calendars from `people.toml`, finds all mistakes in it, and tells what a new document
changes."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from router.basis.calendar import Calendar
from router.basis.failures import Mistake, Mistakes
from router.basis.people import Chain, Directory, Line, Person
from router.chains.terms import Terms, with_deviations
from router.crm_bridge.particulars import calendar_row, company_zone, person_row
from router.crm_bridge.toml_file import read_toml

NO_CALENDAR = "no such calendar; write [calendar.<id>]"

TABLES = ("company", "person", "line", "chain", "calendar")


def read_directory(path: Path) -> Directory:
    """The directory in a file. Raises `Mistakes`, all of them at once."""
    return directory_of(read_toml(path))


def directory_of(document: dict[str, Any]) -> Directory:
    """The directory in a parsed document. Raises `Mistakes`."""
    mistakes: list[Mistake] = []
    mistakes += [
        Mistake(key, "…", "unknown table; use [company], [[person]], [[line]], [chain.<id>], [calendar.<id>]")
        for key in document
        if key not in TABLES
    ]
    zone = company_zone(document.get("company", {}), mistakes)
    people = _read(_people(document.get("person", []), zone, mistakes), Person, "person", mistakes)
    lines = _read(document.get("line", []), Line, "line", mistakes)
    chains = _read(
        [
            {"id": name, **_without_floats(body)} if isinstance(body, dict) else body
            for name, body in _named(document, "chain", mistakes)
        ],
        Chain,
        "chain",
        mistakes,
    )
    rows = [calendar_row(name, body, mistakes) for name, body in _named(document, "calendar", mistakes)]
    calendars = _read([row for row in rows if row is not None], Calendar, "calendar", mistakes)
    directory = Directory(tuple(people), tuple(lines), tuple(chains), tuple(calendars), zone)
    mistakes.extend(check(directory))
    if mistakes:
        raise Mistakes(mistakes)
    return directory


def _named(document: dict[str, Any], table: str, mistakes: list[Mistake]) -> list[tuple[str, Any]]:
    """The tables `[<table>.<id>]`."""
    found = document.get(table, {})
    if not isinstance(found, dict):
        mistakes.append(Mistake(table, found, f"write [{table}.<id>], one table for each {table}"))
        return []
    return list(found.items())


def _people(rows: Any, zone: str, mistakes: list[Mistake]) -> Any:
    if not isinstance(rows, list):
        return rows
    return [
        person_row(row, f"person[{row.get('id', index)}]", zone, mistakes) if isinstance(row, dict) else row
        for index, row in enumerate(rows)
    ]


def _without_floats(chain: dict[str, Any]) -> dict[str, Any]:
    """Fractions of a second as text: the directory is content of the journal, which holds no floats."""
    terms = chain.get("terms")
    if not isinstance(terms, dict):
        return chain
    plain = {name: str(value) if isinstance(value, float) else value for name, value in terms.items()}
    return {**chain, "terms": plain}


def _read(rows: Any, kind: type[Any], name: str, mistakes: list[Mistake]) -> list[Any]:
    if not isinstance(rows, list):
        mistakes.append(Mistake(name, rows, f"write [[{name}]], one table for each"))
        return []
    found: list[Any] = []
    known = {field.name for field in msgspec.structs.fields(kind)}
    for index, row in enumerate(rows):
        where = f"{name}[{row.get('id', row.get('number', index)) if isinstance(row, dict) else index}]"
        if not isinstance(row, dict):
            mistakes.append(Mistake(where, row, "must be a table"))
            continue
        mistakes += [
            Mistake(f"{where}.{key}", row[key], f"unknown; known are {', '.join(sorted(known))}")
            for key in row.keys() - known
        ]
        try:
            found.append(msgspec.convert({key: row[key] for key in row.keys() & known}, kind))
        except msgspec.ValidationError as error:
            mistakes.append(Mistake(where, row, str(error)))
    return found


class Contradiction(Mistake):
    """A mistake that can be seen in a directory wherever it comes from; the linter names it by its code."""

    def __init__(self, code: str, where: str, value: object, remedy: str, *, chain: str = "", person: str = "") -> None:
        super().__init__(where, value, remedy)
        self.code = code
        self.chain = chain
        self.person = person


def check(directory: Directory) -> list[Contradiction]:
    """Contradictions inside a directory."""
    found = [*_check_names(directory), *_check_people(directory)]
    for line in directory.lines:
        if directory.chain(line.chain) is None:
            where = f"line[{line.number}].chain"
            found.append(Contradiction("line_leads_nowhere", where, line.chain, "no such chain"))
    for chain in directory.chains:
        found += _check_chain(directory, chain)
    return found


def _check_names(directory: Directory) -> Iterator[Contradiction]:
    for what, ids in (
        ("person.id", [person.id for person in directory.people]),
        ("line.number", [line.number for line in directory.lines]),
    ):
        for name, times in Counter(ids).items():
            if times > 1:
                yield Contradiction("given_twice", what, name, "given twice")
    # A person's phones, not only his extensions: a directory that was made by hand may describe one it does not list.
    extensions = Counter(phone.extension for person in directory.people for phone in person.phones)
    for extension, times in extensions.items():
        if times > 1:
            remedy = "belongs to more than one person: who answered could not be told; give each his own"
            yield Contradiction("shared_extension", "person.extensions", extension, remedy)


def _check_people(directory: Directory) -> Iterator[Contradiction]:
    calendars = {calendar.id for calendar in directory.calendars}
    for person in directory.people:
        if person.hours and person.hours not in calendars:
            where = f"person[{person.id}].hours"
            yield Contradiction("unknown_calendar", where, person.hours, NO_CALENDAR, person=person.id)
        if not person.id.replace("-", "").replace("_", "").replace(".", "").isalnum():
            yield Contradiction("bad_id", "person.id", person.id, "use letters, digits, dots, dashes, underscores")


def _check_chain(directory: Directory, chain: Chain) -> Iterator[Contradiction]:
    where = f"chain.{chain.id}"

    def found(code: str, key: str, value: object, remedy: str, person: str = "") -> Contradiction:
        return Contradiction(code, f"{where}.{key}", value, remedy, chain=chain.id, person=person)

    if not chain.heads:
        yield found("empty_list", "heads", [], "name at least one person: nobody would be rung")
    for head, times in Counter(chain.heads).items():
        person = directory.person(head)
        if person is None:
            yield found("unknown_person", "heads", head, "no person has this id", head)
        elif not person.phones:
            yield found("no_extension", "heads", head, "has no extension and can never be rung", head)
        if times > 1:
            yield found("head_twice", "heads", head, "given twice; the list begins again by itself", head)
    if chain.calendar and directory.calendar(chain.calendar) is None:
        yield found("unknown_calendar", "calendar", chain.calendar, NO_CALENDAR)
    for mistake in with_deviations(Terms(), chain.terms, "terms")[1]:
        short = mistake.key in {"terms.ring_s", "terms.window_s"} and "min_offer_s" in mistake.remedy
        yield found("shorter_than_min_offer" if short else "bad_term", mistake.key, mistake.value, mistake.remedy)


def differences(before: Directory, after: Directory) -> list[str]:
    """What a new directory changes, a line each: `+` added, `-` removed, `~` changed."""
    lines: list[str] = []
    for what, old, new in (
        ("person", {row.id: row for row in before.people}, {row.id: row for row in after.people}),
        ("line", {row.number: row for row in before.lines}, {row.number: row for row in after.lines}),
        ("chain", {row.id: row for row in before.chains}, {row.id: row for row in after.chains}),
        ("calendar", {row.id: row for row in before.calendars}, {row.id: row for row in after.calendars}),
    ):
        for key in sorted(old.keys() | new.keys()):
            lines += _difference(f"{what} {key}", old.get(key), new.get(key))
    if before.zone != after.zone:
        lines.append(f"~ company: zone {before.zone} -> {after.zone}")
    return lines


def _difference(name: str, old: Any, new: Any) -> list[str]:
    if old == new:
        return []
    if old is None:
        return [f"+ {name}"]
    if new is None:
        return [f"- {name}"]
    return [
        f"~ {name}: {field} {_plain(getattr(old, field))} -> {_plain(getattr(new, field))}"
        for field in old.__struct_fields__
        if getattr(old, field) != getattr(new, field)
    ]


def _plain(value: Any) -> str:
    """A value as a line of differences shows it; of a table only what is not default."""
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, msgspec.Struct):
        said = msgspec.to_builtins(value)
        return " ".join(
            f"{name}={_plain(tuple(part) if isinstance(part, list) else part)}" for name, part in said.items()
        )
    return str(value)
