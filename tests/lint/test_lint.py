"""Each finding has a directory that has it, and one that is nearly the same and does not.

So a finding that is taken out of the linter makes its own test fail, and one that is too eager the other half.
"""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from router.basis.calendar import Calendar, Day, transfers_known_until
from router.basis.instants import SECOND, Duration, Instant, from_datetime
from router.basis.people import MOBILE, Absence, Chain, Device, Directory, Line, Person
from router.crm_bridge.directory import read_directory
from router.lint import Finding, lint, words
from router.texts import LANGUAGES
from router.texts.findings import REMEDIES, SENTENCES
from simulators.company import DIRECTORY as PLAYED
from simulators.demo import directory as demonstrated
from tests.docs.examples import PEOPLE

NOW = from_datetime(datetime(2026, 4, 1, 12, 0, tzinfo=ZoneInfo("Europe/Moscow")))
FIVE = ("09:00-18:00",)
OFFICE = Calendar("office", "", "", FIVE, FIVE, FIVE, FIVE, FIVE)
WHOLE = ("00:00-24:00",)
EVERY_DAY = Calendar("every", "", "", FIVE, FIVE, FIVE, FIVE, FIVE, FIVE, FIVE, holidays="")
LINE = Line("74950000001", "sales")


def people(number: int, **first: Any) -> tuple[Person, ...]:
    """So many heads with a desk phone each; `first` are fields of the first one."""
    made = [Person(f"p{index}", f"P {index}", (f"10{index}",)) for index in range(number)]
    return (msgspec.structs.replace(made[0], **first), *made[1:])


def company(
    heads: int = 5, calendars: tuple[Calendar, ...] = (), first: dict[str, Any] | None = None, **chain: Any
) -> Directory:
    staff = people(heads, **(first or {}))
    return Directory(staff, (LINE,), (Chain("sales", tuple(one.id for one in staff), **chain),), calendars)


def found(directory: Directory, code: str, now: Instant = NOW) -> Finding | None:
    return next((finding for finding in lint(directory, now) if finding.code == code), None)


def mobile(**more: Any) -> dict[str, Any]:
    return {"devices": (msgspec.structs.replace(MOBILE, extension="901", **more),), "extensions": ()}


def desk(**more: Any) -> dict[str, Any]:
    return {"devices": (Device("100", **more),)}


def with_person(person: Person) -> Directory:
    return Directory((*people(5), person), (LINE,), (Chain("sales", ("p0", "p1", "p2", "p3", "p4")),))


def with_head(head: str) -> Directory:
    return Directory(people(5), (LINE,), (Chain("sales", ("p0", "p1", "p2", "p3", head)),))


def two_mobiles() -> Directory:
    """Two heads with mobiles before three with desk phones."""
    directory = company(5, first=mobile())
    second = msgspec.structs.replace(directory.people[1], devices=(msgspec.structs.replace(MOBILE, extension="902"),),
                                     extensions=())  # fmt: skip
    return msgspec.structs.replace(directory, people=(directory.people[0], second, *directory.people[2:]))


STOP = {"on_list_end": "stop"}
AWAY = Absence("2026-06-01", "2026-06-05")
MORNING = Calendar("morning", "", "", ("09:00-12:00",), FIVE, FIVE, FIVE, FIVE)
CLOSED_ON_9_MAY = msgspec.structs.replace(EVERY_DAY, days=tuple(Day(f"2026-{day}") for day in (
    "05-09", "05-01", "05-11", "06-12", "11-04", "12-31")))  # fmt: skip

