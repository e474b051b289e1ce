"""The page of whoever is in charge, behind the signed duty link: live calls, people, effects put aside, the quarantine.

A plain list with buttons. Each button is a form that carries the proof of the page, as every press does, and its answer
is a redirect back to the page, which says it in words. What can be done is `router.operations`' business.
"""

import secrets

from aiohttp import web
from aiohttp.web_response import Response

from router.chains.choice import person_key
from router.chains.events import CLOSING_REASONS
from router.engine.store.port import StoreUnavailable
from router.operations import DONE, DROP_REASONS, LONGEST_ID, REFUSED, Act, Operations
from router.texts.speech import Speech, mark
from router.web.board import BOARD
from router.web.desk import Desk
from router.web.frame import DESK, page, render, speech_for

SAID = {
    "freed": mark("Freed: the next call may be offered to this person."),
    "away": mark("Paused: no calls are offered to this person."),
    "back": mark("Calls are offered to this person again."),
    "closed": mark("Closed."),
    "sent": mark("The client was given to the reserve line."),
    "sent_again": mark("It is sent again."),
    "dropped": mark("Dropped."),
    "draining": mark("New calls go to the reserve line from now on."),
    "taking_calls": mark("New calls are taken again."),
    "no_such_person": mark("There is no such person."),
    "no_such_call": mark("There is no such call under way."),
    "several_such_calls": mark("There are several such calls."),
    "no_such_effect": mark("Nobody waits for that any more."),
    "no_such_row": mark("Nobody waits for that any more."),
    "not_held": mark("No call holds this person."),
    "not_away": mark("This person is not away."),
    "over": mark("The call is over."),
    "already": mark("That is done already."),
    "pbx_leads": mark("This PBX leads its calls itself: it takes no orders."),
    "in_talk": mark("They talk: nobody is torn away from a talk."),
    "reason_missing": mark("Choose a reason first."),
    "not_stored": mark("Not saved: the journal cannot be written now. Press again in a moment."),
    "unknown": mark("There is no such card or button."),
}
"""Words for the answers of `router.operations`."""

CLOSING = {
    "stuck": mark("the PBX no longer has this call"),
    "test": mark("a trial call"),
    "nuisance": mark("a nuisance call"),
    "other": mark("something else"),
}
DROPPING = {
    "done_otherwise": mark("done by other means"),
    "obsolete": mark("no longer needed"),
    "other": mark("something else"),
}


def routes() -> list[web.RouteDef]:
    """The page and its buttons."""
    return [
        web.get("/duty/{token}/operations", page(_show)),
        web.post("/duty/{token}/operations", page(_act)),
    ]


def _desk(request: web.Request) -> tuple[Desk, Operations, str, str]:
    """Desk, operations, who reads, and the token of his link."""
    desk, token = request.app[DESK], request.match_info["token"]
    person = desk.holder(token, "duty")
    if person is None or desk.operations is None:
        raise web.HTTPNotFound  # the same answer for forged, revoked and unknown: nothing to learn by trying
    return desk, desk.operations, person, token


async def _show(request: web.Request) -> web.StreamResponse:
    desk, operations, _, token = _desk(request)
    speech = speech_for(request)
    said = request.query.get("said", "")
    snapshot = await request.app[BOARD].snapshot()
    return render(
        request,
        "operations.html",
        address=f"/duty/{token}",
        proof=desk.signer.form(token),
        press=lambda: secrets.token_urlsafe(12),
        draining=operations.draining,
        calls=snapshot.calls,
        people=snapshot.people,
        held={key.removeprefix(person_key("")) for key in desk.engine.core.claims.all()},
        asides=await operations.asides(),
        unread=await operations.quarantine.rows(),
        closing=_worded(CLOSING, CLOSING_REASONS, speech),
        dropping=_worded(DROPPING, DROP_REASONS, speech),
        said=speech.say(SAID[said]) if said in SAID else "",
        good=said in DONE,
    )


def _worded(words: dict[str, str], codes: tuple[str, ...], speech: Speech) -> list[tuple[str, str]]:
    return [(code, speech.say(words[code])) for code in codes]


async def _act(request: web.Request) -> Response:
    desk, operations, person, token = _desk(request)
    form = await request.post()

    def field(name: str) -> str:
        value = form.get(name, "")
        return value if isinstance(value, str) and len(value) <= LONGEST_ID else ""

    if not desk.signer.is_form(token, field("proof")):
        raise web.HTTPForbidden
    try:
        said = await operations.do(Act(field("verb"), person, field("target"), field("reason"), press=field("press")))
    except StoreUnavailable:
        said = "not_stored"
    assert said in DONE | REFUSED, said
    raise web.HTTPSeeOther(f"/duty/{token}/operations?said={said}")
