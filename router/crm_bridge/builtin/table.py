"""Clients as CSV: read with mistakes by line and column, written so that reading it again changes nothing.

Comma or semicolon (as Excel writes it in Russian), UTF-8 with or without a byte order mark. The first line names the
columns, in any order, in English or Russian. Several numbers or mails stand in one cell with spaces or `|` or commas
between them where the cell is quoted.
"""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any

from router.basis.failures import Mistake, Mistakes
from router.crm_bridge.builtin.entry import FIELDS, Entry, Placed, entry_of, twice
from router.texts import catalogue
from router.texts.kinds import KINDS as WORDS

COLUMNS = {
    "id": "id", "код": "id",
    "name": "name", "имя": "name", "название": "name", "клиент": "name",
    "kind": "kind", "вид": "kind", "тип": "kind",
    "phones": "phones", "phone": "phones", "телефон": "phones", "телефоны": "phones",
    "mails": "mails", "mail": "mails", "email": "mails", "e-mail": "mails", "почта": "mails",
    "responsible": "responsible", "ответственный": "responsible",
    "active": "active", "активен": "active",
    "priority": "priority", "приоритет": "priority",
    "note": "note", "заметка": "note", "примечание": "note",
}  # fmt: skip
"""Heading -> field."""

KINDS = {str(catalogue("ru").gettext(key)): kind for kind, key in WORDS.items()} | {
    "партнер": "partner",
    "бывший": "former",
}
"""Russian word -> kind."""
YES = frozenset({"yes", "true", "1", "да", "д"})
NO = frozenset({"no", "false", "0", "нет", "н"})

_BETWEEN_MAILS = re.compile(r"[\s,;|]+")
_BETWEEN_NUMBERS = re.compile(r"[,;|]+|\s+(?=\+)")
"""Numbers have spaces inside; a space before a `+` begins the next one."""


def read_table(text: str, region: str) -> list[Placed]:
    """The clients in a CSV text. Raises `Mistakes`; keys are `line 3, phones`."""
    mistakes: list[Mistake] = []
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=_delimiter(text), strict=True)
    found: list[Placed] = []
    try:
        heads = next(rows, [])
        fields = _fields(heads, mistakes)
        if mistakes:
            raise Mistakes(mistakes)
        for cells in rows:
            where = f"line {rows.line_num}"
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(fields):
                remedy = f"has {len(cells)} cells for {len(fields)} columns; quote cells with commas"
                mistakes.append(Mistake(where, cells[-1], remedy))
                continue
            written = {name: _cell(name, cell) for name, cell in zip(fields, cells, strict=False) if cell.strip()}
            entry = entry_of(written, where, region, mistakes)
            if entry is not None:
                found.append((where, entry))
    except csv.Error as error:
        mistakes.append(Mistake(f"line {rows.line_num}", "", f"not readable as CSV: {error}"))
    mistakes += twice(found)
    if mistakes:
        raise Mistakes([by_column(mistake) for mistake in mistakes])
    return found


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max(",;\t", key=head.count)


def _fields(heads: list[str], mistakes: list[Mistake]) -> list[str]:
    fields: list[str] = []
    for head in heads:
        name = COLUMNS.get(head.strip().lower(), "")
        if not name:
            mistakes.append(Mistake("line 1", head, f"unknown column; known are {', '.join(FIELDS)}"))
        elif name in fields:
            mistakes.append(Mistake("line 1", head, "this column is there twice"))
        fields.append(name)
    if not fields:
        mistakes.append(Mistake("line 1", "", f"name the columns: {', '.join(FIELDS)}"))
    return fields


def _cell(name: str, cell: str) -> Any:
    """A cell as the field wants it; what cannot be read stays text, and is told by `entry_of`."""
    text = cell.strip()
    match name:
        case "phones":
            return [part.strip() for part in _BETWEEN_NUMBERS.split(text) if part.strip()]
        case "mails":
            return [part for part in _BETWEEN_MAILS.split(text) if part]
        case "kind":
            return KINDS.get(text.lower(), text.lower())
        case "active":
            return text.lower() in YES if text.lower() in YES | NO else text
        case "priority":
            return int(text) if text.isdecimal() else text
        case _:
            return text


def by_column(mistake: Mistake) -> Mistake:
    """A mistake under the key `line 3, phones`."""
    line, dot, column = mistake.key.partition(".")
    return Mistake(f"{line}, {column}", mistake.value, mistake.remedy) if dot else mistake


def write_table(entries: Iterable[Entry]) -> str:
    """All of them as CSV with a heading."""
    out = io.StringIO(newline="")
    rows = csv.writer(out)
    rows.writerow(FIELDS)
    for entry in entries:
        rows.writerow([_written(name, getattr(entry, name)) for name in FIELDS])
    return out.getvalue()


def _written(name: str, value: Any) -> str:
    if name in {"phones", "mails"}:
        return " ".join(value)
    if name == "active":
        return "yes" if value else "no"
    return str(value)
