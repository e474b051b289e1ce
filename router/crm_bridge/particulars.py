"""The parts of `people.toml` that are written otherwise than they are kept: calendars, absences, devices.

Each function takes a table as it was written, tells what is wrong in it, and gives back the row that
`router.basis.people` can take. Dates may be dates of TOML or text; seconds become microseconds.
"""

from collections.abc import Mapping
from datetime import date, datetime
from itertools import pairwise
from typing import Any, get_args
from zoneinfo import ZoneInfo

import msgspec

from router.basis.calendar import Calendar, countries, minutes_of, zones
from router.basis.failures import Mistake
from router.basis.instants import SECOND
from router.basis.people import COMPANY_ZONE, MOBILE, Absence, Device, Reason
from router.basis.timetable import span_of

Row = dict[str, Any]

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
SHORTEST_PUBLIC = 7
"""Digits from which on a number is no extension but a line of its own (`router.basis.phone`)."""
LONGEST_S = 60
"""Seconds; no phone is waited for longer than this."""
LONGEST_SHORTENING = 12 * 60

HOURS = 'write hours as ["09:00-18:00"], several with commas between; an end before its start is on the next day'
WHEN = "write a date (2026-12-28) or a date-time (2026-12-28T13:00:00) in the company's zone, naming no other"


# --- the company --------------------------------------------------------------------------------------------------


def company_zone(written: Any, mistakes: list[Mistake]) -> str:
    """`[company]`: where the company lives."""
    if not isinstance(written, dict):
        mistakes.append(Mistake("company", written, "write [company], one table"))
        return COMPANY_ZONE
    mistakes += [Mistake(f"company.{key}", written[key], "unknown; known is zone") for key in written if key != "zone"]
    zone = written.get("zone", COMPANY_ZONE)
    if zone not in zones():
        mistakes.append(Mistake("company.zone", zone, f"no such time zone; write an IANA name such as {COMPANY_ZONE}"))
        return COMPANY_ZONE
    return str(zone)


# --- calendars ----------------------------------------------------------------------------------------------------


def calendar_row(name: str, written: Any, mistakes: list[Mistake]) -> Row | None:
    """`[calendar.<id>]`; None where it is no table."""
    where = f"calendar.{name}"
    if not isinstance(written, dict):
        mistakes.append(Mistake(where, written, "must be a table"))
        return None
    row: Row = {"id": name}
    known = {field.name for field in msgspec.structs.fields(Calendar)} - {"id"}
    for key, value in written.items():
        at = f"{where}.{key}"
        if key in WEEKDAYS:
            row[key] = _hours(value, at, mistakes)
        elif key == "days":
            row[key] = _days(value, at, mistakes)
        elif key not in known:
            mistakes.append(Mistake(at, value, f"unknown; known are {', '.join(sorted(known))}"))
        elif (remedy := _wrong_in_calendar(key, value)) is not None:
            mistakes.append(Mistake(at, value, remedy))
        else:
            row[key] = value
    return row


def _wrong_in_calendar(key: str, value: Any) -> str | None:
    if key == "zone" and value and value not in zones():
        return f"no such time zone; write an IANA name such as {COMPANY_ZONE}, or leave it out"
    if key == "holidays" and value and value not in countries():
        return 'no holidays are known there; write a country such as "RU", or "" for none'
    if key == "short_by_min" and not (
        isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= LONGEST_SHORTENING
    ):
        return f"give whole minutes, 0 to {LONGEST_SHORTENING}"
    if key in ("title", "zone", "holidays") and not isinstance(value, str):
        return "must be text"
    return None


def _days(written: Any, where: str, mistakes: list[Mistake]) -> list[Row]:
    if not isinstance(written, dict):
        remedy = 'write a table of dates: 2026-12-31 = "closed", 2027-02-20 = ["10:00-15:00"]'
        mistakes.append(Mistake(where, written, remedy))
        return []
    found: list[Row] = []
    for day, hours in sorted(written.items()):
        at = f"{where}.{day}"
        try:
            text = date.fromisoformat(day).isoformat()
        except ValueError:
            mistakes.append(Mistake(at, day, "write the date as 2026-12-31"))
            continue
        found.append({"date": text, "hours": () if hours == "closed" else _hours(hours, at, mistakes)})
    return found


def _hours(written: Any, where: str, mistakes: list[Mistake]) -> tuple[str, ...]:
    """Hours of one day, in order; those that cannot be read are told."""
    if not isinstance(written, list) or not all(isinstance(entry, str) for entry in written):
        mistakes.append(Mistake(where, written, HOURS))
        return ()
    known: list[tuple[int, int, str]] = []
    for text in written:
        try:
            known.append((*minutes_of(text), text.strip()))
        except ValueError:
            mistakes.append(Mistake(where, text, HOURS))
    known.sort()
    for before, later in pairwise(known):
        if later[0] < before[1]:
            mistakes.append(Mistake(where, f"{before[2]}, {later[2]}", "these overlap; write each hour once"))
    return tuple(text for _, _, text in known)


