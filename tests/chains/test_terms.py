"""Terms as people write them: seconds in, microseconds out, every mistake named."""

import pytest

from router.basis.instants import SECOND
from router.chains.terms import AfterWindow, OnListEnd, Terms, with_deviations


def test_nothing_written_nothing_changed() -> None:
    assert with_deviations(Terms(), {}, "chain.sales") == (Terms(), [])


def test_seconds_become_microseconds() -> None:
    terms, mistakes = with_deviations(
        Terms(),
        {"ring_s": 6.5, "window_s": 30, "on_list_end": "stop", "after_window": "release", "offers_per_person": 0},
        "chain.sales",
    )
    assert not mistakes
    assert (terms.ring, terms.window) == (6_500_000, 30 * SECOND)
    assert (terms.on_list_end, terms.after_window, terms.offers_per_person) == (OnListEnd.STOP, AfterWindow.RELEASE, 0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ring_s", -1), ("ring_s", True), ("ring_s", "eight"), ("ring_s", 90_000), ("ring_s", 0), ("ring_s", 2),
        ("window_s", 2),
        ("talk_check_s", 0), ("connect_within_s", 0.05), ("offers_per_person", 2), ("offers_per_person", True),
        ("on_list_end", "repeat"), ("after_window", "silence"), ("hop_timer", "pbx"), ("rings", 8),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_place(name: str, value: object) -> None:
    _, mistakes = with_deviations(Terms(), {name: value}, "chain.sales")
    assert mistakes
    assert any(mistake.key == f"chain.sales.{name}" for mistake in mistakes)
    assert all(mistake.remedy for mistake in mistakes)


def test_all_mistakes_are_reported_together() -> None:
    _, mistakes = with_deviations(Terms(), {"ring_s": -1, "window_s": "x", "on_list_end": "no"}, "chain.sales")
    assert {mistake.key for mistake in mistakes} >= {
        "chain.sales.ring_s", "chain.sales.window_s", "chain.sales.on_list_end",
    }  # fmt: skip
