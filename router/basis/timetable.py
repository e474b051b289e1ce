"""Who works at an instant, by calendars and absences. Pure.

    table = Timetable(directory)
    table.chain_open("sales", at)     does the chain serve callers now
    table.chain_opens("sales", at)    when it does again
    table.off("oleg", at)             why a person does not work now, and until when; None: he works

What was pressed ("I am away") and what the PBX reports is the roster's; this is what was written beforehand. Build one
per directory and keep it: calendars are made ready once. As with calendars, a look asks, never a machine.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from router.basis.calendar import Span, WorkingCalendar, instant_of, working
from router.basis.instants import NEVER, Instant
from router.basis.people import Absence, Directory, PersonId

TRIES = 100
"""Absences and closed hours gone through for one answer: more than a person can have within the calendars' horizon."""


class Off(msgspec.Struct, frozen=True):
    """Why a person does not work at an instant."""

    why: str
    """The reason of an absence (`leave`, `sick`, …), or `off_hours`."""
    until: Instant | None
    """When this reason ends; None: not foreseen."""


OFF_HOURS = "off_hours"


class Timetable:
    """The hours of one directory, ready to be asked."""

    def __init__(self, directory: Directory) -> None:
        self.directory = directory
        self._zone = ZoneInfo(directory.zone)
        self._calendars = {calendar.id: working(calendar, directory.zone) for calendar in directory.calendars}
        self._chains = {chain.id: self._calendars.get(chain.calendar) for chain in directory.chains}
        self._hours = {person.id: self._calendars.get(person.hours) for person in directory.people}
        self._absences = {
            person.id: tuple((*span_of(absence, self._zone), absence.reason) for absence in person.absences)
            for person in directory.people
            if person.absences
        }

    @property
    def has_hours(self) -> bool:
        """Whether anybody has hours of his own or an absence at all."""
        return bool(self._absences) or any(self._hours.values())

    def calendar_of(self, chain: str) -> WorkingCalendar | None:
        """The calendar of a chain; None: it serves always."""
        return self._chains.get(chain)

    def hours_of(self, person: PersonId) -> WorkingCalendar | None:
        """The calendar of a person; None: he works whenever his chains do."""
        return self._hours.get(person)

    def absences_of(self, person: PersonId) -> tuple[Span, ...]:
        """When he is absent, as written; from and to."""
        return tuple((since, until) for since, until, _ in self._absences.get(person, ()))

    def chain_open(self, chain: str, at: Instant) -> bool:
        """Whether the chain serves callers at this instant; one without a calendar always does."""
        calendar = self._chains.get(chain)
        return calendar is None or calendar.is_open(at)

    def chain_opens(self, chain: str, at: Instant) -> Instant | None:
        """The first instant from `at` on at which the chain serves callers; None: not within the horizon."""
        calendar = self._chains.get(chain)
        return at if calendar is None else calendar.next_open(at)

    def off(self, person: PersonId, at: Instant) -> Off | None:
        """Why he does not work at this instant; None: he works. An absence is named before his hours are."""
        for since, until, reason in self._absences.get(person, ()):
            if since <= at < until:
                return Off(reason, None if until == NEVER else until)
        calendar = self._hours.get(person)
        if calendar is None or calendar.is_open(at):
            return None
        return Off(OFF_HOURS, calendar.next_open(at))

    def works_again(self, person: PersonId, at: Instant) -> Instant | None:
        """The first instant from `at` on at which he works; None: not foreseen."""
        for _ in range(TRIES):
            off = self.off(person, at)
            if off is None:
                return at
            if off.until is None:
                return None
            at = off.until
        return None

    def working_spans(self, person: PersonId, since: Instant, until: Instant) -> Iterator[Span]:
        """When he works between two instants, in order."""
        calendar = self._hours.get(person)
        hours: Iterator[Span] = iter(((since, until),)) if calendar is None else calendar.spans(since)
        absences = sorted(self.absences_of(person))
        for start, end in hours:
            left, last = max(start, since), min(end, until)
            for gone, back in absences:
                if back <= left or gone >= last:
                    continue
                if gone > left:
                    yield left, gone
                left = back
            if left < last:
                yield left, last
            if end >= until:
                return


def span_of(absence: Absence, zone: ZoneInfo) -> Span:
    """An absence as instants. Raises ValueError for what is no date."""
    until = instant_of(_wall(absence.until, last=True), zone) if absence.until else NEVER
    return instant_of(_wall(absence.since), zone), until


def _wall(text: str, *, last: bool = False) -> datetime:
    """A date as its midnight, or as the midnight after it; a date-time as it stands."""
    if len(text) == len("2026-01-01"):
        day = date.fromisoformat(text)
        return datetime.combine(day + timedelta(days=1) if last else day, datetime.min.time())
    wall = datetime.fromisoformat(text)
    if wall.tzinfo is not None:
        message = f"{text}: a zone is not written here; the company's is meant"
        raise ValueError(message)
    return wall
