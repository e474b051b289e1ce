"""Random histories: whatever is told in whatever order, the laws of `tests.properties.world` hold after every event.

`HOPLINE_DEEP=1` searches long and anew. What it finds is written down in `tests/stories` under a name of its own.
"""

import os
import random
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.properties.world import CALLS, Action, Told, World
from tests.stories.stage import HEADS

DEEP = os.environ.get("HOPLINE_DEEP") == "1"
SEARCH = settings(max_examples=4000 if DEEP else 120, derandomize=not DEEP, deadline=None)
TWICE = settings(max_examples=1000 if DEEP else 40, derandomize=not DEEP, deadline=None)

_WORDS = get_args(Told)
_LIKELY = ("arrived", "answered", "ended", "ringing", "talk", "transfer", "gone")
_call = st.integers(0, CALLS - 1)
_which = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5])  # mostly the latest ring
_fact = st.tuples(st.sampled_from(_LIKELY) | st.sampled_from(_WORDS), _which, st.integers(0, 14))
_time = st.sampled_from([0, 1, 40, 500, 1000, 2000, 3000, 5000, 8000, 10_000, 35_000, 40_000, 61_000])
_head = st.sampled_from(HEADS)
ACTION: st.SearchStrategy[Action] = st.one_of(
    st.tuples(st.just("told"), _call, st.just("arrived"), st.just(0), st.integers(0, 1)),
    st.tuples(st.just("told"), _call, st.just("answered"), st.just(0), st.just(0)),
    st.builds(lambda call, fact: ("told", call, *fact), _call, _fact),
    st.builds(lambda call, fact: ("told", call, *fact), _call, _fact),
    st.tuples(st.just("together"), _call, st.lists(_fact, min_size=2, max_size=4)),
    st.tuples(st.just("waits"), _time),
    st.tuples(st.just("waits"), _time),
    st.tuples(st.just("oversleeps"), _time),
    st.tuples(st.just("away"), _head, st.none() | st.integers(0, 30)),
    st.tuples(st.just("back"), _head),
    st.tuples(st.just("device"), _head, st.booleans()),
)
HISTORY = st.lists(ACTION, min_size=1, max_size=60)
MOODS = st.lists(st.sampled_from([0, 0, 0, 1, 1, 2, 2, 3, 4, 5, 6, 8, 9]), min_size=1, max_size=20)


@st.composite
def options(draw: st.DrawFn) -> dict[str, Any]:
    """A company: its list, its terms, its PBX."""
    terms: dict[str, int | str] = {
        "after_window": draw(st.sampled_from(["fallback", "release"])),
        "on_list_end": draw(st.sampled_from(["wrap", "stop"])),
        "offers_per_person": draw(st.sampled_from([1, 1, 1, 0])),
        "record": draw(st.sampled_from(["off", "talk"])),
        "announcement": draw(st.sampled_from(["", "sound:told"])),
        "wrap_up_s": draw(st.sampled_from([0, 5])),
        "window_s": draw(st.sampled_from([40, 40, 10, 3])),
        "ring_s": draw(st.sampled_from([8, 8, 3])),
        "spread": draw(st.sampled_from(["one_by_one", "one_by_one", "progressive", "ring_all"])),
        "all_in_last_s": draw(st.sampled_from([0, 0, 0, 8])),
    }
    return {
        "heads": HEADS[: draw(st.sampled_from([0, 1, 2, 2, 3, 5]))],
        "terms": terms,
        "timers": draw(st.sampled_from(["server", "pbx"])),
        "can_connect_late": draw(st.booleans()),
        "reports_ringing": draw(st.booleans()),
    }


def play(company: dict[str, Any], moods: list[int], history: list[Action]) -> World:
    """One history from the beginning."""
    world = World(moods, **company)
    for action in history:
        world.act(action)
    return world


@SEARCH
@given(options(), MOODS, HISTORY)
def test_the_laws_hold_after_every_event(company: dict[str, Any], moods: list[int], history: list[Action]) -> None:
    play(company, moods, history).come_to_rest()


@TWICE
@given(options(), MOODS, HISTORY)
def test_the_same_history_leaves_the_same_bytes(
    company: dict[str, Any], moods: list[int], history: list[Action]
) -> None:
    assert play(company, moods, history).log() == play(company, moods, history).log()


@TWICE
@given(options(), MOODS, HISTORY)
def test_what_was_stored_leads_to_the_same_bytes_again(
    company: dict[str, Any], moods: list[int], history: list[Action]
) -> None:
    play(company, moods, history).replays()


LIKELY_TIMES = (0, 40, 300, 1000, 2000, 3000, 8000, 10_000, 40_000)


def at_random(seed: int, length: int) -> World:
    """A long history from a seed: Hypothesis prefers short ones, in which few calls ever meet."""
    chance = random.Random(seed)
    terms: dict[str, int | str] = {
        "after_window": chance.choice(["fallback", "release"]),
        "on_list_end": chance.choice(["wrap", "wrap", "stop"]),
        "wrap_up_s": chance.choice([0, 5]),
        "spread": chance.choice(["one_by_one", "one_by_one", "progressive", "ring_all"]),
    }
    world = World(
        [chance.choice([0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 8, 9]) for _ in range(50)],
        heads=HEADS[: chance.choice([1, 2, 3, 5])],
        terms=terms,
        timers=chance.choice(["server", "pbx"]),
        can_connect_late=chance.random() < 0.5,
    )
    wild = chance.choice([0.05, 0.2, 0.7])
    for _ in range(length):
        world.act(_any_action(chance, wild, world))
    return world


def _any_action(chance: random.Random, wild: float, world: World) -> Action:
    what, call, head = chance.random(), chance.randrange(2 * CALLS), chance.choice(HEADS)
    if chance.random() < wild:
        word = chance.choice(_LIKELY if what < 0.5 else _WORDS)
        return ("told", call, word, chance.choice([0, 0, 0, 0, 1, 2, 3, 4]), chance.randrange(15))
    if what < 0.4:
        return ("waits", chance.choice(LIKELY_TIMES))
    if what < 0.45:
        return ("oversleeps", chance.choice(LIKELY_TIMES))
    if what < 0.5:
        return chance.choice([("away", head, None), ("away", head, 5), ("back", head), ("back", head)])
    if what < 0.55:
        return ("device", head, chance.random() < 0.6)
    if what < 0.75:
        return ("told", call, "arrived", 0, 1)
    if what < 0.9:
        return ("told", chance.choice(world.ringing() or [call]), "answered", 0, 0)
    return ("told", call, chance.choice(["ended", "talk_over", "take", "confirmed"]), 0, chance.randrange(15))


@pytest.mark.parametrize("block", range(100 if DEEP else 6))
def test_the_laws_hold_in_long_histories(block: int) -> None:
    for seed in range(25 * block, 25 * (block + 1)):
        try:
            at_random(seed, 60).come_to_rest()
        except AssertionError as error:
            message = f"seed {seed}: {error}"
            raise AssertionError(message) from error
