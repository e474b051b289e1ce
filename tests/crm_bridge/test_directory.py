"""Reading people, lines and chains: what is right is taken, what is wrong is told all at once."""

from datetime import date, datetime
from pathlib import Path

import msgspec
import pytest

from router.basis.failures import Mistakes
from router.basis.instants import SECOND
from router.basis.people import Absence, Directory, Person
from router.chains.terms import Terms, with_deviations
from router.crm_bridge.directory import differences, directory_of, read_directory

RIGHT = {
    "person": [
        {"id": "anna", "name": "Анна", "extensions": ["101"]},
        {"id": "boris", "name": "Борис", "extensions": ["102", "103"]},
    ],
    "line": [{"number": "+74950000001", "chain": "sales", "channel": "Карты"}],
    "chain": {"sales": {"heads": ["anna", "boris"], "terms": {"ring_s": 7.5, "on_list_end": "stop"}}},
}


def wrong(document: dict[str, object]) -> dict[str, str]:
    with pytest.raises(Mistakes) as told:
        directory_of(document)
    return {mistake.key: mistake.remedy for mistake in told.value.mistakes}


def test_a_right_document_is_taken_whole() -> None:
    directory = directory_of(RIGHT)
    assert directory.owner("103") is directory.person("boris")
    assert directory.line("+74950000001").channel == "Карты"  # type: ignore[union-attr]
    chain = directory.chain("sales")
    assert chain is not None
    terms, mistakes = with_deviations(Terms(), chain.terms, "chain.sales.terms")
    assert mistakes == []
    assert terms.ring == 7.5 * SECOND
    assert terms.on_list_end == "stop"


def test_the_journal_gets_no_floats_from_a_directory() -> None:
    chain = directory_of(RIGHT).chain("sales")
    assert chain is not None
    assert chain.terms["ring_s"] == "7.5"


def test_all_mistakes_are_told_together() -> None:
    told = wrong(
        {
            "person": [
                {"id": "anna", "name": "Анна", "extensions": ["101"], "exten": "1"},
                {"id": "anna", "name": "Анна вторая", "extensions": ["101"]},
                {"id": "vera", "name": "Вера"},
                {"id": "bad id", "name": "X"},
                {"name": "без имени"},
            ],
            "line": [{"number": "1", "chain": "nowhere"}, {"number": "1", "chain": "sales"}],
            "chain": {
                "sales": {"heads": ["anna", "ghost", "vera", "anna"], "terms": {"ring_s": "soon", "pause": 1}},
                "empty": {"heads": []},
            },
            "persons": [],
        }
    )
    assert set(told) == {
        "person[anna].exten",
        "person[4]",
        "person.id",
        "person.extensions",
        "line.number",
        "line[1].chain",
        "chain.sales.heads",
        "chain.sales.terms.ring_s",
        "chain.sales.terms.pause",
        "chain.empty.heads",
        "persons",
    }
    assert all(told.values())


@pytest.mark.parametrize(
    "term", [{"ring_s": -1}, {"window_s": 0}, {"offers_per_person": 2}, {"after_window": "music"}, {"ring_s": 1}]
)
def test_terms_that_ring_nobody_are_refused(term: dict[str, object]) -> None:
    document = {**RIGHT, "chain": {"sales": {"heads": ["anna"], "terms": term}}}
    assert len(wrong(document)) == 1


def test_tables_of_the_wrong_shape_are_told_not_raised() -> None:
    told = wrong({"person": {"id": "anna"}, "line": ["1"], "chain": [1]})
    assert set(told) == {"person", "line[0]", "chain"}


def test_a_file_that_cannot_be_read_names_itself(tmp_path: Path) -> None:
    broken = tmp_path / "people.toml"
    for text in (None, "person = [", "\udcff"):
        if text is not None:
            broken.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.raises(Mistakes) as told:
            read_directory(broken)
        assert told.value.mistakes[0].key == str(broken)


