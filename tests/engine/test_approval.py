"""Stories of the second machine on the real core and a real journal: claims, waits, timers, messages, effects."""

import pytest

from router.basis.instants import SECOND, Instant
from router.basis.machine import ClaimLost, DeadlineReached
from router.engine.core import Admission, ClaimConflict
from router.engine.journal import Refused
from tests.engine.approval import (
    ClerkAnswered,
    ClerkSeenWorking,
    LightIsOff,
    ManagerAnswered,
    Over,
    RingBell,
    SendLetter,
    SwitchOff,
    WaitingForClerk,
    WithClerk,
    Withdrawn,
    WithManager,
)
from tests.engine.bench import T0, Bench, holders, queue_of, request, snapshot
from tests.engine.ledger import LEDGER, CameBack, Entry, WentHome
from tests.engine.quirks import Alarm, Explode, ExplodeLate, Grab, Loop, Small, Tell
from tests.engine.values import ANNA, BORIS, Terms

ONE_CLERK = Terms(clerks=(ANNA,))
ODD = "quirk:test:odd"


def test_a_request_is_approved_in_two_steps_and_booked() -> None:
    bench = Bench()
    assert bench.file("a", 500).reply == "filed"
    assert bench.new_effects() == [
        RingBell(request("a"), 1, ANNA, Instant(T0 + 3 * SECOND)),
        SendLetter(request("a"), 1, f"asked {ANNA}"),
    ]
    bench.wait(30)
    assert bench.say(request("a"), ClerkAnswered(ANNA, True)).reply == "noted"
    assert bench.new_effects() == [SwitchOff(request("a"), 1), SendLetter(request("a"), 2, "for the manager")]
    assert holders(bench.core) == {}
    bench.say(request("a"), LightIsOff(1), ManagerAnswered(True))
    assert bench.state("a") == Over(request("a"), "approved", 500, 1)
    assert bench.state(LEDGER).total == 500
    assert bench.heard(request("a")) == ["Filed", "ClerkAnswered", "LightIsOff", "ManagerAnswered", "Booked"]


def test_message_answer_and_question_are_one_transaction() -> None:
    bench = Bench()
    bench.file("a", 500)
    bench.say(request("a"), ClerkAnswered(ANNA, True), ManagerAnswered(True))
    last = bench.drafts[-1].batch.records
    assert [(record.chain, record.source) for record in last] == [
        (request("a"), "test"),
        (LEDGER, f"chain:{request('a')}"),
        (request("a"), f"chain:{LEDGER}"),
    ]
    assert [record.origin for record in last] == [None, f"{request('a')}/3/m0", f"{LEDGER}/1/m0"]


def test_reminder_then_let_go_then_the_next_clerk() -> None:
    bench = Bench()
    bench.file("a")
    bench.new_effects()
    bench.wait(60)
    assert bench.new_effects() == [SendLetter(request("a"), 2, "clerk, please")]
    bench.wait(119.999999)
    assert bench.new_effects() == []
    bench.wait(0.000001)
    bell = RingBell(request("a"), 2, BORIS, Instant(T0 + 183 * SECOND), behind=1)
    assert bench.new_effects() == [SwitchOff(request("a"), 1), bell, SendLetter(request("a"), 3, f"asked {BORIS}")]
    assert holders(bench.core) == {BORIS: request("a")}


def test_it_expires_at_its_own_instant_whoever_has_it() -> None:
    bench = Bench()
    bench.file("a")
    bench.say(request("a"), ClerkAnswered(ANNA, True))
    bench.wait(899.999999)
    assert isinstance(bench.state("a"), WithManager)
    bench.wait(0.000001)
    assert bench.state("a") == Over(request("a"), "expired", 100)
    assert len(bench.core.timer) == 0


def test_a_stale_deadline_is_ignored() -> None:
    bench = Bench()
    bench.file("a")
    before = bench.state("a")
    bench.say(request("a"), DeadlineReached(Instant(T0 + 59 * SECOND)), DeadlineReached(Instant(T0 + 900)))
    assert bench.state("a") == before
    assert bench.core.timer.next() == T0 + 60 * SECOND


