"""Working calendars: when a company, a chain or a person works. Pure; instants are microseconds UTC.

    calendar = working(office, "Europe/Moscow")
    calendar.is_open(at)              does it work at this instant
    calendar.next_open(at)            the first instant from `at` on at which it does
    calendar.next_close(at)           the first instant from `at` on at which it does not
    calendar.add_working(at, 15 min)  the instant at which 15 minutes of working time have passed

A day's hours are found in this order: the calendar's own `days`; public holidays (closed), moved days off (closed) and
working Saturdays (they work as the day they were exchanged for) by the package `holidays`; the weekday. Hours belong to
the day on which they begin, so a night shift that begins before a holiday ends in it.

The package knows the government's transfers of a limited number of years (`transfers_known_until`); beyond them it
knows the fixed dates only, and the linter says so. Answers therefore depend on the version of the package: a machine
never asks a calendar, its look does, and the answer is stored with the event.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

import holidays
import msgspec

from router.basis.instants import DAY, MINUTE, Duration, Instant, as_datetime, from_datetime

HORIZON_DAYS = 800
"""How far answers are looked for: two years and some. What lies beyond is `None`: nobody waits for it."""

DAYS_REMEMBERED = 4_000
"""Days whose hours one calendar keeps ready, some 1 MB."""

_MINUTES_PER_DAY = 24 * 60

Span = tuple[Instant, Instant]
"""Working time: from the first instant up to, and without, the second."""

Minutes = tuple[int, int]
"""From and to in minutes since midnight; to > 1440 where it ends on the next day."""


class Day(msgspec.Struct, frozen=True, omit_defaults=True):
    """A date with hours of its own, whatever weekday or holiday it is."""

    date: str
    """ISO 8601."""
    hours: tuple[str, ...] = ()
    """Empty: closed."""


class Calendar(msgspec.Struct, frozen=True, omit_defaults=True):
    """Working hours as people write them: `HH:MM-HH:MM`, several a day; an end before its start is on the next day."""

    id: str
    title: str = ""
    zone: str = ""
    """IANA name, for example `Asia/Yekaterinburg`; empty: the company's."""
    monday: tuple[str, ...] = ()
    tuesday: tuple[str, ...] = ()
    wednesday: tuple[str, ...] = ()
    thursday: tuple[str, ...] = ()
    friday: tuple[str, ...] = ()
    saturday: tuple[str, ...] = ()
    sunday: tuple[str, ...] = ()
    holidays: str = "RU"
    """ISO 3166 country whose public holidays are closed; empty: holidays are ordinary days."""
    short_by_min: int = 0
    """Minutes by which the last hours of a day before a public holiday end earlier (Labour Code of Russia, article 95:
    one hour); 0: not at all."""
    days: tuple[Day, ...] = ()

    @property
    def week(self) -> tuple[tuple[str, ...], ...]:
        """Hours from Monday to Sunday."""
        return (self.monday, self.tuesday, self.wednesday, self.thursday, self.friday, self.saturday, self.sunday)


def minutes_of(hours: str) -> Minutes:
    """`09:00-18:00` as minutes. Raises ValueError for anything else."""
    start, dash, end = hours.partition("-")
    if not dash:
        raise ValueError(hours)
    since, until = _minute(start), _minute(end)
    if since in {_MINUTES_PER_DAY, until}:
        raise ValueError(hours)  # where it begins, or whether it is nothing or a whole day, would be a guess
    return since, until if until > since else until + _MINUTES_PER_DAY


def _minute(clock: str) -> int:
    hour, colon, minute = clock.strip().partition(":")
    if not (colon and hour.isdecimal() and minute.isdecimal() and len(minute) == 2 and len(hour) <= 2):  # noqa: PLR2004
        raise ValueError(clock)
    found = int(hour) * 60 + int(minute)
    if int(minute) > 59 or found > _MINUTES_PER_DAY:  # noqa: PLR2004 - minutes of an hour
        raise ValueError(clock)
    return found


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """Names of all zones this machine knows."""
    return frozenset(available_timezones())


# --- public holidays ----------------------------------------------------------------------------------------------


