"""Every rule of the outbox, one test each; time is a number."""

from typing import Any

import pytest

from router.basis.failures import Permanent, Temporary
from router.basis.instants import HOUR, MILLISECOND, MINUTE, SECOND, Duration, Instant
from router.basis.machine import Delivery, EffectAside, EffectDropped, Urgency
from router.engine.core import Draft
from router.engine.journal import EffectId, Order
from router.engine.outbox import Outbox
from tests.engine.rows import Wave, record

NOW, TRUE, LATER = Urgency.NOW_OR_NEVER, Urgency.UNTIL_TRUE, Urgency.SOONER_OR_LATER
CHAIN = "order:test:a"


class Post:
    """An outbox and a clock; orders are numbered."""

    def __init__(self) -> None:
        self.outbox = Outbox()
        self.now = Instant(0)
        self.count = 0

    def order(self, urgency: Urgency, key: str = "k", **given: Any) -> EffectId:
        order = self.make(urgency, key, **given)
        self.outbox.add(order, self.now)
        return order.id

    def make(self, urgency: Urgency, key: str = "k", lane: str = "lane", **given: Any) -> Order:
        self.count += 1
        delivery = Delivery(lane, urgency, key, **given)
        return Order((CHAIN, self.count, 0), Wave(), delivery, self.now)

    def at(self, instant: int) -> list[EffectId]:
        """What may leave at that instant."""
        self.now = Instant(instant)
        return [order.id for order in self.outbox.start_ready(self.now)]

    def sent(self, order: EffectId) -> None:
        self.outbox.performed(order, self.now)

    def failed(self, order: EffectId, asked: int | None = None) -> None:
        self.outbox.failed(order, Temporary("busy", retry_after_us=asked), self.now)

    def refused(self, order: EffectId) -> None:
        self.outbox.failed(order, Permanent("unknown"), self.now)

    def done(self) -> list[tuple[EffectId, str]]:
        return self.outbox.collect().done


def test_it_leaves_at_once_and_is_done_when_sent() -> None:
    post = Post()
    one = post.order(LATER)
    assert post.outbox.next_wake() == 0
    assert post.at(0) == [one]
    assert post.at(0) == []
    post.sent(one)
    assert post.done() == [(one, "sent")]
    assert len(post.outbox) == 0
    assert post.outbox.next_wake() is None


def test_order_holds_within_a_key_and_keys_do_not_wait_for_one_another() -> None:
    post = Post()
    one, two, other = post.order(LATER, "a"), post.order(LATER, "a"), post.order(LATER, "b")
    assert post.at(0) == [one, other]
    post.sent(other)
    assert post.at(1) == []
    post.sent(one)
    assert post.at(1) == [two]


def test_a_failed_one_keeps_its_place() -> None:
    post = Post()
    one, two = post.order(LATER), post.order(LATER)
    assert post.at(0) == [one]
    post.failed(one)
    assert post.at(SECOND - 1) == []
    assert post.at(SECOND) == [one]
    post.sent(one)
    assert post.at(SECOND) == [two]


# --- now or never -------------------------------------------------------------------------------------------------


def test_now_or_never_is_dropped_past_its_instant_and_the_machine_hears_of_it() -> None:
    post = Post()
    post.outbox.block("lane")
    one = post.order(NOW, best_before=Instant(5))
    assert post.at(5) == []
    post.outbox.unblock("lane")
    assert post.at(6) == []
    tally = post.outbox.collect()
    assert tally.done == [(one, "dropped")]
    (admission,) = tally.admissions
    assert (admission.chain, admission.event) == (CHAIN, EffectDropped("k", "stale"))
    assert (admission.source, admission.origin) == ("outbox", f"{CHAIN}/1/0/dropped")


def test_at_its_last_instant_it_still_leaves() -> None:
    post = Post()
    post.outbox.block("lane")
    one = post.order(NOW, best_before=Instant(5))
    post.outbox.unblock("lane")
    assert post.at(5) == [one]


