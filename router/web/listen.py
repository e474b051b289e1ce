"""A recording, for whoever has a card of its call behind his signed link, and for the duty page. Never in a log.

Until there are roles the card is the permission: the verdict card and those of whoever passed the client on carry the
recording's name (`router.chains.call_cards`), and cards are shown to nobody else.
"""

import re

from aiohttp import web

from router.chat_notify.port import Card
from router.web.desk import Desk

_NAME = re.compile(r"[A-Za-z0-9_.-]+/[A-Za-z0-9_.:@-]+")
"""PBX and recording, as `Face.params["recording"]` has them; nothing that leaves the folder."""


async def recording(request: web.Request, desk: Desk, audience: str) -> web.StreamResponse:
    """GET /inbox/<token>/recording?card=<id>: the file, in parts if the browser asks so."""
    card = await desk.inbox.card(request.query.get("card", ""))
    if card is None or audience not in ("duty", card.audience):
        raise web.HTTPNotFound
    return _file(card, desk)


def _file(card: Card, desk: Desk) -> web.FileResponse:
    name = card.face.params.get("recording", "")
    if desk.recordings is None or not _NAME.fullmatch(name) or ".." in name:
        raise web.HTTPNotFound
    path = desk.recordings / f"{name}.wav"
    if not path.is_file():
        raise web.HTTPNotFound
    headers = {"Content-Type": "audio/wav", "Cache-Control": "private, no-store", "Content-Disposition": "inline"}
    return web.FileResponse(path, headers=headers)
