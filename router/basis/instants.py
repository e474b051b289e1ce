"""Instants and durations: whole microseconds, UTC.

Integers compare, add and replay exactly; a float or a local time does none of these.
Counterpart: `router.engine.clock`, the only place where a clock is read.
"""

from datetime import UTC, datetime
from typing import NewType

Instant = NewType("Instant", int)
"""Microseconds since 1970-01-01T00:00:00Z."""

Duration = NewType("Duration", int)
"""Microseconds."""

MILLISECOND = Duration(1_000)
SECOND = Duration(1_000_000)
MINUTE = Duration(60 * SECOND)
HOUR = Duration(60 * MINUTE)
DAY = Duration(24 * HOUR)
"""Of 24 hours; a day of the calendar may be longer or shorter where clocks are moved."""

NEVER = Instant(2**62)
"""Later than any instant that can occur (the year 148,000): sorts last."""


def seconds(value: float) -> Duration:
    """A duration of `value` seconds, rounded to the microsecond."""
    return Duration(round(value * SECOND))


def after(instant: Instant, duration: int) -> Instant:
    """The instant `duration` microseconds after `instant`; a negative duration goes back."""
    return Instant(instant + duration)


def as_datetime(instant: Instant) -> datetime:
    """The instant as an aware UTC datetime, for people and for vendors' fields."""
    return datetime.fromtimestamp(instant // SECOND, UTC).replace(microsecond=instant % SECOND)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime. Raises ValueError for a naive one, whose zone would be a guess."""
    if moment.tzinfo is None:
        message = "a datetime without a zone is not an instant"
        raise ValueError(message)
    whole = round(moment.replace(microsecond=0).timestamp())
    return Instant(whole * SECOND + moment.microsecond)


def iso(instant: Instant) -> str:
    """The instant in ISO 8601 with microseconds and a Z, as logs and the JSON API show it."""
    return as_datetime(instant).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