def test_it_waits_for_another_key_but_not_longer_than_the_limit() -> None:
    post = Post()
    freed = post.order(NOW, "b", after="a", best_before=Instant(10 * SECOND))
    limited = post.order(NOW, "d", after="c", best_before=Instant(10 * SECOND))
    short = post.order(NOW, "f", after="e", after_limit=Duration(5), best_before=Instant(10 * SECOND))
    assert post.at(4) == []
    assert post.at(5) == [short]
    post.outbox.close("a", Instant(7))
    assert post.at(7) == [freed]
    assert post.at(SECOND - 1) == []
    assert post.at(SECOND) == [limited]
    post.outbox.close("c", Instant(SECOND))
    assert post.at(SECOND) == []


def test_what_waits_for_another_key_is_dropped_when_it_goes_stale_before() -> None:
    post = Post()
    one = post.order(NOW, "b", after="a", best_before=Instant(5))
    assert post.outbox.next_wake() == 6
    assert post.at(6) == []
    assert post.done() == [(one, "dropped")]


def test_what_stands_behind_its_own_key_is_dropped_when_it_goes_stale() -> None:
    post = Post()
    first = post.order(LATER)
    second = post.order(NOW, best_before=Instant(5))
    assert post.at(0) == [first]
    assert post.outbox.next_wake() == 6  # not only when the first is done
    assert post.at(6) == []
    assert post.done() == [(second, "dropped")]


def test_an_unsent_one_is_overtaken_by_a_later_effect_of_its_key() -> None:
    post = Post()
    ring = post.order(NOW, best_before=Instant(SECOND))
    stop = post.order(TRUE)
    tally = post.outbox.collect()
    assert tally.done == [(ring, "dropped")]
    assert [admission.event for admission in tally.admissions] == [EffectDropped("k", "overtaken")]
    assert post.at(0) == [stop]


def test_one_that_is_being_sent_is_not_overtaken_but_not_tried_again() -> None:
    post = Post()
    ring = post.order(NOW, best_before=Instant(SECOND))
    assert post.at(0) == [ring]
    stop = post.order(TRUE)
    assert post.done() == []
    assert post.at(1) == []
    post.failed(ring)
    assert [(order, how) for order, how in post.done()] == [(ring, "dropped")]
    assert post.at(1) == [stop]


def test_a_temporary_failure_is_tried_again_only_while_it_is_useful() -> None:
    post = Post()
    ring = post.order(NOW, best_before=Instant(250 * MILLISECOND))
    assert post.at(0) == [ring]
    post.failed(ring)
    assert post.at(100 * MILLISECOND) == [ring]
    post.failed(ring)  # next would be at 300 ms
    assert post.at(250 * MILLISECOND + 1) == []
    assert post.done() == [(ring, "dropped")]


def test_a_permanent_failure_drops_it_with_its_reason() -> None:
    post = Post()
    ring = post.order(NOW, best_before=Instant(SECOND))
    post.at(0)
    post.refused(ring)
    tally = post.outbox.collect()
    assert tally.done == [(ring, "dropped")]
    assert tally.admissions[0].event == EffectDropped("k", "unknown")


def test_a_closed_key_ends_a_ring_that_was_never_sent_without_a_word() -> None:
    post = Post()
    ring = post.order(NOW, after="other", best_before=Instant(SECOND))
    post.outbox.close("k", Instant(0))
    tally = post.outbox.collect()
    assert (tally.done, tally.admissions) == ([(ring, "over")], [])


def test_a_ring_whose_key_is_closed_while_it_is_sent_is_not_tried_again() -> None:
    """The call is gone, the PBX does not answer: ringing again a moment later would ring for nobody."""
    post = Post()
    ring = post.order(NOW, best_before=Instant(SECOND))
    assert post.at(0) == [ring]
    post.outbox.close("k", Instant(1))
    post.failed(ring)
    assert post.done() == [(ring, "over")]
    assert post.at(SECOND) == []


# --- until true ---------------------------------------------------------------------------------------------------


def test_until_true_is_repeated_every_200_ms_until_its_key_is_closed() -> None:
    post = Post()
    stop = post.order(TRUE)
    for turn in range(5):
        assert post.at(turn * 200 * MILLISECOND) == [stop]
        if turn % 2:
            post.sent(stop)
        else:
            post.failed(stop)
        assert post.at(turn * 200 * MILLISECOND + 199_999) == []
    post.outbox.close("k", post.now)
    assert post.done() == [(stop, "confirmed")]
    assert post.at(HOUR) == []


