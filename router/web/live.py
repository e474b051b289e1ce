"""The live page: calls hopping, people, call-backs; its stream; and the same as JSON."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
from aiohttp import web

from router.basis.instants import MILLISECOND
from router.texts.speech import Speech
from router.web.board import BOARD
from router.web.frame import DESK, fragment, language_of, page, render, speech_for
from router.web.streams import Stream, counted
from router.web.views import Snapshot, View

GATHER_S = 0.1
"""Changes within this time go out together: ten pictures a second are enough for an eye, and spare the server."""

BREATH = 8
"""Items drawn between two breaths of the loop: about 1 ms (measured: 0.15 ms each)."""

Items = dict[str, View]
Sections = dict[str, Items]


def routes() -> list[web.RouteDef]:
    """The page, its stream, its JSON."""
    return [
        web.get("/", page(_show)),
        web.get("/events", page(_stream)),
        web.get("/api/v1/calls", page(_calls)),
        web.get("/api/v1/callbacks", page(_callbacks)),
    ]


async def _show(request: web.Request) -> web.StreamResponse:
    speech = speech_for(request)
    snapshot = await request.app[BOARD].snapshot()
    markup = {name: await _markup(name, items, speech) for name, items in _sections(snapshot).items()}
    sections = {name: list(items.values()) for name, items in markup.items()}
    events = f"/events?lang={speech.language}"
    now = request.app[DESK].engine.clock.now() // MILLISECOND
    return render(request, "live.html", sections=sections, events=events, now=now)


async def _stream(request: web.Request) -> web.StreamResponse:
    board, desk, language = request.app[BOARD], request.app[DESK], language_of(request)
    stream = Stream(request)
    sent: Sections = {}
    with counted(request):
        response = await stream.open()
        while True:
            beat = board.pulse.beat
            sections = _sections(await board.snapshot())
            patch = await _patch(sent, sections, desk.speech(language))
            sent = sections
            try:
                if patch:
                    await stream.send("patch", {"sections": patch})
                await stream.until(board.pulse.beyond(beat))
            except ConnectionError:
                return response
            await asyncio.sleep(GATHER_S)


async def _patch(sent: Sections, sections: Sections, speech: Speech) -> dict[str, Any]:
    """What a page that shows `sent` must change: per section its order, and the markup of what is new or different."""
    patch: dict[str, Any] = {}
    for name, items in sections.items():
        before = sent.get(name)
        if before == items and list(before) == list(items):
            continue
        fresh = {key: view for key, view in items.items() if before is None or before.get(key) != view}
        patch[name] = {"order": list(items), "html": await _markup(name, fresh, speech)}
    return patch


def _sections(snapshot: Snapshot) -> Sections:
    return {
        "health": {"health": snapshot.health},
        "figures": {"figures": snapshot.figures},
        "people": {view.id: view for view in snapshot.people},
        "calls": _items(snapshot.calls, snapshot.calls_more),
        "callbacks": _items(snapshot.callbacks, snapshot.callbacks_more),
        "ended": _items(snapshot.ended, snapshot.ended_more),
    }


class More(View, frozen=True):
    """There are more than are shown."""

    number: int


def _items(views: Sequence[Any], more: int) -> Items:
    items: Items = {view.id: view for view in views}
    if more:
        items["more"] = More(more)
    return items


async def _markup(section: str, items: Items, speech: Speech) -> dict[str, str]:
    """Markup of each item. Lets others run now and then: a full page takes some 20 ms, and rings are timed here too."""
    markup: dict[str, str] = {}
    for number, (key, view) in enumerate(items.items(), 1):
        markup[key] = _html(section, view, speech)
        if number % BREATH == 0:
            await asyncio.sleep(0)
    return markup


def _html(section: str, view: View, speech: Speech) -> str:
    template = "more.html" if isinstance(view, More) else f"live_{section}.html"
    return fragment(template, speech, view=view)


# --- JSON ---------------------------------------------------------------------------------------------------------


async def _calls(request: web.Request) -> web.StreamResponse:
    """Live calls and those of the last hour; instants in microseconds since 1970, UTC; numbers masked."""
    snapshot = await request.app[BOARD].snapshot()
    return _json(
        request,
        figures=snapshot.figures,
        health=snapshot.health,
        people=snapshot.people,
        calls=snapshot.calls,
        calls_more=snapshot.calls_more,
        ended=snapshot.ended,
        ended_more=snapshot.ended_more,
    )


async def _callbacks(request: web.Request) -> web.StreamResponse:
    """Open call-backs, oldest first."""
    snapshot = await request.app[BOARD].snapshot()
    return _json(request, callbacks=snapshot.callbacks, callbacks_more=snapshot.callbacks_more)


def _json(request: web.Request, **said: Any) -> web.Response:
    body = msgspec.json.encode({"now": request.app[DESK].engine.clock.now(), **said})
    return web.Response(body=body, content_type="application/json")
