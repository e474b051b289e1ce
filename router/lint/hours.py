"""Findings about hours: when a chain serves and nobody of its list works.

Looked ahead for a year. Findings of the same kind are told once for each chain, with the first dates and the number of
the others: a list without anybody at night is one mistake, not 365.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from router.basis.calendar import Span, instant_of, transfers_known_until
from router.basis.instants import DAY, Instant, as_datetime
from router.basis.people import Chain, Directory
from router.basis.timetable import Timetable
from router.lint.finding import Finding

AHEAD_DAYS = 366
SHOWN = 3
"""Dates or times that are named; the rest is counted."""

Piece = tuple[date, Instant, Instant]
"""The part of a span that lies on one date of the company's zone."""


def hours(directory: Directory, now: Instant) -> Iterator[Finding]:
    """Findings of all chains and calendars."""
    table, zone = Timetable(directory), ZoneInfo(directory.zone)
    for chain in directory.chains:
        yield from _chain(chain, directory, table, now, zone)
    last = as_datetime(Instant(now + AHEAD_DAYS * DAY)).astimezone(zone).year
    used = {chain.calendar for chain in directory.chains} | {person.hours for person in directory.people}
    for calendar in directory.calendars:
        known = transfers_known_until(calendar.holidays) if calendar.holidays else None
        if calendar.id in used and known is not None and last > known:
            params = {
                "calendar": calendar.id,
                "country": calendar.holidays,
                "known": str(known),
                "year": str(known + 1),
            }
            yield Finding("transfers_unknown", "warning", params=params)


def _chain(chain: Chain, directory: Directory, table: Timetable, now: Instant, zone: ZoneInfo) -> Iterator[Finding]:
    until = Instant(now + AHEAD_DAYS * DAY)
    calendar = table.calendar_of(chain.id)
    served = [(now, until)] if calendar is None else _within(calendar.spans(now, AHEAD_DAYS + 1), now, until)
    if not served:
        yield Finding("never_open", "warning", chain.id, params={"calendar": chain.calendar})
        return
    heads = [person for head in chain.heads if (person := directory.person(head)) is not None and person.phones]
    if not heads:
        return  # told as an error
    worked = _joined(span for person in heads for span in table.working_spans(person.id, now, until))
    holes = list(_by_date(_without(served, worked), zone))
    if not holes:
        return
    open_on = _sums(_by_date(served, zone))
    lost_on = _sums(holes)
    dates = [day for day in lost_on if lost_on[day] == open_on[day]]
    if dates:
        yield Finding("nobody_on_date", "warning", chain.id, params=_dates(dates))
    partly = [piece for piece in holes if piece[0] not in set(dates)]
    if partly:
        yield Finding("hole_in_hours", "warning", chain.id, params=_times(partly, zone))


def _dates(dates: list[date]) -> dict[str, str]:
    """Dates, joined where one follows the other: `2026-05-09/2026-05-11`."""
    ranges: list[tuple[date, date]] = []
    for day in dates:
        if ranges and day - ranges[-1][1] == timedelta(days=1):
            ranges[-1] = (ranges[-1][0], day)
        else:
            ranges.append((day, day))
    shown = [str(first) if first == last else f"{first}/{last}" for first, last in ranges[:SHOWN]]
    return {"dates": " ".join(shown), "number": str(len(dates)), "more": str(max(0, len(ranges) - SHOWN))}


def _times(pieces: list[Piece], zone: ZoneInfo) -> dict[str, str]:
    """`2026-05-09T18:00/20:00`, the end being on the same date."""
    shown: list[str] = []
    for day, since, until in pieces[:SHOWN]:
        start, end = (as_datetime(moment).astimezone(zone) for moment in (since, until))
        clock = "24:00" if end.date() > day else f"{end:%H:%M}"
        shown.append(f"{day}T{start:%H:%M}/{clock}")
    return {"times": " ".join(shown), "number": str(len(pieces)), "more": str(max(0, len(pieces) - SHOWN))}


# --- spans --------------------------------------------------------------------------------------------------------


def _within(spans: Iterable[Span], since: Instant, until: Instant) -> list[Span]:
    cut = [(max(start, since), min(end, until)) for start, end in spans if start < until and end > since]
    return [span for span in cut if span[0] < span[1]]


def _joined(spans: Iterable[Span]) -> list[Span]:
    """Their union, in order."""
    found: list[Span] = []
    for since, until in sorted(spans):
        if found and since <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], until))
        else:
            found.append((since, until))
    return found


def _without(spans: Iterable[Span], taken: list[Span]) -> Iterator[Span]:
    """What of `spans` is not in `taken`; both in order."""
    index = 0
    for since, until in spans:
        left = since
        while index < len(taken) and taken[index][1] <= left:
            index += 1
        here = index
        while here < len(taken) and taken[here][0] < until:
            if taken[here][0] > left:
                yield left, taken[here][0]
            left = max(left, taken[here][1])
            here += 1
        if left < until:
            yield left, until


def _by_date(spans: Iterable[Span], zone: ZoneInfo) -> Iterator[Piece]:
    for since, until in spans:
        start = since
        while start < until:
            wall = as_datetime(start).astimezone(zone)
            end = min(until, _midnight_after(wall.date(), zone))
            yield wall.date(), start, end
            start = end


@lru_cache(maxsize=2 * AHEAD_DAYS)
def _midnight_after(day: date, zone: ZoneInfo) -> Instant:
    return instant_of(datetime.combine(day + timedelta(days=1), datetime.min.time()), zone)


def _sums(pieces: Iterable[Piece]) -> dict[date, int]:
    found: dict[date, int] = {}
    for day, since, until in pieces:
        found[day] = found.get(day, 0) + until - since
    return found
