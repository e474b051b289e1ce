"""The timer: against a model, and its two promises (each deadline once, no growth)."""

from hypothesis import given
from hypothesis import strategies as st

from router.basis.instants import Instant
from router.engine.timer import Timer

chains = st.sampled_from("abcde")
steps = st.lists(st.tuples(chains, st.one_of(st.none(), st.integers(0, 20)), st.integers(0, 3)), max_size=60)


@given(steps)
def test_it_behaves_like_a_dictionary_that_is_searched(steps: list[tuple[str, int | None, int]]) -> None:
    timer, model, now = Timer(), dict[str, int](), 0
    for chain, deadline, pause in steps:
        timer.set(chain, None if deadline is None else Instant(deadline))
        if deadline is None:
            model.pop(chain, None)
        else:
            model[chain] = deadline
        now += pause
        assert timer.next() == min(model.values(), default=None)
        assert len(timer) == len(model)
        due = timer.due(Instant(now))
        assert sorted(due) == sorted((chain, instant) for chain, instant in model.items() if instant <= now)
        assert [instant for _, instant in due] == sorted(instant for _, instant in due)
        for late, _ in due:
            del model[late]


def test_a_deadline_comes_once_and_not_early() -> None:
    timer = Timer()
    timer.set("a", Instant(10))
    timer.set("a", Instant(10))
    assert timer.due(Instant(9)) == []
    assert timer.due(Instant(10)) == [("a", 10)]
    assert timer.due(Instant(10)) == []
    assert timer.next() is None


def test_moving_a_deadline_a_million_times_keeps_the_heap_small() -> None:
    timer = Timer()
    for instant in range(100_000):
        timer.set("a", Instant(instant))
    assert len(timer._heap) < 100
    assert timer.next() == 99_999