class _Year(msgspec.Struct, frozen=True):
    closed: frozenset[date]
    """Public holidays and days off moved onto weekdays."""
    eves: frozenset[date]
    """Days before a public holiday (not before a moved day off)."""
    worked: dict[date, date]
    """Working Saturday or Sunday -> the day it was exchanged for."""


@lru_cache(maxsize=256)
def _year(country: str, year: int) -> _Year:
    if not country:
        return _Year(frozenset(), frozenset(), {})
    known = holidays.country_holidays(country, years=year)
    moved = {
        date(year, to_month, to_day): (from_month, from_day)
        for to_month, to_day, from_month, from_day in _transfers(country).get(year, ())
    }
    closed = frozenset(day for day in known if day.year == year)
    exchanged = {date(year, *origin): day for day, origin in moved.items()}
    worked = {day: exchanged.get(day, day - timedelta(days=day.weekday() - 4)) for day in known.weekend_workdays}
    eves = frozenset(day - timedelta(days=1) for day in closed - moved.keys())
    return _Year(closed, eves, {day: goal for day, goal in worked.items() if day.year == year})


@lru_cache(maxsize=32)
def _transfers(country: str) -> dict[int, tuple[tuple[int, int, int, int], ...]]:
    """Year -> (month, day) that is free instead of (month, day), as the package has them."""
    written = getattr(holidays.country_holidays(country), "special_public_holidays", {})
    found: dict[int, tuple[tuple[int, int, int, int], ...]] = {}
    for year, entries in written.items():
        rows = (entries,) if entries and isinstance(entries[0], int) else entries
        # Rows of three are single days with a name (a royal funeral), which the package counts as holidays itself.
        moved = tuple(row for row in rows if len(row) == 4 and isinstance(row[2], int))  # noqa: PLR2004
        if moved:
            found[year] = moved
    return found


def transfers_known_until(country: str) -> int | None:
    """The last year whose official transfers the package knows; None for a country that moves no days by decree."""
    return max(_transfers(country), default=None)


@lru_cache(maxsize=1)
def countries() -> frozenset[str]:
    """Countries whose holidays the package knows."""
    return frozenset(holidays.list_supported_countries())


# --- the calendar -------------------------------------------------------------------------------------------------


