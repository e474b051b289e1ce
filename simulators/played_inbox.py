"""The chat as the server meets it: keeps the newest face of each card, by card and revision, and what came in."""

from dataclasses import dataclass

from router.basis.failures import Temporary
from router.basis.instants import Instant
from router.chains.effects import Face, ShowCard
from router.engine.journal import Order
from simulators.faults import Faults
from simulators.people import People
from simulators.scripted import Later, Promise
from simulators.world import World


@dataclass(frozen=True, slots=True)
class Shown:
    """One showing of a card."""

    at: Instant
    card: str
    revision: int
    audience: str
    face: Face


class PlayedInbox:
    """Performer of the lane `inbox`."""

    def __init__(self, world: World, people: People, faults: Faults) -> None:
        self.cards: dict[str, Shown] = {}
        """The newest face of each card."""
        self.shown: list[Shown] = []
        """Every change, in order; a repeated order changes nothing."""
        self.twins = 0
        self._world = world
        self._people = people
        self._faults = faults

    def perform(self, order: Order) -> Later[tuple[()]]:
        """Show a card."""
        return Later(lambda: self._perform(order))

    def _perform(self, order: Order) -> tuple[()] | Promise[tuple[()]]:
        effect = order.effect
        assert isinstance(effect, ShowCard), effect
        if self._world.chance.hits(self._faults.card_fails):
            raise Temporary("chat_busy")
        if self._faults.travel == (0, 0):
            self._show(effect)
            return ()
        promise: Promise[tuple[()]] = Promise()

        def arrives() -> None:
            self._show(effect)
            promise.set_result(())

        self._world.after(self._world.chance.between(*self._faults.travel), arrives)
        return promise

    def _show(self, effect: ShowCard) -> None:
        before = self.cards.get(effect.card)
        if before is not None and before.revision >= effect.revision:
            self.twins += 1
            return
        shown = Shown(self._world.now, effect.card, effect.revision, effect.audience, effect.face)
        self.cards[effect.card] = shown
        self.shown.append(shown)
        self._people.on_card(effect)
