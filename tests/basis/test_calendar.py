"""Working calendars against the official production calendar, clocks that are moved, and an independent count."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.basis.calendar import (
    HORIZON_DAYS,
    Calendar,
    Day,
    WorkingCalendar,
    instant_of,
    minutes_of,
    transfers_known_until,
    working,
)
from router.basis.instants import DAY, HOUR, MINUTE, SECOND, Duration, Instant, from_datetime

MOSCOW = "Europe/Moscow"
FIVE = ("09:00-18:00",)
OFFICE = Calendar("office", monday=FIVE, tuesday=FIVE, wednesday=FIVE, thursday=FIVE, friday=FIVE)
"""Monday to Friday, nine to six, Russian holidays."""


def at(text: str, zone: str = MOSCOW) -> Instant:
    return from_datetime(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def seen(instant: Instant | None, zone: str = MOSCOW) -> str:
    """As a clock in the zone shows it; `never` where there is none."""
    if instant is None:
        return "never"
    return datetime.fromtimestamp(instant / SECOND, UTC).astimezone(ZoneInfo(zone)).isoformat(" ", "minutes")[:16]


def worked_days(calendar: WorkingCalendar, first: str, last: str) -> list[str]:
    day, found = date.fromisoformat(first), []
    while day <= date.fromisoformat(last):
        if calendar.hours_of(day):
            found.append(day.isoformat()[5:])
        day += timedelta(days=1)
    return found


# --- an ordinary week ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "is_open", "opens", "closes"),
    [
        ("2026-11-24T08:59:59", False, "2026-11-24 09:00", "2026-11-24 08:59"),
        ("2026-11-24T09:00", True, "2026-11-24 09:00", "2026-11-24 18:00"),
        ("2026-11-24T17:59:59", True, "2026-11-24 17:59", "2026-11-24 18:00"),
        ("2026-11-24T18:00", False, "2026-11-25 09:00", "2026-11-24 18:00"),
        ("2026-11-27T18:00", False, "2026-11-30 09:00", "2026-11-27 18:00"),
        ("2026-11-28T00:00", False, "2026-11-30 09:00", "2026-11-28 00:00"),
    ],
)
def test_an_ordinary_week(moment: str, is_open: bool, opens: str, closes: str) -> None:
    calendar = working(OFFICE, MOSCOW)
    assert calendar.is_open(at(moment)) is is_open
    assert seen(calendar.next_open(at(moment))) == opens
    assert seen(calendar.next_close(at(moment))) == closes


def test_a_lunch_break_is_closed() -> None:
    calendar = working(Calendar("c", monday=("14:00-18:00", "09:00-13:00")), MOSCOW)
    assert seen(calendar.next_close(at("2026-11-23T10:00"))) == "2026-11-23 13:00"
    assert seen(calendar.next_open(at("2026-11-23T13:00"))) == "2026-11-23 14:00"
    assert seen(calendar.add_working(at("2026-11-23T12:50"), Duration(15 * MINUTE))) == "2026-11-23 14:05"


def test_a_night_shift_goes_on_after_midnight() -> None:
    calendar = working(Calendar("night", friday=("22:00-06:00",), saturday=("06:00-08:00",), holidays=""), MOSCOW)
    assert calendar.is_open(at("2026-11-28T00:00"))
    assert not calendar.is_open(at("2026-11-27T21:59"))
    assert seen(calendar.next_close(at("2026-11-27T23:00"))) == "2026-11-28 08:00", "what touches is one working time"


def test_a_night_shift_ends_in_the_holiday_before_which_it_began() -> None:
    every = ("22:00-06:00",)
    calendar = working(
        Calendar("n", monday=every, tuesday=every, wednesday=every, thursday=every, friday=every), MOSCOW
    )
    assert calendar.is_open(at("2026-05-01T05:59")), "Thursday's night"
    assert not calendar.is_open(at("2026-05-01T22:30")), "the holiday's own"


def test_round_the_clock_never_closes_and_a_closed_one_never_opens() -> None:
    whole = ("00:00-24:00",)
    always = working(Calendar("a", "", "", whole, whole, whole, whole, whole, whole, whole, holidays=""), MOSCOW)
    never = working(Calendar("n"), MOSCOW)
    now = at("2026-11-24T12:00")
    assert always.next_close(now) is None
    assert always.next_open(now) == now
    assert always.add_working(now, Duration(48 * HOUR)) == now + 48 * HOUR
    assert never.next_open(now) is None
    assert never.next_close(now) == now
    assert never.add_working(now, Duration(1)) is None


# --- fifteen minutes of working time ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "minutes", "due"),
    [
        ("2026-11-24T10:00", 15, "2026-11-24 10:15"),
        ("2026-11-24T17:50", 15, "2026-11-25 09:05"),
        ("2026-11-24T17:45", 15, "2026-11-24 18:00"),
        ("2026-11-24T03:00", 15, "2026-11-24 09:15"),
        ("2026-11-27T17:50", 15, "2026-11-30 09:05"),
        ("2026-04-30T17:50", 15, "2026-05-04 09:05"),
        ("2026-11-24T10:00", 9 * 60 + 1, "2026-11-25 10:01"),
        ("2026-11-29T12:00", 0, "2026-11-29 12:00"),
    ],
)
def test_working_time_passes_only_while_it_is_open(moment: str, minutes: int, due: str) -> None:
    assert seen(working(OFFICE, MOSCOW).add_working(at(moment), Duration(minutes * MINUTE))) == due


# --- Russian holidays: production calendars of the Labour Code and the decrees of the government -------------------


def test_may_2026() -> None:
    """1 May is a Friday; 9 May a Saturday, whose rest moves to Monday the 11th."""
    calendar = working(OFFICE, MOSCOW)
    assert worked_days(calendar, "2026-04-27", "2026-05-15") == [
        "04-27", "04-28", "04-29", "04-30",
        "05-04", "05-05", "05-06", "05-07", "05-08",
        "05-12", "05-13", "05-14", "05-15",
    ]  # fmt: skip
    assert seen(calendar.next_open(at("2026-05-08T18:00"))) == "2026-05-12 09:00"


def test_may_2027() -> None:
    """1 May is a Saturday and 9 May a Sunday: Mondays the 3rd and the 10th are free."""
    assert worked_days(working(OFFICE, MOSCOW), "2027-04-29", "2027-05-12") == [
        "04-29", "04-30", "05-04", "05-05", "05-06", "05-07", "05-11", "05-12",
    ]  # fmt: skip


def test_new_year() -> None:
    """2025/26: 31 December to 11 January (3 and 4 January moved to 9 January and 31 December 2026)."""
    calendar = working(OFFICE, MOSCOW)
    assert worked_days(calendar, "2025-12-29", "2026-01-13") == ["12-29", "12-30", "01-12", "01-13"]
    assert worked_days(calendar, "2026-12-28", "2027-01-12") == ["12-28", "12-29", "12-30", "01-11", "01-12"]


@pytest.mark.parametrize(
    ("saturday", "day_off"), [("2024-04-27", "2024-04-29"), ("2025-11-01", "2025-11-03"), ("2027-02-20", "2027-02-22")]
)
def test_a_moved_saturday_works_as_the_day_it_was_exchanged_for(saturday: str, day_off: str) -> None:
    calendar = working(Calendar("m", monday=("10:00-15:00",), friday=FIVE), MOSCOW)
    assert calendar.hours_of(date.fromisoformat(saturday)) == ((600, 900),), "a Monday's hours"
    assert calendar.hours_of(date.fromisoformat(day_off)) == ()
    assert not working(Calendar("m", monday=FIVE, holidays=""), MOSCOW).hours_of(date.fromisoformat(saturday))


def test_the_day_before_a_holiday_is_short_if_wished() -> None:
    short = working(
        Calendar("s", "", "", FIVE, FIVE, FIVE, FIVE, ("09:00-13:00", "14:00-18:00"), short_by_min=60), MOSCOW
    )
    plain = working(OFFICE, MOSCOW)
    assert short.hours_of(date(2026, 4, 30)) == ((540, 1020),), "Thursday before 1 May"
    assert short.hours_of(date(2026, 5, 8)) == ((540, 780), (840, 1020)), "Friday before Saturday 9 May: its last hours"
    assert short.hours_of(date(2027, 2, 20)) == ((540, 1020),), "works as Monday the 22nd, which comes before a holiday"
    assert short.hours_of(date(2024, 12, 28)) == ((540, 1080),), "exchanged for Monday the 30th, before a moved day off"
    assert short.hours_of(date(2026, 2, 20)) == ((540, 780), (840, 1080)), "Friday before a weekend and then a holiday"
    assert short.hours_of(date(2026, 12, 30)) == ((540, 1080),), "before a day off that was moved, not before a holiday"
    assert short.hours_of(date(2028, 12, 31)) == () == plain.hours_of(date(2028, 12, 31)), "a Sunday"
    assert short.hours_of(date(2029, 12, 31)) == ((540, 1020),), "a Monday before the holiday of another year"
    assert plain.hours_of(date(2026, 4, 30)) == ((540, 1080),)


def test_a_date_of_its_own_beats_holiday_and_weekday() -> None:
    own = (Day("2026-05-09", ("11:00-12:00",)), Day("2026-11-24"), Day("2027-02-20"))
    calendar = working(Calendar("o", tuesday=FIVE, days=own), MOSCOW)
    assert calendar.hours_of(date(2026, 5, 9)) == ((660, 720),)
    assert calendar.hours_of(date(2026, 11, 24)) == ()
    assert calendar.hours_of(date(2027, 2, 20)) == (), "a working Saturday that this company does not work"


def test_what_the_package_does_not_know_is_known() -> None:
    known = transfers_known_until("RU")
    assert known is not None
    assert known >= 2027
    assert transfers_known_until("GB") is None
    # Beyond it the fixed dates hold, and a company writes the rest itself.
    beyond = working(OFFICE, MOSCOW)
    assert not beyond.hours_of(date(known + 30, 5, 9))


# --- clocks that are moved ----------------------------------------------------------------------------------------

BERLIN = "Europe/Berlin"
"""Forward at 02:00 on 2026-03-29, back at 03:00 on 2026-10-25."""


def test_working_time_is_real_time_where_clocks_are_moved() -> None:
    night = working(Calendar("n", zone=BERLIN, saturday=("22:00-06:00",), holidays=""), MOSCOW)
    spring = night.working_between(at("2026-03-28T12:00", BERLIN), at("2026-03-29T12:00", BERLIN))
    autumn = night.working_between(at("2026-10-24T12:00", BERLIN), at("2026-10-25T12:00", BERLIN))
    assert (spring, autumn) == (7 * HOUR, 9 * HOUR)
    assert seen(night.add_working(at("2026-03-28T22:00", BERLIN), Duration(5 * HOUR)), BERLIN) == "2026-03-29 04:00"
    assert seen(night.add_working(at("2026-10-24T22:00", BERLIN), Duration(6 * HOUR)), BERLIN) == "2026-10-25 03:00"


def test_a_time_that_the_clock_leaves_out_is_the_jump_itself() -> None:
    jump = at("2026-03-29T03:00", BERLIN)
    wall = datetime.fromisoformat("2026-03-29T02:30")
    assert instant_of(wall, ZoneInfo(BERLIN)) == jump
    assert instant_of(wall, ZoneInfo(BERLIN), later=True) == jump
    calendar = working(Calendar("c", zone=BERLIN, sunday=("02:15-02:45",), holidays=""), MOSCOW)
    assert calendar.spans_of(date(2026, 3, 29)) == (), "it lies wholly in the hour that does not exist"


def test_a_time_that_comes_twice_opens_at_the_first_and_closes_at_the_second() -> None:
    calendar = working(Calendar("c", zone=BERLIN, sunday=("02:15-02:45",), holidays=""), MOSCOW)
    ((since, until),) = calendar.spans_of(date(2026, 10, 25))
    assert until - since == 90 * MINUTE


def test_the_company_zone_is_meant_where_a_calendar_names_none() -> None:
    there = working(OFFICE, "Asia/Yekaterinburg")
    assert there.is_open(at("2026-11-24T07:30"))
    assert not there.is_open(at("2026-11-24T16:30"))


# --- what is written ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "minutes"), [("9:00-18:00", (540, 1080)), ("22:00-06:00", (1320, 1800)),
                                               ("00:00-24:00", (0, 1440)), ("22:00-24:00", (1320, 1440))])  # fmt: skip
def test_hours_as_people_write_them(text: str, minutes: tuple[int, int]) -> None:
    assert minutes_of(text) == minutes


@pytest.mark.parametrize("text", ["", "9-18", "09:00", "09:00-", "09:00-25:00", "09:60-10:00", "24:00-02:00",
                                  "09:00-09:00", "0900-1800", "-1:00-02:00", "09:0-10:00", "24:01-24:30"])  # fmt: skip
def test_hours_that_cannot_be_meant_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        minutes_of(text)


# --- laws ---------------------------------------------------------------------------------------------------------

CLOCK = st.integers(0, 23).flatmap(lambda hour: st.sampled_from([f"{hour:02}:00", f"{hour:02}:17", f"{hour:02}:30"]))
HOURS = st.tuples(CLOCK, CLOCK).filter(lambda pair: pair[0] != pair[1]).map("-".join).map(lambda text: (text,))
DAYS_HOURS = st.one_of(st.just(()), HOURS)
CALENDARS = st.builds(
    Calendar,
    st.just("c"),
    zone=st.sampled_from([MOSCOW, BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
    monday=DAYS_HOURS, tuesday=DAYS_HOURS, wednesday=DAYS_HOURS, thursday=DAYS_HOURS, friday=DAYS_HOURS,
    saturday=DAYS_HOURS, sunday=DAYS_HOURS,
    holidays=st.sampled_from(["RU", "", "DE"]),
    short_by_min=st.sampled_from([0, 60]),
)  # fmt: skip
MOMENTS = st.integers(at("2025-01-01T00:00") // MINUTE, at("2027-12-01T00:00") // MINUTE).map(
    lambda minutes: Instant(minutes * MINUTE)
)


def counted(calendar: WorkingCalendar, since: Instant, until: Instant) -> Duration:
    """Working time by looking at every minute: slow and plain."""
    return Duration(sum(MINUTE for moment in range(since, until, MINUTE) if calendar.is_open(Instant(moment))))


@given(CALENDARS, MOMENTS, st.integers(0, 3 * 24 * 60))
@example(OFFICE, at("2026-04-30T17:50"), 4 * 24 * 60)
def test_working_time_is_what_a_plain_count_says(calendar: Calendar, since: Instant, minutes: int) -> None:
    ready = WorkingCalendar(calendar, MOSCOW)
    until = Instant(since + minutes * MINUTE)
    assert ready.working_between(since, until) == counted(ready, since, until)


@given(CALENDARS, MOMENTS, st.integers(1, 40 * HOUR), st.integers(1, 40 * HOUR))
def test_added_working_time_is_counted_back(calendar: Calendar, since: Instant, one: int, two: int) -> None:
    ready = WorkingCalendar(calendar, MOSCOW)
    due = ready.add_working(since, Duration(one + two))
    if due is None:
        return
    assert ready.working_between(since, due) == one + two, "exactly so much has passed"
    assert ready.is_open(Instant(due - 1)), "and not a moment too late"
    between = ready.add_working(since, Duration(one))
    assert between is not None
    assert ready.add_working(between, Duration(two)) == due, "in one piece or in two"


@given(CALENDARS, MOMENTS)
def test_opening_and_closing_are_the_first(calendar: Calendar, moment: Instant) -> None:
    ready = WorkingCalendar(calendar, MOSCOW)
    opens, closes = ready.next_open(moment), ready.next_close(moment)
    if ready.is_open(moment):
        assert opens == moment
        if closes is not None:
            assert not ready.is_open(closes)
            assert ready.working_between(moment, closes) == closes - moment
    else:
        assert closes == moment
        if opens is not None:
            assert ready.is_open(opens)
            assert ready.working_between(moment, opens) == 0


@given(CALENDARS, MOMENTS)
def test_spans_are_in_order_and_apart(calendar: Calendar, moment: Instant) -> None:
    spans = list(WorkingCalendar(calendar, MOSCOW).spans(moment, 60))
    assert all(since < until for since, until in spans)
    assert all(before[1] < later[0] for before, later in pairwise(spans))
    assert all(until > moment for _, until in spans)


def test_an_answer_beyond_the_horizon_is_none_and_cheap() -> None:
    """As many days are looked at as the horizon has, whatever is asked."""

    class Counting(WorkingCalendar):
        looked = 0

        def hours_of(self, day: date) -> tuple[tuple[int, int], ...]:
            Counting.looked += 1
            return super().hours_of(day)

    calendar = Counting(Calendar("never"), MOSCOW)
    assert calendar.add_working(at("2026-11-24T12:00"), Duration(10**6 * DAY)) is None
    assert calendar.next_open(at("2026-11-24T12:00")) is None
    assert Counting.looked <= HORIZON_DAYS + 2