class WorkingCalendar:
    """A calendar that can be asked. Make it by `working`, which keeps them."""

    def __init__(self, calendar: Calendar, zone: str) -> None:
        self.id = calendar.id
        self.zone: tzinfo = ZoneInfo(calendar.zone or zone)
        self._week = tuple(_sorted(hours) for hours in calendar.week)
        self._own = {date.fromisoformat(day.date): _sorted(day.hours) for day in calendar.days}
        self._country = calendar.holidays
        self._short = calendar.short_by_min
        self._days: dict[date, tuple[Span, ...]] = {}

    def is_open(self, at: Instant) -> bool:
        """Whether it works at this instant."""
        first = self._day_of(at) - timedelta(days=1)
        return any(
            since <= at < until for offset in range(2) for since, until in self.spans_of(first + timedelta(days=offset))
        )

    def next_open(self, at: Instant) -> Instant | None:
        """The first instant from `at` on at which it works (`at` itself, if it does); None: not within the horizon."""
        for since, until in self.spans(at):
            if until > at:
                return max(at, since)
        return None

    def next_close(self, at: Instant) -> Instant | None:
        """The first instant from `at` on at which it does not work (`at` itself, if so); None: not within the
        horizon."""
        limit = Instant(at + (HORIZON_DAYS - 2) * DAY)  # beyond it the last day looked at may be what ends here
        for since, until in self.spans(at):
            if since > at:
                return at
            if until > at:
                return until if until < limit else None
        return at

    def add_working(self, at: Instant, duration: Duration) -> Instant | None:
        """The first instant at which `duration` of working time has passed since `at`; None: not within the horizon.

        At the close of a day rather than at the next opening, where both would do; `at` itself for no duration.
        """
        if duration <= 0:
            return at
        left = int(duration)
        for since, until in self.spans(at):
            start = max(at, since)
            if until - start >= left:
                return Instant(start + left)
            left -= max(0, until - start)
        return None

    def working_between(self, since: Instant, until: Instant) -> Duration:
        """The working time from one instant to another, within the horizon from the first."""
        total = 0
        for start, end in self.spans(since):
            if start >= until:
                break
            total += max(0, min(end, until) - max(start, since))
        return Duration(total)

    def spans(self, at: Instant, days: int = HORIZON_DAYS) -> Iterator[Span]:
        """Working time that ends after `at`, joined where it touches, in order, for so many days."""
        day = self._day_of(at) - timedelta(days=1)
        under_way: Span | None = None
        for _ in range(days + 1):
            for since, until in self.spans_of(day):
                if until <= at:
                    continue
                if under_way is not None and since <= under_way[1]:
                    under_way = (under_way[0], max(under_way[1], until))
                    continue
                if under_way is not None:
                    yield under_way
                under_way = (since, until)
            day += timedelta(days=1)
        if under_way is not None:
            yield under_way

    def spans_of(self, day: date) -> tuple[Span, ...]:
        """Working time that begins on a date, in order."""
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= DAYS_REMEMBERED:
                self._days.clear()
            midnight = datetime.combine(day, datetime.min.time())
            made = (
                (
                    instant_of(midnight + timedelta(minutes=since), self.zone),
                    instant_of(midnight + timedelta(minutes=until), self.zone, later=True),
                )
                for since, until in self.hours_of(day)
            )
            found = self._days[day] = tuple(span for span in made if span[0] < span[1])
        return found

    def hours_of(self, day: date) -> tuple[Minutes, ...]:
        """The hours of a date, by its own clock; none: closed."""
        if day in self._own:
            return self._own[day]
        year = _year(self._country, day.year)
        if day in year.worked:
            goal = year.worked[day]
            return self._shortened(self._week[goal.weekday()], goal)
        if day in year.closed:
            return ()
        return self._shortened(self._week[day.weekday()], day)

    def _shortened(self, hours: tuple[Minutes, ...], day: date) -> tuple[Minutes, ...]:
        if not self._short or not hours or not self._is_eve(day):
            return hours
        since, until = hours[-1]
        return (*hours[:-1], (since, max(since, until - self._short)))

    def _is_eve(self, day: date) -> bool:
        # The eve of a year's first holiday lies in the year before it.
        return any(day in _year(self._country, year).eves for year in {day.year, (day + timedelta(days=1)).year})

    def _day_of(self, at: Instant) -> date:
        return as_datetime(at).astimezone(self.zone).date()


def _sorted(hours: tuple[str, ...]) -> tuple[Minutes, ...]:
    return tuple(sorted(minutes_of(text) for text in hours))


@lru_cache(maxsize=1_024)
def working(calendar: Calendar, zone: str) -> WorkingCalendar:
    """The calendar, ready to be asked; `zone` is the company's, for a calendar that names none.

    Raises ValueError and KeyError for hours, dates and zones that do not exist: whoever reads a calendar from outside
    checks it first (`router.crm_bridge.particulars`).
    """
    return WorkingCalendar(calendar, zone)


def instant_of(wall: datetime, zone: tzinfo, *, later: bool = False) -> Instant:
    """The instant at which clocks of the zone show `wall` (a naive datetime).

    Where clocks are put back a time occurs twice: the first is meant, or the second with `later`. Where they are put
    forward it does not occur: the moment of the jump is meant.
    """
    aware = wall.replace(tzinfo=zone, fold=1 if later else 0)
    there = aware.astimezone(UTC)
    if there.astimezone(zone).replace(tzinfo=None) == wall:
        return from_datetime(there)
    after, before = (from_datetime(wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)) for fold in (0, 1))
    return _jump(before, after, zone)


def _jump(before: Instant, after: Instant, zone: tzinfo) -> Instant:
    """The minute between two instants at which the zone's offset changes, by halves: a dozen looks."""
    offset = as_datetime(after).astimezone(zone).utcoffset()
    low, high = before // MINUTE, after // MINUTE
    while high - low > 1:
        middle = (low + high) // 2
        if as_datetime(Instant(middle * MINUTE)).astimezone(zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return Instant(high * MINUTE)
