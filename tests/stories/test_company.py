"""What the company has written down: several phones of one head, hours, absences, whose client somebody is."""

from collections.abc import Callable
from typing import Any

import msgspec

from router.basis.calendar import Calendar
from router.basis.clients import Client, ClientKind
from router.basis.instants import SECOND
from router.basis.people import MOBILE, Absence, Device, Directory
from router.chains.call_states import HandedOver, Ringing, Waiting
from router.chains.events import Disposition, FallbackServed, LegRinging
from tests.chains.history import english
from tests.stories.play import Play, office
from tests.stories.stage import LINE, T0

ANNAS_MOBILE = "901"


def person(person_id: str, **changes: Any) -> Callable[[Directory], Directory]:
    """The company with one person changed."""

    def changed(directory: Directory) -> Directory:
        people = tuple(
            msgspec.structs.replace(one, **changes) if one.id == person_id else one for one in directory.people
        )
        return msgspec.structs.replace(directory, people=people)

    return changed


def with_mobile(**changes: Any) -> Callable[[Directory], Directory]:
    """Anna has a desk phone 101 and a mobile over a trunk."""
    mobile = msgspec.structs.replace(MOBILE, extension=ANNAS_MOBILE, press_1=False, **changes)
    return person("anna", extensions=("101", ANNAS_MOBILE), devices=(mobile,))


def two_phones(**terms: float | str) -> Play:
    """The call rings at both of anna's phones; the desk phone until 8, the mobile until it has rung 8 s, at most 12."""
    play = office("anna boris", company=with_mobile(), **terms)  # type: ignore[arg-type]
    play.stage.toy.silent = {ANNAS_MOBILE}
    return play.calls().rings("anna", until=8).rings_at(ANNAS_MOBILE, until=12)


# --- several phones --------------------------------------------------------------------------------------------------


def test_both_phones_ring_and_the_offer_lasts_as_long_as_the_longer() -> None:
    two_phones().until(8).stops("anna").is_now(Ringing).holds("anna").until(12).stops("anna").rings("boris", until=20)


def test_a_mobile_counts_from_its_first_ring() -> None:
    play = two_phones().waits(3)
    play.fact(LegRinging("c1.h2")).until(8).stops("anna").until(11).stops("anna").rings("boris", until=19)


def test_picked_up_at_one_phone_the_other_falls_silent() -> None:
    play = two_phones().waits(3).fact(LegRinging("c1.h2")).waits(1)
    play.answers_at("c1.h2").connects_leg("c1.h2").stops("anna", "elsewhere").talks("anna", ANNAS_MOBILE)
    play.holds("anna").shows("verdict_asked", to="anna", extension=ANNAS_MOBILE)


def test_declined_at_one_phone_is_declined_at_all() -> None:
    play = two_phones().waits(2)
    play.ends_leg("c1.h1", Disposition.DECLINED).stops("anna", "elsewhere").rings("boris", until=10)


def test_a_busy_phone_leaves_the_other_ringing() -> None:
    two_phones().waits(2).ends_leg("c1.h1", Disposition.BUSY).asks_nothing().is_now(Ringing).holds("anna").until(
        12
    ).stops("anna").rings("boris")


def test_a_phone_that_cannot_be_reached_is_left_out() -> None:
    play = office("anna boris", company=with_mobile()).device("anna", reachable=False)
    play.calls().rings_at(ANNAS_MOBILE, until=8).holds("anna").asks_nothing()


def test_what_is_told_of_two_phones() -> None:
    said = english(two_phones().until(8).stops("anna"))
    assert said[1] == "1. anna, from 0 s: 8 s, no answer (start of the list)."
    assert said[2] == "2. anna, from 0 s: ringing (another phone of his; extension 901)."


def test_a_single_mobile() -> None:
    mobile = Device("101", "mobile", "ringing")
    play = office("anna boris", company=person("anna", devices=(mobile,)))
    play.stage.toy.silent = {"101"}
    play.calls().rings("anna", until=12, timed_by_pbx=False).waits(1).phone_rings("anna").until(9).stops("anna")
    play.rings("boris", until=17)


# --- hours and absences ----------------------------------------------------------------------------------------------

WORKDAYS = Calendar("office", monday=("09:00-18:00",), tuesday=("09:00-18:00",), holidays="RU")


def open_hours(directory: Directory) -> Directory:
    """The chain serves on working days from nine to six."""
    chains = tuple(msgspec.structs.replace(chain, calendar="office") for chain in directory.chains)
    return msgspec.structs.replace(directory, chains=chains, calendars=(WORKDAYS,))


def test_out_of_hours_nobody_is_rung_and_the_client_is_called_back() -> None:
    """T0 is 1 January, 03:00 in Moscow."""
    play = office("anna", company=open_hours).calls().hands_over().is_now(HandedOver).fallback_took()
    play.fact(FallbackServed(LINE, "t_1", T0, "", 0, "sent")).owes()
    assert "Out of hours: nobody is rung." in english(play)[0]


def test_on_the_first_working_day_they_are() -> None:
    play = office("anna", company=open_hours)
    # Monday, 12 January 2026, 10:00 in Moscow: the holidays are over
    play.stage.run_to(type(T0)(T0 + (11 * 24 + 7) * 3600 * SECOND))
    play.calls().rings("anna")


def test_a_head_on_leave_is_passed_over_and_it_is_told_until_when() -> None:
    leave = Absence("2025-12-30", "2026-01-08", "leave")
    play = office("anna boris", company=person("anna", absences=(leave,))).calls().rings("boris")
    assert "anna: on leave until 09.01. 00:00" in english(play)[1]


def test_everybody_is_off_and_nobody_is_waited_for() -> None:
    sick = Absence("2025-12-30", "", "sick")
    office("anna", company=person("anna", absences=(sick,))).calls().hands_over()


def test_a_head_whose_leave_ends_in_the_window_is_rung_then() -> None:
    leave = Absence("2025-12-30", "2026-01-01T03:00:20", "leave")
    play = office("anna boris", company=person("anna", absences=(leave,))).goes_away("boris").calls()
    play.is_now(Waiting).until(20).rings("anna", until=28)


# --- whose client he is ----------------------------------------------------------------------------------------------


def known(play: Play, client: Client, caller: str = "+79990001122") -> Play:
    """The client book has him, by the token of his number."""
    token = play.stage.core.vault.token("phone", caller, [], [])
    play.stage.office.book.put(msgspec.structs.replace(client, phones=(token,)))
    return play


def test_the_person_responsible_is_first() -> None:
    play = known(office("anna boris clara"), Client("c-1", responsible="clara")).calls().rings("clara", until=8)
    play.until(8).stops("clara").rings("anna")
    assert "(responsible for the client)" in english(play)[1]


def test_the_person_responsible_may_be_nobody_of_the_list() -> None:
    known(office("anna boris"), Client("c-1", responsible="elena")).calls().rings("elena").waits(1).declines(
        "elena"
    ).rings("anna")


def test_who_left_the_company_is_not_rung() -> None:
    known(office("anna"), Client("c-1", responsible="zoe")).calls().rings("anna")


def test_a_client_with_priority_is_served_before_others_who_wait() -> None:
    play = known(office("anna"), Client("c-1", kind=ClientKind.CLIENT, priority=5), "+79990009999")
    play.calls("c1", caller="").rings("anna").answers("anna").connects("anna").talks("anna").waits(1)
    play.calls("c2", caller="").is_now(Waiting).waits(1).calls("c3", caller="+79990009999").is_now(Waiting)
    play.on("c1").talk_ends().stops("anna").releases().on("c3").rings("anna").on("c2").is_now(Waiting)