def test_time_never_goes_back_within_a_chain() -> None:
    bench = Bench()
    bench.wait(10)
    bench.file("a")
    late = bench.core.prepare([Admission(request("a"), Withdrawn(), "test")], T0)
    assert late.batch.records[0].at == T0 + 10 * SECOND


# --- claims and waits -------------------------------------------------------------------------------------------------


def test_waiters_are_served_by_rank_then_age() -> None:
    bench = Bench()
    bench.file("first", terms=ONE_CLERK)
    for name, rank in (("old", 1), ("older", 1), ("urgent", 0), ("later", 1)):
        bench.file(name, terms=ONE_CLERK, rank=rank)
        bench.wait(1)
    assert queue_of(bench.core, ANNA) == [request(name) for name in ("urgent", "old", "older", "later")]
    for name, following in (("first", "urgent"), ("urgent", "old"), ("old", "older"), ("older", "later")):
        bench.say(request(name), ClerkAnswered(ANNA, False))
        assert holders(bench.core) == {ANNA: request(following)}
        assert bench.heard(request(following))[-1] == "Granted"
        assert bench.journal.claims().keys() == {ANNA}


def test_a_declined_grant_goes_to_the_next_in_the_same_transaction() -> None:
    bench = Bench()
    bench.file("first", terms=ONE_CLERK)
    bench.file("shy", terms=ONE_CLERK, shy=1)
    bench.wait(1)
    bench.file("next", terms=ONE_CLERK)
    bench.say(request("first"), ClerkAnswered(ANNA, False))
    assert [record.chain for record in bench.drafts[-1].batch.records] == [
        request("first"), request("shy"), request("next"),
    ]  # fmt: skip
    assert holders(bench.core) == {ANNA: request("next")} == {k: c for k, (c, _) in bench.journal.claims().items()}
    bench.say(request("next"), Withdrawn())
    assert holders(bench.core) == {ANNA: request("shy")}


def test_a_key_that_everybody_declines_is_free() -> None:
    bench = Bench()
    bench.file("first", terms=ONE_CLERK)
    bench.file("shy", terms=ONE_CLERK, shy=1)
    bench.say(request("first"), ClerkAnswered(ANNA, False))
    assert holders(bench.core) == {} == bench.journal.claims()
    assert isinstance(bench.state("shy"), WaitingForClerk)


def test_two_keys_freed_at_once_are_not_both_given_to_one_waiter() -> None:
    bench = Bench()
    bench.file("a")
    bench.file("b")
    bench.file("waits")
    bench.wait(1)
    bench.file("too")
    bench.admit(
        Admission(request("a"), Withdrawn(), "test"),
        Admission(request("b"), Withdrawn(), "test"),
    )
    assert holders(bench.core) == {ANNA: request("waits"), BORIS: request("too")}


def test_a_clerk_who_comes_back_is_given_to_the_waiter() -> None:
    bench = Bench()
    bench.say(f"staff:office:{ANNA}", WentHome(ANNA))
    bench.file("a", terms=ONE_CLERK)
    assert isinstance(bench.state("a"), WaitingForClerk)
    bench.say(f"staff:office:{ANNA}", CameBack(ANNA))
    assert holders(bench.core) == {ANNA: request("a")}
    bench.say(f"staff:office:{ANNA}", CameBack(ANNA))  # said twice while she is held: nothing
    assert holders(bench.core) == {ANNA: request("a")}


def test_a_fact_seizes_the_claim_and_the_loser_hears_of_it() -> None:
    bench = Bench()
    bench.file("a", terms=ONE_CLERK)
    bench.file("b", terms=Terms(clerks=(BORIS,)))
    bench.say(request("b"), ClerkSeenWorking(ANNA))
    assert holders(bench.core) == {ANNA: request("b")}
    assert {key: chain for key, (chain, _) in bench.journal.claims().items()} == {ANNA: request("b")}
    assert isinstance(bench.state("a"), WaitingForClerk)
    lost = bench.history(request("a"))[-1]
    assert (lost.source, lost.event) == (
        f"chain:{request('b')}",
        bench.core.codec.encode(ClaimLost(ANNA, request("b"))),
    )


