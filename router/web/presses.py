"""Takes a press to the card's chain and brings back the answer. For the pages here and for any other chat."""

from router.chat_notify.buttons import event_of
from router.chat_notify.port import Card, Pressed
from router.engine.core import Admission
from router.engine.store.port import StoreUnavailable
from router.web.desk import Desk


async def bring(desk: Desk, pressed: Pressed) -> str:
    """The answer's code (`buttons.REPLIES`), given after the durable commit. Never raises for what a person can do."""
    try:
        card = await desk.inbox.card(pressed.card)
        if card is None:
            return "unknown"
        event = event_of(pressed)
        if event is None:
            return "reason_missing" if pressed.button == "close" else "unknown"
        if _would_flip_unseen(card, pressed):
            return "changed"
        origin = f"press/{pressed.by}/{pressed.press}"
        [answer] = await desk.engine.admit([Admission(card.chain, event, f"person:{pressed.by}", origin)])
    except StoreUnavailable:
        return "not_stored"
    if answer.error is not None:
        return "not_stored"
    return answer.reply or "unknown"


def _would_flip_unseen(card: Card, pressed: Pressed) -> bool:
    """Whether the press would overturn a verdict that the person has not seen.

    A page left open still offers both buttons after the call was marked elsewhere. The same verdict again is harmless
    (the machine says "already"); the other one would be a correction nobody meant.
    """
    seen_older = 0 < pressed.revision < card.revision
    return seen_older and card.face.code == "marked" and pressed.button in card.face.buttons
