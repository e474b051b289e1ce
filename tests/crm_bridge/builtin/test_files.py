"""Clients as people write them: TOML and CSV, mistakes told together with their place."""

from typing import Any

import pytest

from router.basis.clients import ClientKind
from router.basis.failures import Mistake, Mistakes
from router.crm_bridge.builtin import Entry
from router.crm_bridge.builtin.document import clients_of, is_clients
from router.crm_bridge.builtin.entry import differences, entry_of
from router.crm_bridge.builtin.table import read_table, write_table
from tests.docs.examples import plain
from tests.docs.papers import ROOT

OLEG = Entry(
    "oleg", "Олег, ООО «Вектор»", ClientKind.CLIENT, ("+79990001122", "+74951234567"), ("oleg@example.org",),
    "anna", True, 3, 'звонить "после обеда"\nне в пятницу',
)  # fmt: skip


def told(mistakes: Mistakes) -> dict[str, str]:
    return {mistake.key: mistake.remedy for mistake in mistakes.mistakes}


def wrong_table(text: str) -> dict[str, str]:
    with pytest.raises(Mistakes) as found:
        read_table(text, "RU")
    return told(found.value)


# --- one entry ----------------------------------------------------------------------------------------------------


def test_numbers_are_brought_to_one_spelling_and_mails_to_small_letters() -> None:
    written = {"phones": ["8 (999) 000-11-22", "+7 999 000 11 22", "84951234567"], "mails": [" Oleg@Example.ORG "]}
    assert entry_of(written, "client", "RU", []) == Entry(
        phones=("+79990001122", "+74951234567"), mails=("oleg@example.org",)
    )


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "олег"), ("id", "a" * 65), ("id", 5), ("id", "a b"),
        ("name", 5), ("name", "x" * 201), ("name", "a\0b"), ("name", "\ud800"), ("note", "x" * 2001),
        ("kind", "friend"), ("phones", "89990001122"), ("phones", ["101"]), ("phones", ["тел."]), ("phones", [1]),
        ("phones", ["+79990001122"] * 51), ("mails", ["oleg"]), ("mails", ["a b@example.org"]),
        ("active", "yes"), ("priority", 10), ("priority", True), ("priority", "3"), ("responsible", ["anna"]),
        ("colour", "red"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_key(field: str, value: Any) -> None:
    mistakes: list[Mistake] = []
    assert entry_of({"id": "oleg", field: value}, "client[oleg]", "RU", mistakes) is None
    assert [mistake.key for mistake in mistakes] == [f"client[oleg].{field}"]
    assert mistakes[0].remedy


def test_a_number_that_is_told_is_masked() -> None:
    mistakes: list[Mistake] = []
    entry_of({"phones": ["+7999000112233445566"]}, "client", "RU", mistakes)
    assert "0001122" not in str(mistakes[0])


def test_differences_of_a_client() -> None:
    other = Entry("oleg", "Олег", ClientKind.CLIENT, ("+79990001122",), ("oleg@example.org",), "anna", False, 3)
    assert differences(None, OLEG) == ["+ client oleg"]
    assert differences(OLEG, OLEG) == []
    lines = differences(OLEG, other)
    assert [line.split()[3] for line in lines] == ["name", "phones", "active", "note"]
    assert lines[1] == "~ client oleg: phones +7***22, +7***67 -> +7***22"
    assert "yes -> no" in lines[2]


# --- clients.toml -------------------------------------------------------------------------------------------------


def test_the_example_loads() -> None:
    document = plain(ROOT / "config" / "clients.example.toml")
    assert is_clients(document)
    entries = [entry for _, entry in clients_of(document, "RU")]
    assert len(entries) >= 2
    assert entries[0].phones


def test_mistakes_of_a_document_are_told_together() -> None:
    document = {
        "client": [
            {"id": "a", "kind": "friend"},
            {"id": "b", "phones": ["1"]},
            "c",
            {"id": "d"},
            {"id": "d"},
            {"name": "E"},
        ],
        "person": [],
    }
    with pytest.raises(Mistakes) as found:
        clients_of(document, "RU")
    assert set(told(found.value)) == {
        "person",
        "client[a].kind",
        "client[b].phones",
        "client[2]",
        "client[d]#5.id",
        "client[5]",
    }
    with pytest.raises(Mistakes):
        clients_of({"client": {"id": "a"}}, "RU")


# --- CSV ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["", "\ufeff"])
def test_what_is_written_is_read_again(first: str) -> None:
    entries = [OLEG, Entry("x", active=False, kind=ClientKind.SPAM), Entry("y", mails=("a@b.ru", "c@d.ru"))]
    assert [entry for _, entry in read_table(first + write_table(entries), "RU")] == entries


def test_a_table_as_excel_writes_it_in_russian() -> None:
    text = (
        "Имя;Телефоны;Тип;Активен;Приоритет;Ответственный\r\n"
        "Олег;8 999 000-11-22, +7 495 123-45-67;Клиент;да;3;anna\r\n"
        ";;;;;\r\n"
        "Спамер;+74957654321 +74957654322;спам;нет;;\r\n"
    )
    placed = read_table(text, "RU")
    assert [place for place, _ in placed] == ["line 2", "line 4"]
    assert placed[0][1] == Entry("", "Олег", ClientKind.CLIENT, ("+79990001122", "+74951234567"), (), "anna", True, 3)
    assert placed[1][1] == Entry("", "Спамер", ClientKind.SPAM, ("+74957654321", "+74957654322"), active=False)


@pytest.mark.parametrize(
    ("word", "kind"),
    [("новый", "new"), ("клиент", "client"), ("бывший клиент", "former"), ("партнёр", "partner"),
     ("поставщик", "supplier"),
     ("сотрудник", "staff"), ("спам", "spam"), ("прочее", "other"), ("Partner", "partner")],
)  # fmt: skip
def test_every_kind_has_a_russian_word_that_a_table_may_use(word: str, kind: str) -> None:
    ((_, entry),) = read_table(f"id,kind\na,{word}\n", "RU")
    assert entry.kind == kind


def test_mistakes_of_a_table_are_told_by_line_and_column() -> None:
    text = (
        "id,name,phones,active,priority\n"
        "a,A,89990001122,perhaps,1\n"
        'b,"two\nlines",12,yes,many\n'
        "c,C,+74951234567,yes,1,surplus\n"
        "a,A again,,,\n"
        ",D,+74951234567,,\n"
        ",E,+74951234567,,\n"
        ",F,,,\n"
    )
    assert set(wrong_table(text)) == {
        "line 2, active", "line 4, phones", "line 4, priority", "line 5", "line 8", "line 9",
    }  # fmt: skip
    assert "line 7" in wrong_table(text)["line 8"], "where the same number stood first"
    assert set(wrong_table("id,name\na,A\na,B\n")) == {"line 3, id"}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", "line 1"),
        ("id,colour\na,red\n", "line 1"),
        ("id,name,имя\na,b,c\n", "line 1"),
        ('id,name\na,"open\n', "line 2"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(text: str, key: str) -> None:
    assert set(wrong_table(text)) == {key}
