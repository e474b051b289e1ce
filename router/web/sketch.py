"""State of a call -> what is shown of it. Pure, apart from looking at names."""

from collections.abc import Callable, Mapping

from router.basis.instants import Instant
from router.basis.machine import Token
from router.basis.people import Directory
from router.chains.call_offers import width
from router.chains.call_states import (
    CallState,
    Connecting,
    Ended,
    Followed,
    HandedOver,
    Ringing,
    Stranger,
    Talking,
    Transferring,
    Waiting,
)
from router.chains.callback import Debt
from router.chains.choice import Sight, choose
from router.chains.enquiry import End, File, Hop, talker_since, with_hop
from router.chains.events import Disposition
from router.web.views import CallView, DebtView, EndedView, HopView, PassedView

Phone = Callable[[Token | None], str]
"""Token -> masked number; empty where it is withheld."""

MOST_PLANNED = 8
"""Planned hops shown at most."""


class Names:
    """Names of people and lines, from one directory."""

    def __init__(self, directory: Directory) -> None:
        self._people: Mapping[str, str] = {person.id: person.name for person in directory.people}
        self._lines: Mapping[str, str] = {line.number: line.title for line in directory.lines if line.title}

    def person(self, person: str) -> str:
        """The name; the id where nobody has it any more."""
        return self._people.get(person, person)

    def line(self, number: str) -> str:
        """What people call the line; its number where it has no name."""
        return self._lines.get(number, number)


def call_view(chain: str, state: CallState, names: Names, phone: Phone, sights: tuple[Sight, ...]) -> CallView | None:
    """A live call; None for one that is over."""
    match state:
        case Ringing(file, ringing):
            now = tuple(_hop(hop, "ringing", names) for hop in ringing)
            hops = (*_past(file, names), *now, *_planned(file, ringing, sights, names))
            first, until = ringing[0], max(hop.end for hop in ringing)
            person = ", ".join(dict.fromkeys(names.person(hop.person) for hop in ringing))
            extension = ", ".join(hop.extension for hop in ringing)
            return _view(chain, file, names, phone, "ringing", person, extension, first.start, until, hops)
        case Waiting(file, _, keys):
            waits_for = tuple(names.person(key.partition(":")[2]) for key in keys)
            since = file.hops[-1].ended if file.hops and file.hops[-1].ended else file.arrived
            return _view(
                chain, file, names, phone, "waiting", "", "", since, file.window_end, _past(file, names), waits_for
            )  # fmt: skip
        case Connecting(file, hop):
            since = hop.answered or hop.start
            hops = (*_past(file, names), _hop(hop, "answered", names))
            return _view(chain, file, names, phone, "connecting", hop.person, hop.extension, since, Instant(0), hops)
        case Followed(file, _, rings):
            return _followed_view(chain, file, rings, names, phone)
        case Talking(file, end):
            kind, since = ("on_hold", state.held) if state.held else ("talking", talker_since(file, end))
            past = _past(file, names, talk=end)
            return _view(chain, file, names, phone, kind, end.person, end.extension, since, Instant(0), past)
        case Transferring(file):
            to, past = file.passed[-1], _past(file, names)
            return _view(
                chain, file, names, phone, "transferring", to.to_person, to.to_extension, to.at, Instant(0), past
            )  # fmt: skip
        case HandedOver(file, until):
            since = Instant(until - file.terms.handover_within)
            return _view(chain, file, names, phone, "fallback", "", "", since, Instant(0), _past(file, names))
        case Stranger():
            return CallView(
                chain, "", names.line(state.line), state.channel, state.first, state.until, "stranger",
                "", "", state.first, state.until,
            )  # fmt: skip
        case Ended():
            return None