# --- people -------------------------------------------------------------------------------------------------------


def person_row(written: Row, where: str, zone: str, mistakes: list[Mistake]) -> Row:
    """`[[person]]` with its absences and devices as they are kept."""
    row = dict(written)
    for key in ("absences", "devices"):
        if key not in row:
            continue
        entries = row[key]
        if not isinstance(entries, list):
            mistakes.append(Mistake(f"{where}.{key}", entries, "write a list of tables: [{ ... }, { ... }]"))
            row[key] = []
            continue
        places = [(f"{where}.{key}[{index}]", entry) for index, entry in enumerate(entries)]
        if key == "absences":
            made = [_absence(entry, at, ZoneInfo(zone), mistakes) for at, entry in places]
        else:
            made = [_device(entry, at, mistakes) for at, entry in places]
        row[key] = [entry for entry in made if entry is not None]
    if row.get("devices") and isinstance(row.get("extensions", []), list):
        described = [device["extension"] for device in row["devices"]]
        row["extensions"] = list(dict.fromkeys((*row.get("extensions", []), *described)))
        if len(set(described)) < len(described):
            mistakes.append(Mistake(f"{where}.devices", described, "an extension is described twice"))
    return row


def _absence(written: Any, where: str, zone: ZoneInfo, mistakes: list[Mistake]) -> Row | None:
    known = {field.encode_name for field in msgspec.structs.fields(Absence)}
    if not _is_table(written, where, known, mistakes):
        return None
    row = {key: _moment(value) for key, value in written.items() if key in known}
    reason = row.get("reason", "other")
    if reason not in get_args(Reason):
        mistakes.append(Mistake(f"{where}.reason", reason, f"choose one of {', '.join(get_args(Reason))}"))
        return None
    if "from" not in row:
        mistakes.append(Mistake(f"{where}.from", "", f"say when it begins: {WHEN}"))
        return None
    for key in ("from", "until"):
        try:
            span_of(Absence(str(row.get(key, "")) or "2026-01-01"), zone)
        except ValueError:
            mistakes.append(Mistake(f"{where}.{key}", row[key], WHEN))
            return None
    since, until = span_of(Absence(row["from"], row.get("until", "")), zone)
    if until <= since:
        mistakes.append(Mistake(f"{where}.until", row["until"], "ends before it begins"))
        return None
    return row


def _moment(value: Any) -> Any:
    """A date or date-time of TOML as text; anything else as it is."""
    return value.isoformat() if isinstance(value, date | datetime) else value


def _device(written: Any, where: str, mistakes: list[Mistake]) -> Row | None:
    seconds = {"no_ringing_after_s": "no_ringing_after", "cap_s": "cap"}
    fields = {field.name for field in msgspec.structs.fields(Device)}
    known = (fields - set(seconds.values())) | seconds.keys()
    if not _is_table(written, where, known, mistakes):
        return None
    base = MOBILE if written.get("kind") == MOBILE.kind else Device("")
    row: Row = msgspec.to_builtins(base)
    fine = True
    for key, value in written.items():
        if key in seconds:
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LONGEST_S:
                mistakes.append(Mistake(f"{where}.{key}", value, f"give seconds, 0 to {LONGEST_S}"))
                fine = False
            else:
                row[seconds[key]] = round(value * SECOND)
        elif key in fields:
            row[key] = value
    extension = row.get("extension")
    if not isinstance(extension, str) or not extension:
        mistakes.append(Mistake(f"{where}.extension", extension, "give the extension on the PBX, as text"))
        return None
    if row.get("kind") == MOBILE.kind and sum(letter.isdigit() for letter in extension) >= SHORTEST_PUBLIC:
        remedy = (
            "give the mobile a short extension in the PBX and write that: a person's own number would stand in the "
            "journal for ever"
        )
        mistakes.append(Mistake(f"{where}.extension", "***", remedy))
        return None
    try:
        msgspec.convert(row, Device)
    except msgspec.ValidationError as error:
        mistakes.append(Mistake(where, written, str(error)))
        return None
    return row if fine else None


def _is_table(written: Any, where: str, known: set[str], mistakes: list[Mistake]) -> bool:
    if not isinstance(written, Mapping):
        mistakes.append(Mistake(where, written, f"must be a table of {', '.join(sorted(known))}"))
        return False
    mistakes += [
        Mistake(f"{where}.{key}", value, f"unknown; known are {', '.join(sorted(known))}")
        for key, value in written.items()
        if key not in known
    ]
    return True