def test_differences_name_what_was_added_removed_and_changed() -> None:
    before = directory_of(RIGHT)
    changed = {
        **RIGHT,
        "person": [{"id": "anna", "name": "Анна Ким", "extensions": ["101"]}, {"id": "vera", "name": "В"}],
        "chain": {"sales": {"heads": ["anna"]}},
    }
    assert differences(before, before) == []
    assert differences(Directory(), before)[0] == "+ person anna"
    assert differences(before, directory_of(changed)) == [
        "~ person anna: name Анна -> Анна Ким",
        "- person boris",
        "+ person vera",
        "~ chain sales: heads anna, boris -> anna",
        "~ chain sales: terms {'ring_s': '7.5', 'on_list_end': 'stop'} -> {}",
    ]


# --- calendars, absences, devices -----------------------------------------------------------------------------------


def person_with(**more: object) -> dict[str, object]:
    return {
        **RIGHT,
        "person": [{"id": "anna", "name": "Анна", **more}, {"id": "boris", "name": "Б", "extensions": ["9"]}],
    }


def test_a_person_with_absences_hours_and_devices() -> None:
    document = person_with(
        extensions=["101"],
        hours="office",
        absences=[{"from": date(2026, 12, 28), "until": date(2027, 1, 8), "reason": "leave"},
                  {"from": datetime.fromisoformat("2026-11-25T14:00"), "until": "2026-11-25T16:00"}],
        devices=[{"extension": "901", "kind": "mobile"}, {"extension": "101", "no_ringing_after_s": 4.5}],
    )  # fmt: skip
    document["calendar"] = {"office": {"monday": ["14:00-18:00", "9:00-13:00"], "days": {"2026-12-31": "closed"}}}
    directory = directory_of(document)
    anna = directory.people[0]
    assert anna.absences == (
        Absence("2026-12-28", "2027-01-08", "leave"),
        Absence("2026-11-25T14:00:00", "2026-11-25T16:00"),
    )
    assert anna.extensions == ("101", "901"), "the short form goes on working, and devices are extensions"
    desk, mobile = anna.phones
    assert (desk.kind, desk.count_from, desk.no_ringing_after, desk.press_1) == ("sip", "offer", 4.5 * SECOND, False)
    assert (mobile.kind, mobile.count_from, mobile.no_ringing_after, mobile.cap) == (
        "mobile",
        "ringing",
        0,
        None,
    )
    assert mobile.press_1
    assert Terms().reach == 12 * SECOND, "what `None` stands for"
    assert directory.owner("901") is anna
    office = directory.calendar("office")
    assert office is not None
    assert office.monday == ("9:00-13:00", "14:00-18:00")
    assert [(day.date, day.hours) for day in office.days] == [("2026-12-31", ())]


def test_a_desk_phone_without_particulars_has_the_defaults() -> None:
    (phone,) = Person("a", "A", ("101",)).phones
    assert (phone.kind, phone.count_from, phone.no_ringing_after, phone.press_1) == ("sip", "offer", None, False)
    assert Terms().no_ringing_after == 2 * SECOND, "what `None` stands for"


@pytest.mark.parametrize(
    ("more", "key"),
    [
        ({"absences": "tomorrow"}, "person[anna].absences"),
        ({"absences": ["tomorrow"]}, "person[anna].absences[0]"),
        ({"absences": [{"until": "2026-12-01"}]}, "person[anna].absences[0].from"),
        ({"absences": [{"from": "01.12.2026"}]}, "person[anna].absences[0].from"),
        ({"absences": [{"from": "2026-12-01", "until": "soon"}]}, "person[anna].absences[0].until"),
        ({"absences": [{"from": "2026-12-02", "until": "2026-12-01"}]}, "person[anna].absences[0].until"),
        ({"absences": [{"from": "2026-12-02T10:00:00+03:00"}]}, "person[anna].absences[0].from"),
        ({"absences": [{"from": "2026-12-01", "reason": "tired"}]}, "person[anna].absences[0].reason"),
        ({"absences": [{"from": "2026-12-01", "why": "x"}]}, "person[anna].absences[0].why"),
        ({"devices": [{"kind": "mobile"}]}, "person[anna].devices[0].extension"),
        ({"devices": [{"extension": "9", "kind": "fax"}]}, "person[anna].devices[0]"),
        ({"devices": [{"extension": "901", "cap_s": 600}]}, "person[anna].devices[0].cap_s"),
        ({"devices": [{"extension": "901", "no_ringing_after_s": True}]}, "person[anna].devices[0].no_ringing_after_s"),
        ({"devices": [{"extension": "901", "colour": "red"}]}, "person[anna].devices[0].colour"),
        ({"devices": [{"extension": "901"}, {"extension": "901"}]}, "person[anna].devices"),
        ({"devices": [{"extension": "901"}], "hours": "nowhere"}, "person[anna].hours"),
    ],
)
def test_mistakes_in_absences_and_devices_name_their_place(more: dict[str, object], key: str) -> None:
    told = wrong(person_with(**{"extensions": ["101"], **more}))
    assert set(told) == {key}


