"""Whole microseconds, UTC."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from router.basis.instants import Instant, as_datetime, from_datetime, iso, seconds


def test_an_instant_goes_to_a_datetime_and_back() -> None:
    instant = Instant(1_764_000_000_123_456)
    assert from_datetime(as_datetime(instant)) == instant
    assert iso(instant) == "2025-11-24T16:00:00.123456Z"


def test_any_zone_is_the_same_instant() -> None:
    moscow = timezone(timedelta(hours=3))
    assert from_datetime(datetime(2026, 3, 2, 13, 0, tzinfo=moscow)) == from_datetime(
        datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    )


def test_a_datetime_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        from_datetime(datetime(2026, 3, 2))  # noqa: DTZ001 - the mistake that is refused


def test_seconds_are_rounded_to_the_microsecond() -> None:
    assert seconds(0.1) + seconds(0.2) == seconds(0.3)
