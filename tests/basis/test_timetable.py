"""Who works when: chains by their calendars, people by their hours and absences."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from router.basis.calendar import Calendar
from router.basis.instants import HOUR, Instant, from_datetime
from router.basis.people import Absence, Chain, Directory, Person
from router.basis.timetable import Off, Timetable

EVERY = ("09:00-18:00",)
OFFICE = Calendar("office", "", "", EVERY, EVERY, EVERY, EVERY, EVERY)
MORNINGS = Calendar("mornings", "", "", ("09:00-12:00",), ("09:00-12:00",))
OLEG = Person("oleg", "Олег", ("102",), absences=(
    Absence("2026-11-25", "2026-11-27", "leave"), Absence("2026-12-01T10:00:00", "2026-12-01T12:30:00", "trip"),
    Absence("2026-12-20"),
))  # fmt: skip
DIRECTORY = Directory(
    people=(Person("anna", "Анна", ("101",)), OLEG, Person("vera", "Вера", ("103",), hours="mornings")),
    chains=(Chain("sales", ("anna",), calendar="office"), Chain("always", ("anna",))),
    calendars=(OFFICE, MORNINGS),
)
TABLE = Timetable(DIRECTORY)


def at(text: str, zone: str = "Europe/Moscow") -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def test_a_chain_serves_in_its_calendar_and_one_without_always() -> None:
    assert TABLE.chain_open("sales", at("2026-11-24T09:00"))
    assert not TABLE.chain_open("sales", at("2026-11-24T18:00"))
    assert TABLE.chain_opens("sales", at("2026-11-27T18:00")) == at("2026-11-30T09:00")
    assert TABLE.chain_open("always", at("2026-11-29T03:00"))
    assert TABLE.chain_open("unknown", at("2026-11-29T03:00")), "nobody is turned away because of a slip of ours"


@pytest.mark.parametrize(
    ("moment", "off"),
    [
        ("2026-11-24T23:59:59", None),
        ("2026-11-25T00:00", Off("leave", at("2026-11-28T00:00"))),
        ("2026-11-27T23:59:59", Off("leave", at("2026-11-28T00:00"))),
        ("2026-11-28T00:00", None),
        ("2026-12-01T10:00", Off("trip", at("2026-12-01T12:30"))),
        ("2026-12-01T12:30", None),
        ("2027-05-01T00:00", Off("other", None)),
    ],
)
def test_absences_begin_and_end_to_the_instant(moment: str, off: Off | None) -> None:
    assert TABLE.off("oleg", at(moment)) == off


def test_own_hours_are_told_with_their_next_beginning() -> None:
    assert TABLE.off("vera", at("2026-11-24T10:00")) is None
    assert TABLE.off("vera", at("2026-11-24T12:00")) == Off("off_hours", at("2026-11-30T09:00"))
    assert TABLE.works_again("vera", at("2026-11-24T12:00")) == at("2026-11-30T09:00")
    assert TABLE.works_again("oleg", at("2026-11-26T12:00")) == at("2026-11-28T00:00")
    assert TABLE.works_again("oleg", at("2026-12-21T12:00")) is None
    assert TABLE.off("anna", at("2026-11-29T03:00")) is None, "no hours of her own: whenever her chains work"


def test_absences_are_in_the_company_zone() -> None:
    there = Timetable(Directory(people=(OLEG,), zone="Asia/Vladivostok"))
    assert there.off("oleg", at("2026-11-25T00:00", "Asia/Vladivostok")) is not None
    assert there.off("oleg", at("2026-11-28T00:00", "Asia/Vladivostok")) is None
    assert there.off("oleg", at("2026-11-28T00:00")) is None


def test_working_spans_are_hours_without_absences() -> None:
    since, until = at("2026-11-24T00:00"), at("2026-12-02T00:00")
    assert list(TABLE.working_spans("oleg", since, until)) == [
        (since, at("2026-11-25T00:00")),
        (at("2026-11-28T00:00"), at("2026-12-01T10:00")),
        (at("2026-12-01T12:30"), until),
    ]
    assert sum(end - start for start, end in TABLE.working_spans("vera", since, until)) == 9 * HOUR
