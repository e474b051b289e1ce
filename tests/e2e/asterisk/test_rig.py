"""The rig proves itself on chains that Asterisk runs alone.

The figures of the two baselines are those of Asterisk 22 on two cores; limits are wide, because the machine is shared.
"""

import pytest

from benchmarks.wire_baselines import begin_dial_chain, begin_queue_chain
from tests.e2e.asterisk.rig import (
    Rig,
    Rules,
    absent,
    answers,
    busy,
    cancels,
    declines,
    never_answers,
    silent,
    talks,
    unavailable,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

SHORT = Rules(hop_s=1.0, window_s=5.0)


def test_full_forty_seconds_of_both_baselines_side_by_side(rig: Rig) -> None:
    queue, dial = begin_queue_chain(rig, calls=3, group=1), begin_dial_chain(rig, calls=3, group=2)
    by_dial, by_queue = dial.figures(), queue.figures()

    assert 7.95 <= by_dial["offered_s"]["median"] <= 8.3
    assert 0 <= by_dial["gap_ms"]["median"] <= 50
    assert 39.95 <= by_dial["released_s"]["median"] <= 40.5
    # three callers at once, and nobody keeps their claims on the heads apart
    assert set(by_dial["anomalies"]) == {"two_open_invites"}

    assert 7.95 <= by_queue["offered_s"]["median"] <= 8.3
    assert 950 <= by_queue["gap_ms"]["median"] <= 1200
    assert 43.5 <= by_queue["released_s"]["median"] <= 45.0
    assert 3.9 <= by_queue["last_head_late_s"]["median"] <= 4.6
    assert by_queue["anomalies"]["gap"] == 3 * 4
    assert by_queue["anomalies"]["window_exceeded"] == 3
    rig.wait_until_idle()


def test_the_third_of_a_chain_answers(rig: Rig) -> None:
    rig.all_heads(never_answers(), [101, 102, 104, 105])
    rig.head(103, answers(after_ms=500))
    rig.line("7101", RIG_HOP="1")
    call = rig.call("7101", script=talks(400))
    call.wait()
    verdict = rig.verdict(
        Rules(1.0, 5.0, order=("101", "102", "103", "104", "105")), call.numbers, heads=range(101, 106)
    )
    assert not verdict.anomalies, verdict
    seen = verdict.call(call.numbers[0])
    assert seen.heads == ["101", "102", "103"]
    assert seen.final == 200
    assert seen.window_s == pytest.approx(2.5, abs=0.3)
    assert seen.bye_by == "caller"
    assert seen.legs[2].bye_by == "pbx"
    assert seen.dead_air_ms[0] < 100
    rig.wait_until_idle()


def test_a_head_may_hang_up_too(rig: Rig) -> None:
    rig.head(101, answers(after_ms=0, talk_ms=300))
    call = rig.call("7101")
    call.wait()
    seen = rig.verdict(SHORT, call.numbers).call(call.numbers[0])
    assert (seen.final, seen.bye_by, seen.legs[0].bye_by) == (200, "pbx", "head")
    assert seen.legs[0].ringing_us is None
    rig.wait_until_idle()


def test_refusals_go_on_at_once(rig: Rig) -> None:
    for head, script in {101: busy(), 102: declines(), 103: declines(400), 104: unavailable()}.items():
        rig.head(head, script)
    rig.head(105, answers(after_ms=300, talk_ms=200))
    rig.line("7102", RIG_HOP="2")
    call = rig.call("7102")
    call.wait()
    verdict = rig.verdict(Rules(2.0, 10.0), call.numbers)
    assert not verdict.anomalies, verdict
    legs = verdict.call(call.numbers[0]).legs
    assert [leg.status for leg in legs] == [486, 603, 603, 480, 200]
    assert [leg.end for leg in legs] == ["refused"] * 4 + ["answered"]
    assert legs[2].rang_s == pytest.approx(0.4, abs=0.2)


def test_phones_that_are_not_there_are_silent_on_the_wire(rig: Rig) -> None:
    rig.head(106, silent())
    rig.head(107, absent())
    rig.head(108, answers(after_ms=100, talk_ms=100))
    rig.line("7201", RIG_HOP="1")
    call = rig.call("7201")
    call.wait()
    verdict = rig.verdict(SHORT, call.numbers)
    assert not verdict.anomalies, verdict
    first, second, third = verdict.call(call.numbers[0]).legs
    assert (first.end, second.end, third.end) == ("silent", "silent", "answered")
    assert first.invites >= 2  # repeated after 0.5 s (RFC 3261 17.1.1.2, timer A)


def test_a_caller_gives_up_in_a_ring_and_at_the_end_of_a_hop(rig: Rig) -> None:
    rig.all_heads(never_answers(), range(111, 121))
    rig.line("7301", RIG_HOP="1")
    rig.line("7401", RIG_HOP="1")
    in_ring, at_the_end = rig.call("7301", script=cancels(1500)), rig.calls("7401", 5, cancels(1000), rate=10)
    in_ring.wait()
    at_the_end.wait()
    verdict = rig.verdict(SHORT, in_ring.numbers)
    assert not verdict.anomalies, verdict
    seen = verdict.call(in_ring.numbers[0])
    assert (seen.final, seen.heads) == (487, ["111", "112"])
    five = rig.verdict(SHORT, at_the_end.numbers)
    assert five.kinds() <= {"two_open_invites"}, five
    assert {call.final for call in five.calls} == {487}
    rig.wait_until_idle()


def test_planted_anomalies_are_seen_on_the_wire(rig: Rig) -> None:
    rig.all_heads(never_answers(), [121, 122, 126])
    two_at_once, deaf_to_cancel, nobody = rig.call("5150"), rig.call("5260", script=cancels(1000)), rig.call("5350")
    for call in (two_at_once, deaf_to_cancel, nobody):
        call.wait()
    rig.wait_until_idle(30)
    assert "overlap" in rig.verdict(SHORT, two_at_once.numbers).kinds()
    assert "rings_after_cancel" in rig.verdict(SHORT, deaf_to_cancel.numbers).kinds()
    assert rig.verdict(SHORT, nobody.numbers).kinds() == {"answered_by_nobody"}
