"""Each known pitfall of ARI, and the tests that hold it. The numbers are those of the project's list.

21 (state kept in channel variables) is an alternative that is not taken: the journal remembers. 23 (Asterisk opens the
socket itself) is not offered. `real:` names a test against a real Asterisk, tests/e2e/asterisk/test_adapter*.py.
"""

import ast
from pathlib import Path

import pytest

HERE = Path(__file__).parent
REAL = tuple((HERE.parents[1] / "e2e" / "asterisk").glob("test_adapter*.py"))
LEFT = {21, 23}

PITFALLS = {
    # create answers before the channel is there; a dial right after it is refused
    1: ("test_only_originate_is_used_and_the_caller_is_rung_back_first",),
    # a leg's StasisStart comes only after the answer; legs are told from calls by their arguments
    2: ("test_state_up_is_not_the_answer_stasis_is", "real: test_a_whole_call"),
    # own ids; a reused one is refused
    3: ("test_a_ring_ordered_twice_rings_once", "test_a_lost_answer_does_not_ring_twice", "real: test_refusals_of_ari"),
    # the head must see the customer's number
    4: ("test_the_head_sees_the_clients_number", "real: test_a_whole_call"),
    # events of a leg have no fixed order
    5: ("test_events_of_a_leg_in_any_order_say_the_same",),
    # timeouts are whole seconds; a net above the server's own timer
    6: (
        "test_timeouts_are_whole_seconds_exact_by_the_pbx_and_a_net_by_the_server",
        "real: test_how_phones_end_a_ring",
    ),
    # the end is judged by ChannelDestroyed, not by Dial
    7: ("test_how_a_leg_ended", "test_how_phones_end_a_ring", "real: test_how_phones_end_a_ring"),
    # DELETE is answered before CANCEL is on the wire
    8: ("test_a_stop_is_confirmed_by_the_end_not_by_the_answer", "real: test_hops_follow_one_another_closely"),
    # an answer that crosses the stop is never joined
    9: ("test_a_late_answer_is_told_and_never_joined", "real: test_an_answer_that_crosses_the_stop"),
    # a phone that does not react cannot be cancelled; one that is known to be gone is refused at once
    10: (
        "test_a_silent_phone_never_rings_and_can_be_given_up",
        "test_a_phone_that_is_gone_is_refused_at_once",
        "test_phones_that_can_be_reached_are_told_on_connect_and_on_change",
        "real: test_a_phone_that_is_known_to_be_gone",
    ),
    # losers show no missed call
    11: ("test_a_stop_is_confirmed_by_the_end_not_by_the_answer", "real: test_losers_see_no_missed_call"),
    # what the caller hears at the end
    12: (
        "test_release_tells_the_caller_why_and_leaves_nothing",
        "real: test_nobody_answers_and_the_caller_is_released",
    ),
    # 180 at once, answered only when a head is up, both joined in one request
    13: ("test_the_caller_is_answered_only_when_a_head_is_up_and_both_join_in_one_request", "real: test_a_whole_call"),
    # a caller who leaves between two hops
    14: (
        "test_no_ring_for_a_caller_who_is_gone",
        "test_the_pbx_refuses_a_ring_for_a_caller_whose_end_was_not_heard",
        "real: test_refusals_of_ari",
    ),
    # the caller's end is whichever event comes first, once
    15: ("test_the_callers_end_is_told_once_whatever_says_it_first", "real: test_the_caller_gives_up_in_a_ring"),
    # most events are noise
    16: ("test_only_needed_events_are_asked_for", "real: test_a_whole_call"),
    # the socket is cut: channels stay, events are lost
    17: (
        "test_a_socket_cut_in_a_ring_is_seen_mended_and_read_again",
        "test_an_answer_in_the_gap_is_found_by_looking",
        "real: test_the_socket_is_cut_in_a_ring",
    ),
    # new calls in the gap take the fallback
    18: (
        "test_a_call_in_the_gap_takes_the_fallback",
        "test_it_is_read_on_connect_before_the_pbx_is_in_sight_and_now_and_then",
        "real: test_a_call_while_nobody_listens_is_read_back",
    ),
    # the server dies in a ring: TIMEOUT(absolute), lifted when they talk
    19: (
        "test_the_time_limit_hands_the_caller_over",
        "test_a_talk_survives_a_restart_and_its_time_limit_is_lifted",
        "real: test_the_time_limit_brings_the_caller_to_the_fallback",
        "real: test_a_talk_outlives_the_time_limit",
    ),
    # the server dies in a talk: who is left over stays for ever
    20: (
        "test_orphans_are_cleared_away",
        "test_a_connection_being_made_is_no_orphan",
        "real: test_orphans_of_a_dead_server",
    ),
    # a second connection takes the application over
    22: (
        "test_replaced_it_stops_acting_and_exits",
        "test_replaced_it_may_come_back_after_a_pause",
        "real: test_a_second_server_takes_over",
    ),
}


def _tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    functions = (node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return {node.name for node in functions if node.name.startswith("test_")}


def test_every_pitfall_has_a_test() -> None:
    assert set(PITFALLS) == set(range(1, 24)) - LEFT
    assert all(PITFALLS.values())


@pytest.mark.parametrize("number", sorted(PITFALLS))
def test_the_tests_named_exist(number: int) -> None:
    fast = set().union(*(_tests(path) for path in HERE.glob("test_*.py")))
    real = set().union(*(_tests(path) for path in REAL))
    for name in PITFALLS[number]:
        kind, _, real_name = name.partition("real: ")
        assert (real_name in real) if not kind else (name in fast), name
