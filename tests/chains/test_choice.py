"""The rule of who is next, each line of it alone."""

import msgspec
import pytest

from router.basis.instants import SECOND, Instant
from router.basis.pinned import Pinned
from router.chains.choice import Sight, choose, in_order, obstacle
from router.chains.enquiry import File, Hop
from router.chains.events import Disposition
from router.chains.terms import OnListEnd, Plan, Seat, Terms

SEATS = tuple(Seat(person, str(101 + index)) for index, person in enumerate(("anna", "boris", "clara")))


def second(value: float) -> Instant:
    return Instant(round(value * SECOND))


def hop(
    person: str, start: float, ended: float, how: Disposition = Disposition.NO_ANSWER, *, in_turn: bool = True
) -> Hop:
    return Hop(
        1, person, "x", f"leg-{person}-{start}", second(start), second(start + 8), False, second(start), in_turn,
        ended=second(ended), how=how,
    )  # fmt: skip


def file(*hops: Hop, seats: tuple[Seat, ...] = SEATS, wants: tuple[str, ...] = (), **terms: object) -> File:
    plan = Pinned("hash", Plan("sales", msgspec.structs.replace(Terms(), **terms), seats))
    return File("c1", "pbx", "1", "", None, second(0), plan, hops, wants=wants)


def chosen(papers: File, at: float, *sights: Sight) -> str | None:
    seat = choose(papers, sights, second(at)).seat
    return seat.person if seat else None


def test_in_list_order_on_from_the_last() -> None:
    assert chosen(file(), 0) == "anna"
    assert chosen(file(hop("anna", 0, 8)), 8) == "boris"
    assert chosen(file(hop("anna", 0, 8), hop("boris", 8, 16), hop("clara", 16, 24)), 24) == "anna"


def test_somebody_who_left_the_list_does_not_stop_it() -> None:
    assert chosen(file(hop("zoe", 0, 8)), 8) == "anna"


@pytest.mark.parametrize("why", ["claimed", "in_call", "away", "unreachable"])
def test_who_cannot_now_is_passed_over(why: str) -> None:
    assert chosen(file(), 0, Sight("anna", why)) == "boris"


def test_for_whom_to_wait() -> None:
    sights = (Sight("anna", "claimed", "call:pbx:c9"), Sight("boris", "away"), Sight("clara", "unreachable"))
    choice = choose(file(), sights, second(0))
    assert choice.seat is None
    assert choice.keys == ("person:anna", "state:boris", "state:clara")
    assert not choice.over


def test_all_away_at_the_beginning_is_the_end() -> None:
    sights = tuple(Sight(seat.person, "away") for seat in SEATS)
    assert choose(file(), sights, second(0)).over
    assert not choose(file(hop("anna", 0, 8)), sights, second(8)).over  # he has heard ringing: somebody may come back


@pytest.mark.parametrize("how", [Disposition.BUSY, Disposition.FAILED, Disposition.ELSEWHERE, Disposition.COMPLETED])
def test_the_rest_of_ten_seconds_is_exact(how: Disposition) -> None:
    papers = file(hop("anna", 0, 1, how), seats=SEATS[:1])
    assert chosen(papers, 10.999999) is None
    assert choose(papers, (), second(5)).wake == second(11)
    assert chosen(papers, 11) == "anna"


def test_decliners_come_last_and_rest_too() -> None:
    declined = hop("anna", 0, 1, Disposition.DECLINED)
    assert chosen(file(declined, hop("boris", 1, 9), hop("clara", 9, 17)), 17) == "boris"
    assert chosen(file(declined, seats=SEATS[:1]), 5) is None
    assert chosen(file(declined, seats=SEATS[:1]), 11) == "anna"


def test_take_goes_before_rest_and_order_but_not_before_a_claim() -> None:
    papers = file(hop("anna", 0, 1, Disposition.BUSY), wants=("anna", "clara"))
    assert chosen(papers, 1) == "anna"
    assert chosen(papers, 1, Sight("anna", "claimed")) == "clara"


def test_a_hop_out_of_turn_does_not_move_the_list() -> None:
    assert chosen(file(hop("anna", 0, 8), hop("clara", 8, 16, in_turn=False)), 16) == "boris"


def test_a_list_that_stops_offers_each_head_once() -> None:
    papers = file(hop("anna", 0, 8), hop("clara", 8, 16, in_turn=False), on_list_end=OnListEnd.STOP)
    assert [seat.person for seat in in_order(papers)] == ["boris"]
    assert choose(file(*papers.hops, hop("boris", 16, 24), on_list_end=OnListEnd.STOP), (), second(24)).over


def test_what_stands_in_the_way_is_named() -> None:
    papers = file(
        hop("anna", 0, 1, Disposition.BUSY), hop("boris", 1, 1, Disposition.UNREACHABLE),
        hop("clara", 1, 2, Disposition.DECLINED),
    )  # fmt: skip
    stands = {person: obstacle(papers, person, (), second(12.5)) for person in ("anna", "boris", "clara")}
    assert stands["anna"] is None
    assert stands["boris"] is not None
    assert stands["boris"].code == "no_change"
    assert stands["clara"] is not None
    assert stands["clara"].code == "declined"
    resting = obstacle(papers, "anna", (), second(5))
    assert resting is not None
    assert (resting.code, resting.until) == ("rests", second(11))
    seen = obstacle(papers, "anna", (Sight("anna", "claimed", "call:pbx:c9"),), second(5))
    assert seen is not None
    assert (seen.code, seen.by) == ("claimed", "call:pbx:c9")