# code -> (a directory that has it, one that has not, severity, chain, person)
CASES: dict[str, tuple[Directory, Directory, str, str, str]] = {
    "given_twice": (with_person(Person("p0", "Twin")), company(), "error", "", ""),
    "bad_id": (with_person(Person("p 9", "P")), with_person(Person("p-9", "P")), "error", "", ""),
    "shared_extension": (
        with_person(Person("p9", "P", ("100",))), with_person(Person("p9", "P", ("109",))), "error", "", ""),
    "line_leads_nowhere": (
        msgspec.structs.replace(company(), lines=(LINE, Line("2", "nowhere"))), company(), "error", "", ""),
    "unknown_calendar": (company(calendar="x"), company(calendar="office", calendars=(OFFICE,)), "error", "sales", ""),
    "empty_list": (
        Directory(people(1), (LINE,), (Chain("sales", ()),)), company(), "error", "sales", ""),
    "unknown_person": (with_head("ghost"), with_head("p4"), "error", "sales", "ghost"),
    "no_extension": (company(first={"extensions": ()}), company(first=mobile()), "error", "sales", "p0"),
    "head_twice": (with_head("p0"), with_head("p4"), "error", "sales", "p0"),
    "shorter_than_min_offer": (company(terms={"ring_s": 2}), company(terms={"ring_s": 5}), "error", "sales", ""),
    "bad_term": (company(terms={"ring_s": "soon"}), company(terms={"ring_s": "8"}), "error", "sales", ""),
    "never_reached": (company(6), company(5), "warning", "sales", "p5"),
    "reached_if_quick": (two_mobiles(), company(5, first=mobile()), "warning", "sales", "p4"),
    "list_ends_early": (company(4, terms=STOP), company(5, terms=STOP), "warning", "sales", ""),
    "last_offer_short": (company(5, terms={"window_s": 36}), company(5), "warning", "sales", ""),
    "rest_unused": (company(5, terms={"window_s": 42}), company(5), "warning", "sales", ""),
    "device_eats_hop": (
        company(first=desk(no_ringing_after=6 * SECOND)), company(first=desk(no_ringing_after=5 * SECOND)),
        "warning", "sales", "p0"),
    "cap_cuts_ring": (
        company(first=mobile(cap=7 * SECOND)), company(first=mobile(cap=8 * SECOND)), "warning", "sales", "p0"),
    "cap_eats_hops": (
        company(first=mobile(cap=16 * SECOND)), company(first=mobile(cap=15 * SECOND)), "warning", "sales", "p0"),
    "mobile_counts_from_offer": (
        company(first=mobile(count_from="offer")), company(first=mobile()), "warning", "sales", "p0"),
    "mobile_seems_dead": (
        company(first=mobile(no_ringing_after=2 * SECOND)), company(first=mobile(no_ringing_after=6 * SECOND)),
        "warning", "sales", "p0"),
    "voicemail_answers": (company(first=mobile(press_1=False)), company(first=desk()), "warning", "sales", "p0"),
    "chain_without_line": (
        msgspec.structs.replace(company(), chains=(*company().chains, Chain("vip", ("p0",)))),
        msgspec.structs.replace(company(), lines=()), "warning", "vip", ""),
    "never_open": (
        company(calendar="c", calendars=(Calendar("c"),)),
        company(calendar="c", calendars=(Calendar("c", monday=FIVE),)), "warning", "sales", ""),
    "nobody_on_date": (
        company(1, calendar="every", calendars=(EVERY_DAY,), first={"absences": (AWAY,)}),
        company(2, calendar="every", calendars=(EVERY_DAY,), first={"absences": (AWAY,)}), "warning", "sales", ""),
    "hole_in_hours": (
        company(1, calendar="office", calendars=(OFFICE, MORNING), first={"hours": "morning"}),
        company(2, calendar="office", calendars=(OFFICE, MORNING), first={"hours": "morning"}), "warning", "sales", ""),
    "transfers_unknown": (
        company(calendar="office", calendars=(OFFICE,)), company(calendar="every", calendars=(OFFICE, EVERY_DAY)),
        "warning", "", ""),
}  # fmt: skip


def when(code: str) -> Instant:
    """The findings about transfers depend on what the package knows, which grows with its versions."""
    if code != "transfers_unknown":
        return NOW
    known = transfers_known_until("RU")
    assert known is not None
    return from_datetime(datetime(known, 2, 1, tzinfo=ZoneInfo("Europe/Moscow")))


@pytest.mark.parametrize("code", CASES)
def test_a_finding_is_found_where_it_is_and_only_there(code: str) -> None:
    with_it, without, severity, chain, person = CASES[code]
    finding = found(with_it, code, when(code))
    assert finding is not None
    assert (finding.severity, finding.chain, finding.person) == (severity, chain, person)
    assert found(without, code, when(code)) is None


def test_every_finding_is_tried_and_has_words() -> None:
    assert CASES.keys() == SENTENCES.keys() == REMEDIES.keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", CASES)
def test_every_finding_can_be_said(code: str, language: str) -> None:
    finding = found(CASES[code][0], code, when(code))
    assert finding is not None
    line = words.line(finding, language)
    assert "%(" not in line
    assert line.startswith(f"{finding.severity.upper()} {code}")
    assert any("а" <= letter <= "я" for letter in words.sentence(finding, language)) is (language == "ru")


@pytest.mark.parametrize("directory", [read_directory(PEOPLE), demonstrated()], ids=["example", "demonstration"])
def test_what_we_ship_is_clean(directory: Directory) -> None:
    assert lint(directory, NOW) == []


def test_the_played_company_is_odd_only_where_it_means_to_be() -> None:
    assert [(finding.chain, finding.code) for finding in lint(PLAYED, NOW)] == [("partners", "list_ends_early")]


def test_the_example_is_clean_when_its_calendar_is_used() -> None:
    example = read_directory(PEOPLE)
    chain = msgspec.structs.replace(example.chains[0], calendar="office")
    used = msgspec.structs.replace(example, chains=(chain,))
    assert [finding.code for finding in lint(used, NOW)] == []