def test_a_late_grant_is_passed_on() -> None:
    """The waiter is withdrawn in the batch in which the key becomes free, just before and just after."""
    for order in (("holder", "first"), ("first", "holder")):
        bench = Bench()
        for name in ("holder", "first", "second"):
            bench.file(name, terms=ONE_CLERK)
        bench.admit(*(Admission(request(name), Withdrawn(), "test") for name in order))
        assert holders(bench.core) == {ANNA: request("second")}


def test_claiming_without_looking_fails_alone() -> None:
    bench = Bench()
    bench.file("a", terms=ONE_CLERK)
    before = snapshot(bench.core)
    answers = bench.admit(Admission(ODD, Grab(ANNA), "test"), Admission(request("b"), bench.filed("b"), "test"))
    assert isinstance(answers[0].error, ClaimConflict)
    assert answers[1].reply == "filed"
    assert bench.state("a") == before["live"][request("a")][1]
    assert holders(bench.core) == {ANNA: request("a"), BORIS: request("b")}


# --- twins, failures, refusals ----------------------------------------------------------------------------------------


def test_a_twin_changes_nothing_and_gets_the_first_reply() -> None:
    bench = Bench()
    first = bench.say(ODD, Small("x"), origin="d1")
    before = snapshot(bench.core)
    second = bench.say(ODD, Small("y"), origin="d1")
    assert (first.reply, first.twin) == ("heard x", False)
    assert (second.reply, second.twin) == ("heard x", True)
    assert snapshot(bench.core) == before
    again = bench.restart().say(ODD, Small("z"), origin="d1")
    assert (again.reply, again.twin) == ("heard x", True)


def test_twins_in_one_batch() -> None:
    bench = Bench()
    answers = bench.admit(*(Admission(ODD, Small(name), "test", origin="same") for name in "abc"))
    assert [(answer.reply, answer.twin) for answer in answers] == [("heard a", False), *[("heard a", True)] * 2]
    assert bench.state(ODD).heard == ("a",)


@pytest.mark.parametrize("bad", [Explode(), ExplodeLate(), Grab(ANNA), Loop(ODD)])
def test_a_failing_event_leaves_no_trace_and_the_others_go_through(bad: Explode | ExplodeLate | Grab | Loop) -> None:
    bench = Bench()
    bench.file("a", terms=ONE_CLERK)
    bench.say(ODD, Small("x"))
    answers = bench.admit(
        Admission(request("b"), bench.filed("b"), "test", origin="b"),
        Admission(
            ODD, bad, "test", origin="bad", personal={"name": ("name", "Ivan")} if isinstance(bad, Small) else {}
        ),
        Admission(ODD, Small("y"), "test", origin="y"),
    )
    assert [answer.error is None for answer in answers] == [True, False, True]
    assert bench.state(ODD).heard == ("x", "y")
    assert bench.heard(ODD) == ["Small", "Small"]
    assert bench.say(ODD, Small("z"), origin="bad").twin is False  # its origin was not remembered either


def test_follow_ups_without_end_are_detected() -> None:
    bench = Bench()
    (answer,) = bench.admit(Admission(ODD, Loop(ODD), "test"))
    assert isinstance(answer.error, RuntimeError)
    assert "events follow from one Loop" in str(answer.error)
    assert ODD not in bench.core.live
    assert bench.log() == []


def test_a_message_whose_receiver_fails_takes_its_sender_with_it() -> None:
    bench = Bench()
    answers = bench.admit(
        Admission(ODD, Tell((("quirk:test:b", Small("ok")), ("nobody:test:x", Small("lost")))), "test")
    )
    assert isinstance(answers[0].error, KeyError)
    assert bench.core.live == {}
    bench.say(ODD, Tell((("quirk:test:b", Small("one")), ("quirk:test:b", Small("two")))))
    assert bench.state("quirk:test:b").heard == ("one", "two")


def test_a_message_to_a_chain_that_is_not_in_memory_finds_it_in_the_journal() -> None:
    bench = Bench()
    bench.file("a")
    bench.say(request("a"), Withdrawn())
    bench = bench.restart()
    assert request("a") not in bench.core.live
    bench.say(ODD, Tell((("quirk:test:new", Small("hello")),)))
    bench.say("ledger:office:book", _entry("a"))  # the answer goes to a request that is over
    assert bench.heard(request("a"))[-1] == "Booked"


