"""Pages behind a signed link: the inbox of one person, and the duty page. Cards, live, with their buttons.

Everything works without JavaScript: a button is a form, its answer a redirect to the page, which says the answer. With
JavaScript the page stays where it is, and cards come and change by server-sent events.
"""

import secrets
from dataclasses import dataclass

from aiohttp import web
from aiohttp.web_response import Response

from router.chat_notify.buttons import CLOSE_REASONS, REPLIES, Purpose
from router.chat_notify.cards import Shown, answer_in_words, in_words
from router.chat_notify.port import Card, Pressed
from router.texts.speech import Speech
from router.web import presses
from router.web.board import BOARD
from router.web.desk import Desk
from router.web.frame import DESK, fragment, language_of, page, render, speech_for
from router.web.listen import recording
from router.web.streams import Stream, counted

LONGEST_FIELD = 300
"""Characters of a form's field at most: card ids are chain ids, which hold the PBX's own id of a call (up to 200)."""

STATUS = {"unknown": 404, "not_stored": 503, "reason_missing": 422}
"""HTTP status of an answer to a script; all others are 200: the press was taken and answered."""


@dataclass(frozen=True, slots=True)
class Room:
    """Whose page it is, and behind which link."""

    desk: Desk
    purpose: Purpose
    person: str
    token: str

    @property
    def audience(self) -> str:
        """Whose cards are shown."""
        return "duty" if self.purpose == "duty" else f"person:{self.person}"

    @property
    def address(self) -> str:
        """The page."""
        return f"/{self.purpose}/{self.token}"


def routes(purpose: Purpose) -> list[web.RouteDef]:
    """The page, its stream and its buttons."""

    def room(request: web.Request) -> Room:
        desk, token = request.app[DESK], request.match_info["token"]
        person = desk.holder(token, purpose)
        if person is None:
            raise web.HTTPNotFound  # the same answer for forged, revoked and unknown: nothing to learn by trying
        return Room(desk, purpose, person, token)

    @page
    async def show(request: web.Request) -> web.StreamResponse:
        return await _show(request, room(request))

    @page
    async def stream(request: web.Request) -> web.StreamResponse:
        return await _stream(request, room(request))

    @page
    async def press(request: web.Request) -> web.StreamResponse:
        return await _press(request, room(request))

    @page
    async def listen(request: web.Request) -> web.StreamResponse:
        asked = room(request)
        return await recording(request, asked.desk, asked.audience)

    return [
        web.get(f"/{purpose}/{{token}}", show),
        web.get(f"/{purpose}/{{token}}/recording", listen),
        web.get(f"/{purpose}/{{token}}/events", stream),
        web.post(f"/{purpose}/{{token}}/press", press),
    ]


async def _show(request: web.Request, room: Room) -> web.Response:
    speech = speech_for(request)
    said = request.query.get("said", "")
    person = room.desk.directory().person(room.person)
    cards = await _cards(request, room)
    shown = await _in_words(room, cards, speech)
    return render(
        request,
        "cards.html",
        room=room,
        name=person.name if person else "",
        cards=[_card_html(room, entry, speech) for entry in shown],
        said=answer_in_words(said, speech) if said in REPLIES else "",
        events=f"{room.address}/events?lang={speech.language}",
    )


async def _cards(request: web.Request, room: Room) -> list[Card]:
    """Newest first. On the duty page what waits for somebody comes first, and no open call-back is too old for it."""
    cards = await room.desk.inbox.cards(room.audience)
    if room.purpose != "duty":
        return cards
    owed = await room.desk.inbox.cards_of(room.audience, request.app[BOARD].owed())
    every = {card.id: card for card in (*cards, *owed)}
    return sorted(every.values(), key=lambda card: (_asks(card), card.shown, card.id), reverse=True)


def _asks(card: Card) -> bool:
    return bool(card.face.buttons) and "verdict" not in card.face.params


async def _in_words(room: Room, cards: list[Card], speech: Speech) -> list[Shown]:
    tokens = [token for card in cards if (token := card.face.params.get("caller_token"))]
    known = await room.desk.known(tokens)
    return [in_words(card, known, speech, CLOSE_REASONS) for card in cards]


def _card_html(room: Room, shown: Shown, speech: Speech) -> str:
    return fragment(
        "card.html",
        speech,
        room=room,
        shown=shown,
        proof=room.desk.signer.form(room.token),
        presses={button.code: secrets.token_urlsafe(12) for button in shown.buttons},
    )


async def _stream(request: web.Request, room: Room) -> web.StreamResponse:
    stream = Stream(request)
    language = language_of(request)
    sent: dict[str, int] = {}
    with room.desk.inbox.watch(room.audience) as watch, counted(request):
        response = await stream.open()
        while True:
            cards = await _cards(request, room)
            fresh = [card for card in cards if sent.get(card.id) != card.revision]
            speech = room.desk.speech(language)
            shown = await _in_words(room, fresh, speech)
            html = {entry.card.id: _card_html(room, entry, speech) for entry in shown}
            sent = {card.id: card.revision for card in cards}
            try:
                await stream.send("patch", {"sections": {"cards": {"order": list(sent), "html": html}}})
                await stream.until(watch.changed.wait())
            except ConnectionError:
                return response
            watch.changed.clear()
            if room.desk.holder(room.token, room.purpose) is None:
                return response  # revoked while it was open


async def _press(request: web.Request, room: Room) -> Response:
    form = await request.post()

    def field(name: str) -> str:
        value = form.get(name, "")
        return value if isinstance(value, str) and len(value) <= LONGEST_FIELD else ""

    if not room.desk.signer.is_form(room.token, field("proof")):
        raise web.HTTPForbidden
    seen = field("revision")
    pressed = Pressed(
        field("card"),
        field("button"),
        room.person,
        field("press") or secrets.token_urlsafe(12),
        int(seen) if seen.isdecimal() else 0,
        field("reason"),
    )
    reply = await presses.bring(room.desk, pressed)
    if request.headers.get("Accept", "").startswith("application/json"):
        words = answer_in_words(reply, speech_for(request))
        return web.json_response({"reply": reply, "words": words}, status=STATUS.get(reply, 200))
    raise web.HTTPSeeOther(f"{room.address}?said={reply}")
