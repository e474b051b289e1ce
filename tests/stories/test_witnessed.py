"""Witness: the PBX hunts by itself; the server follows who was rung and who answered. Nobody is ordered."""

from router.chains.call_states import Followed, Talking
from router.chains.enquiry import Outcome
from router.chains.events import Disposition, LegAnswered, LegRinging, Party, TalkConfirmed, TalkStarted
from tests.stories.play import Play, filed, office
from tests.stories.stage import Timers


def witness(*, can_look: bool = True, timers: Timers = "pbx") -> Play:
    return office(timers=timers, able={"style": "witness", "can_look": can_look})


def test_it_follows_who_was_rung_and_who_answered() -> None:
    play = (
        witness()
        .calls().is_now(Followed).holds()
        .waits(1).pbx_rings("101", "w-1")
        .waits(7).pbx_says_over("101", leg="w-1").pbx_rings("102", "w-2").hops("anna", "boris").holds()
        .waits(2).picks_up_at("102", "w-2").is_now(Talking).shows("verdict_asked", to="boris", extension="102")
        .talks("boris", "102").shows_nothing().holds("boris")
        .waits(60).looks()
        .waits(10).talk_ends(Party.HEAD).pbx_says_over("102", Disposition.COMPLETED, "w-2").hangs_up()
        .is_over(Outcome.ANSWERED, Party.HEAD, "boris").owes_nothing().holds().is_final().asks_nothing()
        .marks("boris", "spam").says("marked").shows("marked", to="boris", verdict="spam")
    )  # fmt: skip
    assert [(hop.person, hop.how) for hop in filed(play).hops] == [
        ("anna", Disposition.NO_ANSWER), ("boris", None),
    ]  # fmt: skip


def test_a_pbx_without_leg_ids_is_followed_by_its_phones() -> None:
    (
        witness()
        .calls().pbx_rings("101").pbx_rings("102").hops("anna", "boris")
        .waits(4).pbx_says_over("101", Disposition.DECLINED)
        .waits(1).pbx_rings("101").hops("anna", "boris", "anna")
        .picks_up_at("102").is_now(Talking).shows("verdict_asked", to="boris")
        .waits(3).pbx_says_over("102", Disposition.COMPLETED)
        .is_over(Outcome.ANSWERED, person="boris").holds().is_final()
    )  # fmt: skip


def test_all_phones_at_once_and_only_who_picked_up_is_asked_for_a_verdict() -> None:
    play = (
        witness()
        .calls().pbx_rings("101", "a").pbx_rings("102", "b").pbx_rings("103", "c")
        .waits(5).picks_up_at("103", "c").shows("verdict_asked", to="clara")
        .pbx_says_over("101", Disposition.ELSEWHERE, "a").pbx_says_over("102", Disposition.ELSEWHERE, "b")
        .is_now(Talking).holds("clara").shows_nothing()
    )  # fmt: skip
    hows = {hop.person: hop.how for hop in filed(play).hops}
    assert hows == {"anna": Disposition.ELSEWHERE, "boris": Disposition.ELSEWHERE, "clara": None}


def test_nobody_answers_and_a_call_back_is_owed() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a").waits(20).pbx_says_over("101", leg="a")
        .waits(5).hangs_up().is_over(Outcome.CALLER_LEFT, Party.CALLER).owes().is_final().asks_nothing()
    )  # fmt: skip


def test_an_extension_that_is_nobodys_is_shown_and_not_guessed() -> None:
    (
        witness()
        .calls().pbx_rings("777", "q")
        .waits(2).picks_up_at("777", "q").is_now(Talking).holds()
        .shows("unknown_answerer", extension="777")
        .waits(5).talk_ends().is_over(Outcome.ANSWERED, person="")
    )  # fmt: skip


def test_a_talk_that_names_nobody_is_not_given_to_whoever_rang_last() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a")
        .fact(TalkStarted("", "")).is_now(Talking).shows("unknown_answerer")
    )  # fmt: skip


def test_a_talk_of_a_leg_that_was_never_told_is_known_by_its_extension() -> None:
    witness().calls().fact(LegAnswered("z-9", "104")).shows("verdict_asked", to="dima").holds("dima")


def test_two_who_answered_are_a_contradiction() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a").pbx_rings("102", "b")
        .picks_up_at("101", "a").shows("verdict_asked", to="anna")
        .picks_up_at("102", "b").shows("two_answerers", people="anna,boris")
    )  # fmt: skip


def test_the_leg_says_anna_and_the_extension_says_boris() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a")
        .picks_up_at("102", "a").shows("verdict_asked", to="boris")  # the phone that was picked up counts
        .fact(TalkConfirmed("a", "101")).shows("two_answerers", people="anna,boris")
    )  # fmt: skip


def test_a_busy_phone_that_never_rang_is_among_those_who_were_rung() -> None:
    play = witness().calls().pbx_says_over("101", Disposition.BUSY, "a").hops("anna")
    assert filed(play).hops[0].rang is None
    play.pbx_rings("101", "a").hops("anna")  # the ring is told late: it is over


def test_an_answer_told_after_the_end_proves_the_call_answered() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a").hangs_up().owes()
        .picks_up_at("101", "a").is_over(Outcome.ANSWERED, person="anna").owes_nothing()
    )  # fmt: skip


def test_a_phone_that_rings_takes_nobody_from_another_call_but_a_talk_does() -> None:
    play = witness().calls("c1").pbx_rings("101", "a").picks_up_at("101", "a").holds("anna")
    play.calls("c2").pbx_rings("101", "b").holds()
    play.on("c1").holds("anna")
    play.on("c2").picks_up_at("101", "b").holds("anna")
    play.on("c1").holds()


def test_a_pbx_that_cannot_be_asked_is_not() -> None:
    witness(can_look=False).calls().picks_up_at("101", "a").waits(120).asks_nothing().is_now(Talking)


def test_a_talk_is_over_of_which_nothing_was_told() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a").talk_ends(Party.CALLER)
        .is_over(Outcome.ANSWERED, person="").shows("unknown_answerer")
    )  # fmt: skip


def test_its_own_plan_has_the_caller_and_tells_what_became_of_him() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a").fallback_took().record("200")
        .is_over(Outcome.FALLBACK_SERVED).owes_nothing()
    )  # fmt: skip


def test_nothing_heard_for_ten_minutes_is_no_service() -> None:
    (
        witness()
        .calls().pbx_rings("101", "a").until(599).is_now(Followed)
        .until(600).is_over(Outcome.INCOMPLETE).owes().is_final()
    )  # fmt: skip


def test_rings_told_before_the_arrival_do_no_harm() -> None:
    witness().fact(LegRinging("a", "101")).calls().pbx_rings("102", "b").hops("boris")


def test_who_owns_the_timer_may_be_open() -> None:
    witness(timers="none").calls().pbx_rings("101", "a").until(120).is_now(Followed).hops("anna")