def _entry(name: str) -> Entry:
    return Entry(request(name), 1)


def test_what_the_store_refuses_fails_alone() -> None:
    bench = Bench()
    bench.file("a")
    bench.refuse = [Refused({1: "sequence"})]
    answers = bench.admit(
        Admission(request("b"), bench.filed("b"), "test"),
        Admission(request("a"), ClerkAnswered(ANNA, True), "test"),
        Admission(request("c"), bench.filed("c"), "test"),
    )
    assert isinstance(answers[1].error, Refused)
    assert [answer.reply for answer in answers] == ["filed", None, "filed"]
    assert isinstance(bench.state("a"), WithClerk)
    assert isinstance(bench.state("c"), WaitingForClerk)


def test_the_guilty_is_found_although_one_before_it_failed_half_way() -> None:
    """The first sends one message that is taken and one that is not: its records go, and with them their owners."""
    bench = Bench()
    bench.refuse = [Refused({1: "sequence"})]
    half_way = Tell((("quirk:test:b", Small("taken")), ("nobody:test:x", Small("lost"))))
    answers = bench.admit(
        Admission(ODD, half_way, "test"),
        Admission("quirk:test:c", Small("good"), "test"),
        Admission("quirk:test:d", Small("refused"), "test"),
        Admission("quirk:test:e", Small("good"), "test"),
    )
    assert [type(answer.error) for answer in answers] == [KeyError, type(None), Refused, type(None)]
    assert set(bench.core.live) == {"quirk:test:c", "quirk:test:e"}
    assert (bench.drafts[-1].closed, bench.drafts[-1].closers) == ([], [])


def test_revoking_leaves_no_trace() -> None:
    bench = Bench()
    bench.file("a", terms=ONE_CLERK)
    bench.file("shy", terms=ONE_CLERK, shy=1)
    bench.file("waits", terms=ONE_CLERK)
    bench.say(ODD, Small("x"))
    bench.wait(30)
    filed = bench.filed("new")  # pins its terms, which is no part of the batch
    before = snapshot(bench.core)
    bench.core.warm([request("new"), LEDGER], [])
    draft = bench.core.prepare(
        [
            Admission(request("new"), filed, "test", "n", personal={"asker": ("name", "Ivan")}),
            Admission(request("a"), ClerkAnswered(ANNA, True), "test", "1"),
            Admission(request("a"), ManagerAnswered(True), "test", "2"),
            Admission(request("waits"), ClerkSeenWorking(BORIS), "test", "3"),
            Admission(ODD, Explode(), "test", "4"),
            Admission(ODD, Small("y"), "test", "5"),
        ],
        bench.clock.now(),
    )
    assert len(draft.batch.records) >= 7
    assert draft.batch.secrets
    bench.core.revoke(draft)
    assert snapshot(bench.core) == before
    bench.file("new")
    assert bench.core.vault.value("t_1") is None


def test_a_failed_deadline_is_not_due_again_at_once() -> None:
    """Else a mistake in one machine would keep the whole engine busy; the auditor finds the chain."""
    bench = Bench()
    bench.say(ODD, Alarm(Instant(T0 + SECOND), explodes=True))
    bench.clock.advance_to(Instant(T0 + 2 * SECOND))
    assert isinstance(bench.fire()[0].error, TypeError)
    assert bench.core.due(bench.clock.now(), lambda live: False) == []
    assert bench.journal.connection.execute("SELECT deadline FROM chain").fetchall() == [(T0 + SECOND,)]


@pytest.mark.parametrize("text", ["nul\x00", "bytes\udce9"])
def test_text_that_no_store_can_hold_fails_alone(text: str) -> None:
    bench = Bench()
    good = Admission(ODD, Small("x"), "test", origin="o")
    for bad in (
        Admission(ODD, Small("y"), "test", origin=text),
        Admission(ODD, Small("y"), text),
        Admission(f"quirk:test:{text}", Small("y"), "test"),
        Admission(request("p"), bench.filed("p"), "test", personal={"asker": ("name", text)}),
    ):
        answers = bench.admit(bad, good)
        assert isinstance(answers[0].error, ValueError)
        assert answers[1].error is None
    assert bench.say(ODD, Small("Ы"), origin="причина").error is None