# --- what the findings say ----------------------------------------------------------------------------------------


def test_everybody_on_holiday_on_9_may() -> None:
    """The chain is open every day, its people keep the public holidays."""
    staff = Calendar("staff", "", "", FIVE, FIVE, FIVE, FIVE, FIVE, FIVE, FIVE)
    directory = company(calendar="every", calendars=(EVERY_DAY, staff))
    directory = msgspec.structs.replace(
        directory, people=tuple(msgspec.structs.replace(one, hours="staff") for one in directory.people)
    )
    finding = found(directory, "nobody_on_date")
    assert finding is not None
    assert finding.params["dates"] == "2026-05-01 2026-05-09 2026-05-11"
    assert "9 мая 2026" in words.sentence(finding, "ru")
    assert found(directory, "hole_in_hours") is None, "whole days are not told a second time as holes"
    one_works = msgspec.structs.replace(
        directory, people=(msgspec.structs.replace(directory.people[0], hours=""), *directory.people[1:])
    )
    assert found(one_works, "nobody_on_date") is None


def test_a_list_on_leave_at_once_is_told_with_its_first_and_last_day() -> None:
    away = tuple(msgspec.structs.replace(one, absences=(AWAY,)) for one in people(2))
    directory = Directory(away, (LINE,), (Chain("sales", ("p0", "p1"), calendar="office"),), (OFFICE,))
    finding = found(directory, "nobody_on_date")
    assert finding is not None
    assert finding.params == {"dates": "2026-06-01/2026-06-05", "number": "5", "more": "0"}


def test_a_hole_names_its_time_in_the_company_zone() -> None:
    directory = company(1, calendar="office", calendars=(OFFICE, MORNING), first={"hours": "morning"})
    finding = found(directory, "hole_in_hours")
    assert finding is not None
    assert finding.params["times"].startswith("2026-04-06T12:00/18:00 ")
    assert "12:00–18:00" in words.sentence(finding, "ru")
    assert "и ещё" in words.sentence(finding, "ru")


def test_a_chain_that_always_serves_has_holes_at_night() -> None:
    finding = found(company(1, calendars=(EVERY_DAY,), first={"hours": "every"}), "hole_in_hours")
    assert finding is not None
    assert finding.params["times"].startswith("2026-04-01T18:00/24:00 2026-04-02T00:00/09:00 ")


def test_the_turn_that_comes_too_late_is_reckoned_by_device() -> None:
    finding = found(company(6), "never_reached")
    assert finding is not None
    assert finding.params == {"begins_s": "40", "window_s": "40", "min_offer_s": "3"}
    slow = found(two_mobiles(), "reached_if_quick")
    assert slow is not None
    assert slow.params["begins_s"] == "40", "12 + 12 + 8 + 8; at best 32"


@pytest.mark.parametrize(
    "terms", [{"order": "rotate"}, {"order": "longest_idle"}, {"spread": "ring_all"}, {"all_in_last_s": 8}]
)
def test_a_list_that_is_not_walked_from_its_head_has_no_last_one(terms: dict[str, int | str]) -> None:
    assert found(company(8, terms=terms), "never_reached") is None


def test_terms_of_the_company_are_the_defaults() -> None:
    from router.chains.terms import Terms  # noqa: PLC0415

    slow = Terms(ring=Duration(20 * SECOND))
    assert {finding.code for finding in lint(company(), NOW, slow)} == {"never_reached"}
    assert lint(company(), NOW) == []


def test_errors_come_first_and_hours_are_not_guessed_beside_them() -> None:
    # Without its calendar the chain would seem to serve always, and its people's nights would seem to be holes.
    broken = company(6, calendar="nowhere", calendars=(OFFICE,), first={"hours": "office"})
    people = tuple(msgspec.structs.replace(person, hours="office") for person in broken.people)
    findings = lint(msgspec.structs.replace(broken, people=people), NOW)
    assert [finding.code for finding in findings] == ["unknown_calendar", "never_reached"]


def test_many_chains_are_looked_through_each_for_itself() -> None:
    staff = tuple(Person(f"p{n}", "P", (str(1000 + n),), hours="office", absences=(AWAY,)) for n in range(100))
    chains = tuple(Chain(f"c{n}", tuple(f"p{n * 5 + seat}" for seat in range(5)), calendar="office") for n in range(20))
    lines = tuple(Line(str(n), f"c{n}") for n in range(20))
    found = [(one.code, one.chain) for one in lint(Directory(staff, lines, chains, (OFFICE,)), NOW)]
    assert found == [("nobody_on_date", f"c{n}") for n in range(20)]
