"""A client as people write him: in a file, a table, a request. Checked in one place, mistakes told all together."""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import msgspec

from router.basis.clients import MOST_PRIORITY, ClientKind
from router.basis.failures import Mistake
from router.basis.phone import masked, normal

ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
MAIL = re.compile(r"[^@\s,;]+@[^@\s,;]+\.[^@\s,;]+")

NUMBER = re.compile(r"\+[0-9]{8,15}")
"""E.164: 15 digits at most (ITU-T E.164, 6.2.1). Not stricter: a country opens prefixes before packages know them."""

LONGEST = {"name": 200, "note": 2_000}
"""Characters: names of legal entities reach 150; a note that is longer belongs into a CRM."""

MOST_CONTACTS = 50
"""Numbers, and mails, of one client: more is a mistake of whoever exported the table."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """Plain values. Numbers are in E.164, mails in lower case."""

    id: str = ""
    """Empty: found by numbers and mails, else given by the server."""
    name: str = ""
    kind: ClientKind = ClientKind.NEW
    phones: tuple[str, ...] = ()
    mails: tuple[str, ...] = ()
    responsible: str = ""
    active: bool = True
    priority: int = 0
    note: str = ""


Placed = tuple[str, Entry]
"""Where it stands in a file, and the client."""

FIELDS = tuple(field.name for field in msgspec.structs.fields(Entry))


def entry_of(written: Mapping[str, Any], where: str, region: str, mistakes: list[Mistake]) -> Entry | None:
    """The client in a table of a file or the body of a request; None where something is wrong with it.

    `where` begins the keys of mistakes; `region` (ISO 3166) reads numbers without an international prefix.
    """
    before = len(mistakes)
    mistakes += [
        Mistake(f"{where}.{key}", written[key], f"unknown; known are {', '.join(FIELDS)}")
        for key in written
        if key not in FIELDS
    ]
    readers: dict[str, Callable[[Any, str, list[Mistake]], Any]] = {
        **_READERS,
        "phones": partial(_phones, region=region),
    }
    found = {name: readers[name](written[name], f"{where}.{name}", mistakes) for name in FIELDS if name in written}
    if not any(found.get(name) for name in ("id", "phones", "mails")) and len(mistakes) == before:
        remedy = "give an id, a phone or a mail: else he cannot be found"
        mistakes.append(Mistake(where, written.get("name", ""), remedy))
    return Entry(**found) if len(mistakes) == before else None


def _id(value: Any, where: str, mistakes: list[Mistake]) -> str:
    if not isinstance(value, str) or (value and not ID.fullmatch(value)):
        mistakes.append(Mistake(where, value, "write 1 to 64 Latin letters, digits, dots, dashes, underscores"))
        return ""
    return value


def _text(value: Any, where: str, mistakes: list[Mistake]) -> str:
    name = where.rpartition(".")[2]
    if not isinstance(value, str) or not _storable(value) or len(value.strip()) > LONGEST.get(name, 64):
        mistakes.append(Mistake(where, value, f"must be text of at most {LONGEST.get(name, 64)} characters"))
        return ""
    return value.strip()


def _storable(text: str) -> bool:
    """A text column takes no NUL (PostgreSQL), and a lone surrogate has no UTF-8 form."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text


def _kind(value: Any, where: str, mistakes: list[Mistake]) -> ClientKind:
    try:
        return ClientKind(value)
    except ValueError:
        mistakes.append(Mistake(where, value, f"choose one of {', '.join(ClientKind)}"))
        return ClientKind.NEW


def _phones(value: Any, where: str, mistakes: list[Mistake], region: str) -> tuple[str, ...]:
    found: list[str] = []
    for text in _list(value, where, mistakes):
        number = normal(text, region)
        if number is None or not NUMBER.fullmatch(number):
            remedy = "no number that can be dialled; write it with + and the country's code"
            mistakes.append(Mistake(where, masked(text), remedy))
        else:
            found.append(number)
    return tuple(dict.fromkeys(found))


def _mails(value: Any, where: str, mistakes: list[Mistake]) -> tuple[str, ...]:
    found: list[str] = []
    for text in _list(value, where, mistakes):
        if MAIL.fullmatch(text.strip()) and _storable(text):
            found.append(text.strip().lower())
        else:
            mistakes.append(Mistake(where, text, "no mail address; write name@example.org"))
    return tuple(dict.fromkeys(found))


def _list(value: Any, where: str, mistakes: list[Mistake]) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        mistakes.append(Mistake(where, value, 'must be a list of texts: ["…", "…"]'))
        return []
    if len(value) > MOST_CONTACTS:
        mistakes.append(Mistake(where, len(value), f"give {MOST_CONTACTS} at most"))
        return []
    return list(value)


def _active(value: Any, where: str, mistakes: list[Mistake]) -> bool:
    if not isinstance(value, bool):
        mistakes.append(Mistake(where, value, "give true or false"))
        return True
    return value


def _priority(value: Any, where: str, mistakes: list[Mistake]) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_PRIORITY:
        mistakes.append(Mistake(where, value, f"give a whole number, 0 to {MOST_PRIORITY}"))
        return 0
    return value


_READERS: dict[str, Callable[[Any, str, list[Mistake]], Any]] = {
    "id": _id,
    "name": _text,
    "kind": _kind,
    "mails": _mails,
    "responsible": _text,
    "active": _active,
    "priority": _priority,
    "note": _text,
}


def twice(entries: Iterable[Placed]) -> list[Mistake]:
    """What stands in several of these (place, client): one id, or one number or mail of clients without an id."""
    ids: dict[str, str] = {}
    contacts: dict[str, tuple[str, Entry]] = {}
    mistakes: list[Mistake] = []
    for where, entry in entries:
        if entry.id and (first := ids.setdefault(entry.id, where)) != where:
            mistakes.append(Mistake(f"{where}.id", entry.id, f"given twice, first in {first}"))
        for contact in (*entry.phones, *entry.mails):
            first, other = contacts.setdefault(contact, (where, entry))
            if first != where and not (entry.id and other.id):
                remedy = f"stands in {first} as well; give both an id, or write them as one client"
                mistakes.append(Mistake(where, contact if "@" in contact else masked(contact), remedy))
    return mistakes


def differences(before: Entry | None, after: Entry) -> list[str]:
    """What a client's new entry changes, a line each; numbers are masked, because it may end in somebody's log."""
    if before is None:
        return [f"+ client {after.id}"]
    return [
        f"~ client {after.id}: {name} {_shown(name, getattr(before, name))} -> {_shown(name, getattr(after, name))}"
        for name in FIELDS
        if getattr(before, name) != getattr(after, name)
    ]


def _shown(name: str, value: Any) -> str:
    if name == "phones":
        return ", ".join(masked(number) for number in value) or "none"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) or "none"
