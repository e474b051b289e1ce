"""Who is at fault in a refused batch, and the translation of placeholders: pure parts of the stores."""

import pytest

from router.engine.journal import Secret
from router.engine.store.judge import Facts, judge, keys_of, named_by
from router.engine.store.postgres_sql import numbered
from tests.engine.rows import record, takes

A, B = "order:test:a", "order:test:b"
NOTHING = Facts({}, frozenset(), {})


def test_a_batch_that_fits_has_no_guilty() -> None:
    assert (
        judge([record(A, 1, **takes("k")), record(A, 2, claims_released=("k",)), record(B, 1, **takes("k"))], NOTHING)
        == {}
    )


def test_the_first_reason_is_named() -> None:
    facts = Facts({A: 3}, frozenset({(A, "x")}), {"k": A})
    assert judge([record(A, 3, origin="x")], facts) == {0: "sequence"}
    assert judge([record(A, 4, origin="x"), record(A, 4, origin="y")], facts) == {0: "origin"}
    assert judge([record(B, 1, origin="x", **takes("k"))], facts) == {0: "claim"}


def test_a_refused_record_changes_nothing_for_those_after_it() -> None:
    facts = Facts({}, frozenset(), {"k": B})
    assert judge([record(A, 2, claims_released=("k",)), record(A, 1, **takes("k"))], facts) == {
        0: "sequence",
        1: "claim",
    }


def test_a_token_is_found_in_its_event() -> None:
    records = [record(A, 1, event=b'{"x":"t_1"}'), record(B, 1, event=b'{"x":"t_2"}')]
    assert named_by(records, [Secret("t_2", "phone", "7")]) == {1: "token"}
    assert named_by(records, [Secret("t_3", "phone", "7")]) == {0: "token", 1: "token"}


def test_keys_of_all_records() -> None:
    assert keys_of([record(A, 1, claims_released=("b",), **takes("a")), record(B, 1, **takes("b"))]) == ["a", "b"]


@pytest.mark.parametrize(
    ("sql", "translated"),
    [
        ("SELECT 1", "SELECT 1"),
        ("a = ? AND b = ?", "a = $1 AND b = $2"),
        ("a = '?' AND b = ?", "a = '?' AND b = $1"),
        ("a = 'it''s ?' AND b = ?", "a = 'it''s ?' AND b = $1"),
        ('"odd ? name" = ? -- really?', '"odd ? name" = $1 -- really?'),
        ("?,?,?", "$1,$2,$3"),
    ],
)
def test_placeholders_are_numbered_outside_of_quotes(sql: str, translated: str) -> None:
    assert numbered(sql) == translated