def _followed_view(chain: str, file: File, rings: tuple[Hop, ...], names: Names, phone: Phone) -> CallView:
    """The PBX leads: its latest ring is the one that is shown; who is next, it alone knows."""
    hops = (*_past(file, names), *(_hop(ring, "ringing", names) for ring in rings))
    if not rings:
        since = file.hops[-1].ended if file.hops and file.hops[-1].ended else file.arrived
        return _view(chain, file, names, phone, "waiting", "", "", since, file.window_end, hops)
    last = rings[-1]
    return _view(chain, file, names, phone, "ringing", last.person, last.extension, last.start, last.end, hops)


def ended_view(chain: str, state: Ended, names: Names, phone: Phone) -> EndedView:
    """A call that is over."""
    file, end = state.file, state.end
    return EndedView(
        chain, phone(file.caller), names.line(file.line), file.channel, file.arrived, end.at, end.outcome.value,
        names.person(end.person), end.extension, end.talk_from or Instant(0),
        file.verdicts[-1].verdict if file.verdicts else "", _passed(file, names, phone),
    )  # fmt: skip


def debt_view(chain: str, debt: Debt, names: Names, phone: Phone) -> DebtView:
    """A call-back that is owed."""
    return DebtView(chain, phone(debt.caller), names.line(debt.line), debt.channel, debt.arrived, debt.why)


def _view(  # noqa: PLR0913 - one line per column of the view
    chain: str,
    file: File,
    names: Names,
    phone: Phone,
    state: str,
    person: str,
    extension: str,
    since: Instant,
    until: Instant,
    hops: tuple[HopView, ...],
    waits_for: tuple[str, ...] = (),
) -> CallView:
    return CallView(
        chain, phone(file.caller), names.line(file.line), file.channel, file.arrived, file.window_end,
        state, names.person(person), extension, since, until, hops, waits_for,  # type: ignore[arg-type]
        _passed(file, names, phone),
    )  # fmt: skip


def _passed(file: File, names: Names, phone: Phone) -> tuple[PassedView, ...]:
    return tuple(
        PassedView(
            names.person(entry.person) or entry.extension, entry.since, entry.at, entry.how.value,
            names.person(entry.to_person) or entry.to_extension or phone(entry.to_number), entry.lost,
        )
        for entry in file.passed
    )  # fmt: skip


def _past(file: File, names: Names, talk: End | None = None) -> tuple[HopView, ...]:
    return tuple(_hop(hop, _how(hop, talk), names) for hop in file.hops)


def _how(hop: Hop, talk: End | None) -> str:
    if hop.how is not None:
        return hop.how.value
    # His phone was rung, but the evidence names another who speaks: not his answer.
    foreign = talk is not None and talk.leg == hop.leg and talk.person != hop.person
    return Disposition.ELSEWHERE.value if foreign else "answered"


def _hop(hop: Hop, how: str, names: Names) -> HopView:
    end = hop.answered if how == "answered" else hop.ended
    # Where the PBX rings by itself it may be a phone that is nobody's.
    return HopView(names.person(hop.person) if hop.person else hop.extension, how, hop.start, end or hop.end)


def _planned(file: File, ringing: tuple[Hop, ...], sights: tuple[Sight, ...], names: Names) -> tuple[HopView, ...]:
    """Who is rung next if nobody answers and nothing changes: the same choice that the call will make. Where several
    heads ring at once, whoever joins is not foretold."""
    planned: list[HopView] = []
    terms, at = file.terms, max(hop.end for hop in ringing)
    for hop in ringing:
        file = with_hop(file, hop, Disposition.NO_ANSWER, hop.end)
    while file.window_end - at >= terms.min_offer and len(planned) < MOST_PLANNED and width(file, at) == 1:
        seat = choose(file, sights, at).seat
        if seat is None:
            break
        end = Instant(min(at + terms.ring, file.window_end))
        planned.append(HopView(names.person(seat.person), "planned", at, end))
        imagined = Hop(len(file.hops) + 1, seat.person, seat.extension, "", at, end, timed_by_pbx=False, ordered=at)
        file, at = with_hop(file, imagined, Disposition.NO_ANSWER, end), end
    return tuple(planned)
