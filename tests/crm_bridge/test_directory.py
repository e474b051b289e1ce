"""Reading people, lines and chains: what is right is taken, what is wrong is told all at once."""

from pathlib import Path

import pytest

from router.basis.failures import Mistakes
from router.basis.instants import SECOND
from router.basis.people import Directory
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
