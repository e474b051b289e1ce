"""The small parts: retry, clock, vault, contents, claims."""

import pytest

from router.basis.instants import HOUR, SECOND, Duration, Instant
from router.basis.machine import Wait
from router.engine.claims import Claims, Held, Undo
from router.engine.clock import SystemClock, VirtualClock
from router.engine.contents import Contents
from router.engine.journal import Secret
from router.engine.retry import CONFIRMATIONS, LETTERS, Backoff
from router.engine.vault import Vault, random_token
from tests.engine.values import ANNA, BORIS, Terms

# --- retry ------------------------------------------------------------------------------------------------------------


def test_delays_grow_to_the_cap_and_end() -> None:
    policy = Backoff(Duration(10), 3, Duration(100), Duration(1_000))
    assert [policy.delay(attempts, 0) for attempts in range(1, 6)] == [10, 30, 90, 100, 100]
    assert policy.delay(1, 999) == 10
    assert policy.delay(1, 1_000) is None
    assert policy.delay(1, 0, asked=50) == 50
    assert policy.delay(5, 0, asked=50) == 100
    assert policy.delay(10_000, 0) == 100  # no astronomic powers on the way
    assert CONFIRMATIONS.delay(1, 0) == CONFIRMATIONS.delay(1_000, HOUR) == 200_000
    assert LETTERS.delay(1, 24 * HOUR) is None


# --- clock ------------------------------------------------------------------------------------------------------------


def test_the_virtual_clock_does_not_go_back() -> None:
    clock = VirtualClock(Instant(5))
    clock.advance_to(Instant(5))
    with pytest.raises(ValueError, match="does not go back: 4 < 5"):
        clock.advance_to(Instant(4))
    assert clock.now() == 5


def test_a_step_of_the_wall_clock_moves_no_deadline_but_is_seen() -> None:
    wall, monotonic = [1_000 * SECOND], [5 * SECOND]
    clock = SystemClock(lambda: wall[0] * 1_000, lambda: monotonic[0] * 1_000)
    assert clock.now() == 1_000 * SECOND
    wall[0] -= 3_600 * SECOND
    monotonic[0] += SECOND
    assert clock.now() == 1_001 * SECOND
    assert clock.offset() == -3_601 * SECOND


def test_a_clock_goes_on_with_the_line_of_the_process_before() -> None:
    clock = SystemClock(lambda: 5_000 * SECOND * 1_000, lambda: 7_000)
    clock.resume(3_600 * SECOND)
    assert clock.now() == 1_400 * SECOND
    assert clock.offset() == 3_600 * SECOND


# --- vault ------------------------------------------------------------------------------------------------------------


def test_the_same_value_has_the_same_token_and_a_new_one_is_written_once() -> None:
    tokens = iter(["t1", "t2"])
    vault, fresh, undo = Vault(lambda: next(tokens)), list[Secret](), Undo()
    assert vault.unknown([("phone", "7")]) == [("phone", "7")]
    assert vault.token("phone", "7", fresh, undo) == vault.token("phone", "7", fresh, undo) == "t1"
    assert vault.token("name", "7", fresh, undo) == "t2"
    assert fresh == [Secret("t1", "phone", "7"), Secret("t2", "name", "7")]
    assert vault.unknown([("phone", "7")]) == []
    assert vault.value("t1") == "7"
    for entry in reversed(undo):
        entry()
    assert (vault.value("t1"), vault.unknown([("phone", "7")])) == (None, [("phone", "7")])


def test_tokens_of_the_store_are_used_and_the_cache_is_bounded() -> None:
    vault, fresh = Vault(remember=2), list[Secret]()
    vault.learn({("phone", "7"): "t_old"})
    assert vault.token("phone", "7", fresh, []) == "t_old"
    assert fresh == []
    vault.learn({("phone", str(number)): f"t_{number}" for number in range(3)})
    vault.learn({("phone", "x"): "t_x"})
    assert vault.unknown([("phone", "7"), ("phone", "x")]) == [("phone", "7")]
    vault.remember({"t_old": "7"})
    assert vault.value("t_old") == "7"


def test_random_tokens_say_nothing_and_differ() -> None:
    assert len({random_token() for _ in range(1_000)}) == 1_000
    assert all(token.startswith("t_") and len(token) == 26 for token in (random_token(), random_token()))


# --- contents ---------------------------------------------------------------------------------------------------------


def test_equal_content_has_one_name_and_is_written_once() -> None:
    contents = Contents()
    first, second = contents.pin(Terms()), contents.pin(Terms())
    assert first is second
    assert first == second
    ((digest, body),) = contents.unsaved()
    contents.saved([digest])
    assert contents.unsaved() == []
    assert contents.pin(Terms(clerks=(ANNA,))) != first
    other = Contents()
    other.loaded(digest, body)
    assert other.get(digest, Terms).value == Terms()
    assert other.unsaved() == []
    assert other.pin(Terms()).digest == digest
    assert other.unsaved() == []
    with pytest.raises(KeyError):
        other.get("unknown", Terms)


# --- claims -----------------------------------------------------------------------------------------------------------


def test_taking_seizing_and_releasing_can_be_undone() -> None:
    claims = Claims()
    claims.take("k", "a", Instant(1), [])
    claims.set_wait("w", Wait(("k",), 0, Instant(0)), [])
    undo: Undo = []
    claims.take("k", "a", Instant(2), undo)
    claims.take("k", "b", Instant(3), undo)
    claims.take("l", "b", Instant(3), undo)
    assert claims.holder("k") == "b"
    assert [set(claims.held_by(chain)) for chain in "ab"] == [set(), {"k", "l"}]
    claims.release("k", undo)
    claims.release("nobody's", undo)
    claims.set_wait("w", None, undo)
    claims.set_wait("v", Wait(("k",), 0, Instant(9)), undo)
    assert claims.next_waiter("k", set()) == "v"
    for entry in reversed(undo):
        entry()
    assert claims.all() == {"k": Held("a", Instant(1))}
    assert [set(claims.held_by(chain)) for chain in "ab"] == [{"k"}, set()]
    assert list(claims.waiting()) == ["w"]
    assert claims.next_waiter("k", set()) == "w"
    assert claims.next_waiter("k", {"w"}) is None


def test_a_wait_that_changed_is_served_where_it_stands_now() -> None:
    claims = Claims()
    for chain, rank in (("a", 1), ("b", 2), ("c", 3)):
        claims.set_wait(chain, Wait((ANNA, BORIS), rank, Instant(0)), [])
    claims.set_wait("a", Wait((ANNA, BORIS), 9, Instant(0)), [])
    claims.set_wait("b", Wait((BORIS,), 2, Instant(0)), [])
    assert [claims.next_waiter(ANNA, passed) for passed in (set(), {"c"}, {"a", "c"})] == ["c", "a", None]
    assert [claims.next_waiter(BORIS, passed) for passed in (set[str](), {"b"}, {"b", "c"})] == ["b", "c", "a"]
    claims.set_wait("b", Wait((ANNA, BORIS), 2, Instant(0)), [])
    assert claims.next_waiter(ANNA, set()) == "b"


def test_resetting_takes_the_stores_word_and_keeps_the_waits() -> None:
    claims = Claims()
    claims.take("k", "a", Instant(1), [])
    claims.set_wait("w", Wait(("k",), 0, Instant(0)), [])
    claims.reset({"l": ("b", Instant(2))})
    assert claims.all() == {"l": Held("b", Instant(2))}
    assert [set(claims.held_by(chain)) for chain in "ab"] == [set(), {"l"}]
    assert list(claims.waiting()) == ["w"]