def test_a_confirmation_that_comes_while_it_is_sent_ends_it() -> None:
    post = Post()
    stop = post.order(TRUE)
    assert post.at(0) == [stop]
    post.outbox.close("k", Instant(0))
    post.sent(stop)
    assert post.done() == [(stop, "confirmed")]
    assert post.at(SECOND) == []


def test_until_true_that_is_refused_for_good_is_put_aside() -> None:
    post = Post()
    stop = post.order(TRUE)
    post.at(0)
    post.refused(stop)
    tally = post.outbox.collect()
    assert (tally.done, tally.aside) == ([], [(stop, "unknown")])
    assert tally.admissions[0].event == EffectAside("k", "unknown")


def test_until_true_of_a_neighbour_that_was_taken_away_is_put_aside_in_the_end() -> None:
    post = Post()
    stop = post.order(TRUE)
    post.at(12 * HOUR)
    post.sent(stop)
    assert post.outbox.collect().aside == [(stop, "unconfirmed")]


# --- sooner or later ----------------------------------------------------------------------------------------------


def test_sooner_or_later_backs_off_up_to_five_minutes_for_a_day() -> None:
    post = Post()
    letter = post.order(LATER)
    waits: list[int] = []
    while True:
        assert post.at(post.outbox.next_wake() or 0) == [letter]
        post.failed(letter)
        wake = post.outbox.next_wake()
        if wake is None:
            break
        waits.append(wake - post.now)
    assert [wait // SECOND for wait in waits[:10]] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(waits[9:]) == {5 * MINUTE}
    assert 24 * HOUR <= post.now < 24 * HOUR + 5 * MINUTE
    tally = post.outbox.collect()
    assert (tally.done, tally.aside) == ([], [(letter, "busy")])
    assert tally.admissions[0].event == EffectAside("k", "busy")
    assert tally.admissions[0].origin == f"{CHAIN}/1/0/aside"


def test_a_neighbour_that_names_a_pause_is_obeyed() -> None:
    post = Post()
    letter = post.order(LATER)
    post.at(0)
    post.failed(letter, asked=30 * SECOND)
    assert post.at(30 * SECOND - 1) == []
    assert post.at(30 * SECOND) == [letter]
    post.failed(letter, asked=1)
    assert post.outbox.next_wake() == 32 * SECOND


def test_a_newer_state_replaces_an_unsent_older_one() -> None:
    post = Post()
    post.outbox.block("lane")
    old = post.order(LATER, supersedes=True)
    other = post.order(LATER)  # not a state: stays
    new = post.order(LATER, supersedes=True)
    assert post.done() == [(old, "superseded")]
    post.outbox.unblock("lane")
    assert post.at(0) == [other]
    post.sent(other)
    assert post.at(0) == [new]


def test_one_that_is_being_sent_is_not_replaced() -> None:
    post = Post()
    old = post.order(LATER, supersedes=True)
    assert post.at(0) == [old]
    new = post.order(LATER, supersedes=True)
    assert post.done() == []
    post.sent(old)
    assert post.at(0) == [new]


def test_one_that_failed_while_a_newer_one_came_is_replaced() -> None:
    """Else an old card would be tried for hours and keep the new one back."""
    post = Post()
    old = post.order(LATER, supersedes=True)
    assert post.at(0) == [old]
    new = post.order(LATER, supersedes=True)
    post.failed(old)
    assert post.done() == [(old, "superseded")]
    assert post.at(0) == [new]


def test_a_closed_key_does_not_end_a_letter() -> None:
    post = Post()
    letter = post.order(LATER)
    post.outbox.close("k", Instant(0))
    assert post.at(0) == [letter]


# --- lanes --------------------------------------------------------------------------------------------------------


def test_nothing_of_a_blocked_lane_starts_and_others_do() -> None:
    post = Post()
    post.outbox.block("a")
    one, two = post.order(LATER, "1", lane="a"), post.order(LATER, "2", lane="b")
    assert post.at(0) == [two]
    assert post.outbox.lanes() == {"a": 1, "b": 1}
    post.outbox.unblock("a")
    assert post.at(0) == [one]
    assert [order.id for order in post.outbox.waiting()] == [one, two]


def test_what_was_under_way_when_its_lane_was_blocked_comes_again_after() -> None:
    post = Post()
    one = post.order(TRUE)
    assert post.at(0) == [one]
    post.outbox.block("lane")
    post.failed(one)
    assert post.at(SECOND) == []
    post.outbox.unblock("lane")
    assert post.at(SECOND) == [one]


# --- notes --------------------------------------------------------------------------------------------------------


def test_notes_that_could_not_be_written_come_again_in_order() -> None:
    post = Post()
    one, two = post.order(LATER, "1"), post.order(LATER, "2")
    post.at(0)
    post.sent(one)
    tally = post.outbox.collect()
    assert post.outbox.knows(two)
    assert not post.outbox.knows(one)
    post.sent(two)
    post.outbox.give_back(tally)
    assert post.outbox.knows(one)
    assert post.done() == [(one, "sent"), (two, "sent")]


@pytest.mark.parametrize("report", ["sent", "failed", "refused"])
def test_reports_about_what_is_unknown_or_over_are_ignored(report: str) -> None:
    post = Post()
    one = post.order(LATER)
    post.at(0)
    post.sent(one)
    post.outbox.collect()
    getattr(post, report)(one)
    getattr(post, report)(("nobody", 1, 0))
    tally = post.outbox.collect()
    assert (tally.done, tally.aside, tally.admissions) == ([], [], [])


# --- drafts -------------------------------------------------------------------------------------------------------


def settled(*steps: tuple[list[Order], list[str]]) -> Draft:
    """A draft of records with these orders and closed keys."""
    draft = Draft(Instant(0))
    for number, (orders, closed) in enumerate(steps, 1):
        draft.batch.records.append(record(CHAIN, number, orders=tuple(orders)))
        draft.closed.extend(closed)
        draft.closers.extend([number - 1] * len(closed))
    return draft


def test_a_draft_is_taken_in_as_if_each_record_came_alone() -> None:
    """A key that is closed and then used again in one batch: the later order lives."""
    post = Post()
    under_way = post.order(TRUE, "a")
    before, again = post.make(TRUE, "a"), post.make(TRUE, "a")
    draft = settled(([before], []), ([], ["a"]), ([again], []))
    draft.batch.done = post.outbox.ended_by(draft)
    assert draft.batch.done == [(under_way, "confirmed"), (before.id, "confirmed")]
    post.outbox.take_in(draft, Instant(0))
    assert post.done() == []  # they were noted in the draft's own transaction
    assert post.at(0) == [again.id]


def test_what_it_wants_admitted_is_collected_in_parts() -> None:
    post = Post()
    dropped = [post.order(NOW, f"k{number}", best_before=Instant(1)) for number in range(5)]
    assert post.at(2) == []
    parts = [post.outbox.collect(2), post.outbox.collect(2), post.outbox.collect(2)]
    assert [len(part.admissions) for part in parts] == [2, 2, 1]
    assert [admission.origin for part in parts for admission in part.admissions] == [
        f"{chain}/{sequence}/{index}/dropped" for chain, sequence, index in dropped
    ]
    assert [order for order, _ in parts[0].done] == dropped  # marks need no step: all at once
    assert not post.outbox.tally.urgent()


def test_an_order_and_the_end_of_what_it_waits_for_in_one_record() -> None:
    post = Post()
    ring = post.make(NOW, "b", after="a", best_before=Instant(SECOND))
    post.outbox.take_in(settled(([ring], ["a"])), Instant(0))
    assert post.at(0) == [ring.id]


def test_letters_and_rings_being_sent_are_not_ended_by_a_draft() -> None:
    post = Post()
    ring = post.order(NOW, "a", best_before=Instant(SECOND))
    assert post.at(0) == [ring]
    letter = post.make(LATER, "a")
    draft = settled(([letter], []), ([], ["a"]))
    assert post.outbox.ended_by(draft) == []
    post.outbox.take_in(draft, Instant(0))
    post.sent(ring)
    assert post.done() == [(ring, "sent")]
    assert post.at(0) == [letter.id]
