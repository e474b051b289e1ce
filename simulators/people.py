"""People with habits: heads who answer, ignore, decline, are on another line, at lunch or gone; callers of all sorts.

They see what people see (a phone that rings, a card, the end of their own patience) and do what people do. What they
press while the server is not there, or is not answered, they press again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from router.basis.instants import HOUR, MILLISECOND, MINUTE, SECOND, Instant
from router.basis.machine import ChainId, Event
from router.chains.effects import ShowCard
from router.chains.events import CameBack, PressedClose, SaidHere, TakePressed, VerdictGiven, WentAway
from router.chains.roster import ROSTER
from router.engine.core import Admission
from simulators.chance import Chance, Quantiles
from simulators.company import DAY, FIRST_DAY, HEADS, OWNERS, at_work
from simulators.pbx import Call, Deeds, Leg, Outcome, Phone, Switchboard
from simulators.world import World

Press = Callable[[Admission, Callable[[str | None], None]], bool]

ANSWER_AFTER: Quantiles = ((0, 700), (10, 1_500), (50, 3_200), (80, 5_500), (95, 8_500), (100, 14_000))
"""Milliseconds from the first ring until a hand reaches the receiver; the tail comes too late for an 8 s offer."""

TALK: Quantiles = ((0, 3), (10, 25), (50, 150), (80, 320), (95, 700), (100, 1_800))
"""Seconds."""

VERDICT_AFTER: Quantiles = ((0, 5), (30, 60), (60, 240), (90, 1_200), (100, 14_000))
"""Seconds from the card to the press."""

CALL_BACK_AFTER: Quantiles = ((0, 2), (40, 15), (80, 60), (100, 240))
"""Minutes until an open entry is settled, in working time."""

PRESS_AGAIN = 30 * SECOND
"""A button that does nothing is pressed again after this."""


@dataclass(slots=True)
class Head:
    """One head of sales; shares are per thousand rings."""

    person: str
    extension: str
    pace: int
    """Per cent of the usual time to answer."""
    ignores: int
    declines: int
    forgets_to_sign_off: bool
    marks: int
    """Verdict cards he presses, per thousand."""
    at_desk: bool = False


HABITS = (
    Head("anna", "101", 80, 300, 40, forgets_to_sign_off=False, marks=960),
    Head("boris", "102", 100, 450, 100, forgets_to_sign_off=True, marks=900),
    Head("vera", "103", 90, 350, 50, forgets_to_sign_off=False, marks=940),
    Head("gleb", "104", 140, 550, 150, forgets_to_sign_off=True, marks=700),
    Head("daria", "105", 110, 400, 80, forgets_to_sign_off=False, marks=850),
)
"""Worse than any office hopes for: most calls shall hop, and many reach the end of their window."""


class People:
    """Everybody who can do something."""

    def __init__(self, world: World) -> None:
        self.heads = {
            head.extension: Head(
                head.person,
                head.extension,
                head.pace,
                head.ignores,
                head.declines,
                head.forgets_to_sign_off,
                head.marks,
            )
            for head in HABITS
        }
        self.press_at: Press = lambda _admission, _answered: False
        """The server's buttons."""
        self._world = world

    @property
    def _chance(self) -> Chance:
        return self._world.chance

    # --- a day --------------------------------------------------------------------------------------------------

    def plan_day(self, day: int, board: Switchboard) -> None:
        """Who comes when, lunch, calls of their own, a phone that is off for a while."""
        start = FIRST_DAY + day * DAY
        turn = HEADS[(day // 7) % len(HEADS)]
        for head in self.heads.values():
            if at_work(day):
                self._working_day(head, start, board)
            elif head.person == turn:
                self._at(start + 10 * HOUR, lambda head=head: self._comes(head))  # type: ignore[misc]
                self._at(start + 16 * HOUR, lambda head=head: self._goes(head, sign_off=True))  # type: ignore[misc]

    def _working_day(self, head: Head, start: int, board: Switchboard) -> None:
        chance = self._chance
        comes = start + 8 * HOUR + chance.between(45, 75) * MINUTE + chance.below(60_000) * MILLISECOND
        goes = start + 18 * HOUR + chance.between(0, 120) * MINUTE
        lunch = start + 12 * HOUR + chance.between(30, 120) * MINUTE
        back = lunch + chance.between(25, 60) * MINUTE
        self._at(comes, lambda: self._comes(head))
        self._at(lunch, lambda: self._goes(head, sign_off=not head.forgets_to_sign_off, until=back))
        self._at(back, lambda: self._comes(head))
        self._at(goes, lambda: self._goes(head, sign_off=True))
        for _ in range(chance.between(4, 12)):
            begins = chance.between(comes, goes)
            lasts = chance.drawn(TALK) * SECOND
            self._at(begins, lambda until=begins + lasts: self._calls_out(head, board, until))  # type: ignore[misc]
        if chance.hits(150_000):
            lost = chance.between(comes, goes)
            back_on = lost + chance.between(1, 40) * MINUTE
            self._at(lost, lambda: board.set_phone(self._world.now, head.extension, reachable=False))
            self._at(back_on, lambda: board.set_phone(self._world.now, head.extension, reachable=True))

    def _at(self, instant: int, what: Callable[[], None]) -> None:
        self._world.at(instant, what)

    def everybody_out(self) -> None:
        """The first night: nobody is there."""
        for head in self.heads.values():
            self._goes(head, sign_off=True)

    def _comes(self, head: Head) -> None:
        head.at_desk = True
        self.press(head.person, ROSTER, CameBack(head.person, head.person))

    def _goes(self, head: Head, *, sign_off: bool, until: int | None = None) -> None:
        head.at_desk = False
        if sign_off:
            back = None if until is None else Instant(until)
            self.press(head.person, ROSTER, WentAway(head.person, head.person, back))

    def _calls_out(self, head: Head, board: Switchboard, until: int) -> None:
        if head.at_desk and board.phones[head.extension].free(self._world.now):
            board.occupy(self._world.now, head.extension, until)

    # --- at the phone -------------------------------------------------------------------------------------------

    def on_ring(self, phone: Phone, _leg: Leg, _now: int) -> Deeds:
        """A head's phone rings."""
        head, chance = self.heads.get(phone.extension), self._chance
        if head is None or not head.at_desk:
            return ()
        dice = chance.below(1_000)
        if dice < head.ignores:
            return ()
        after = chance.drawn(ANSWER_AFTER) * head.pace // 100 * MILLISECOND + chance.below(1_000)
        if dice < head.ignores + head.declines:
            return ((after, "decline"),)
        if chance.hits(5_000):
            return ((after, "answer"), (after + chance.between(0, 400) * MILLISECOND, "hang_up"))
        return ((after, "answer"),)

    def on_talk(self, _call: Call, _leg: Leg, _now: int) -> Deeds:
        """How long they talk, and who hangs up."""
        lasts = self._chance.drawn(TALK) * SECOND + self._chance.below(1_000_000)
        return ((lasts, "caller_hangs_up" if self._chance.hits(600_000) else "hang_up"),)

    def on_fallback(self, _call: Call, _now: int) -> Outcome:
        """A message; now and then the receptionist takes the call."""
        chance = self._chance
        if chance.hits(150_000):
            return Outcome(chance.between(2, 15) * SECOND, "200", chance.drawn(TALK) * SECOND)
        return Outcome(chance.between(8, 45) * SECOND)

    # --- at the screen ------------------------------------------------------------------------------------------

    def on_card(self, card: ShowCard) -> None:
        """A card is shown or changed."""
        code, chance = card.face.code, self._chance
        who = card.audience.removeprefix("person:")
        if code == "verdict_asked" and "over_at" not in card.face.params:
            head = self.heads.get(next((ext for ext, owner in OWNERS.items() if owner == who), ""))
            if head is not None and chance.hits(head.marks * 1_000):
                self._presses_verdict(who, card.chain)
        elif code == "marked" and chance.hits(20_000):
            self._presses_verdict(who, card.chain)
        elif code in ("unknown_answerer", "two_answerers") and chance.hits(500_000):
            self._presses_verdict("duty", card.chain)
        elif code == "late" and chance.hits(600_000):
            after = chance.between(1, 6) * SECOND
            self._world.after(after, lambda: self.press(who, card.chain, TakePressed(who)))
        elif code in ("are_you_here", "paused"):
            self._says_here(who, at_once=code == "are_you_here")
        elif code == "callback_open" and card.revision == 1:
            self._calls_back(card.chain)

    def _presses_verdict(self, who: str, chain: ChainId) -> None:
        chance = self._chance
        verdict = VerdictGiven(who, "spam" if chance.hits(180_000) else "real")
        after = chance.drawn(VERDICT_AFTER) * SECOND
        self._world.after(after, lambda: self.press(who, chain, verdict))
        if chance.hits(30_000):  # impatient: twice
            self._world.after(after + 300 * MILLISECOND, lambda: self.press(who, chain, verdict))

    def _says_here(self, who: str, *, at_once: bool) -> None:
        """Most heads at their desks answer in time; who was paused finds that out later."""
        head, chance = next((head for head in self.heads.values() if head.person == who), None), self._chance
        if head is None or not head.at_desk or (at_once and chance.hits(200_000)):
            return
        after = chance.between(5, 110) * SECOND if at_once else chance.between(1, 20) * MINUTE
        self._world.after(after, lambda: self.press(who, ROSTER, SaidHere(who)) if head.at_desk else None)

    def _calls_back(self, chain: ChainId) -> None:
        chance = self._chance
        if chance.hits(10_000):
            return  # forgotten for good: it stays open, and says so every hour
        now = self._world.now
        opens = now + (9 * HOUR if (now - FIRST_DAY) % DAY < 9 * HOUR else 0)
        after = opens + chance.drawn(CALL_BACK_AFTER) * MINUTE + chance.below(60) * SECOND
        reason = chance.pick(("reached", "reached", "not_reached", "spam"))
        self._at(after, lambda: self.press("duty", chain, PressedClose("duty", reason)))

    def press(self, who: str, chain: ChainId, event: Event, tries: int = 5) -> None:
        """Press a button; again if nothing happens."""
        heard: list[str | None] = []
        if tries == 0:
            return
        reached = self.press_at(Admission(chain, event, f"person:{who}"), heard.append)
        if not reached or not heard:
            self._world.after(PRESS_AGAIN, lambda: None if heard else self.press(who, chain, event, tries - 1))