def test_a_mobile_number_is_not_written_into_the_journal() -> None:
    with pytest.raises(Mistakes) as told:
        directory_of(person_with(extensions=["101"], devices=[{"extension": "+79161234567", "kind": "mobile"}]))
    (mistake,) = told.value.mistakes
    assert mistake.key == "person[anna].devices[0].extension"
    assert "9161234567" not in str(mistake)


@pytest.mark.parametrize(
    ("calendar", "key"),
    [
        ({"monday": "9-18"}, "calendar.c.monday"),
        ({"monday": ["9-18"]}, "calendar.c.monday"),
        ({"monday": ["09:00-13:00", "12:00-18:00"]}, "calendar.c.monday"),
        ({"zone": "Moscow"}, "calendar.c.zone"),
        ({"holidays": "XX"}, "calendar.c.holidays"),
        ({"short_by_min": -1}, "calendar.c.short_by_min"),
        ({"title": 1}, "calendar.c.title"),
        ({"mondays": []}, "calendar.c.mondays"),
        ({"days": []}, "calendar.c.days"),
        ({"days": {"31.12.2026": "closed"}}, "calendar.c.days.31.12.2026"),
        ({"days": {"2026-12-31": "shut"}}, "calendar.c.days.2026-12-31"),
        ("always", "calendar.c"),
    ],
)
def test_mistakes_in_calendars_name_their_place(calendar: object, key: str) -> None:
    assert set(wrong({**RIGHT, "calendar": {"c": calendar}})) == {key}


def test_mistakes_of_company_and_chain_name_their_place() -> None:
    told = wrong({
        **RIGHT, "company": {"zone": "Moscow", "name": "x"}, "calendar": [],
        "chain": {"sales": {"heads": ["anna"], "calendar": "nowhere"}},
    })  # fmt: skip
    assert set(told) == {"company.zone", "company.name", "calendar", "chain.sales.calendar"}
    assert set(wrong({**RIGHT, "company": []})) == {"company"}


def test_a_directory_that_was_stored_before_there_were_calendars_still_loads() -> None:
    stored = (
        b'{"people":[{"id":"anna","name":"\xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0","extensions":["101"],"roles":["head"]}],'
        b'"lines":[{"number":"1","chain":"sales"}],"chains":[{"id":"sales","heads":["anna"],"terms":{"ring_s":"7.5"}}]}'
    )
    directory = msgspec.json.decode(stored, type=Directory)
    assert directory.zone == "Europe/Moscow"
    assert directory.person("anna").phones[0].extension == "101"  # type: ignore[union-attr]
    assert msgspec.json.decode(msgspec.json.encode(directory), type=Directory) == directory
    assert b"calendar" not in msgspec.json.encode(directory), "what has the default is not written"


def test_differences_show_what_changed_of_calendars_and_absences() -> None:
    before = directory_of({**RIGHT, "calendar": {"office": {"monday": ["09:00-18:00"]}}})
    after = directory_of({
        **RIGHT, "company": {"zone": "Asia/Omsk"},
        "calendar": {"office": {"monday": ["10:00-18:00"], "days": {"2026-12-31": "closed"}}},
        "person": [{**RIGHT["person"][0], "absences": [{"from": "2026-12-01", "reason": "sick"}]}, RIGHT["person"][1]],  # type: ignore[index]
    })  # fmt: skip
    assert differences(before, after) == [
        "~ person anna: absences none -> from=2026-12-01 reason=sick",
        "~ calendar office: monday 09:00-18:00 -> 10:00-18:00",
        "~ calendar office: days none -> date=2026-12-31",
        "~ company: zone Europe/Moscow -> Asia/Omsk",
    ]
