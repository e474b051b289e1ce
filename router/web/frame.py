"""The frame of every page: templates, language, headers, assets, words for errors. Pages of sidecars use it too."""

import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources
from typing import Any

from aiohttp import web
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from router.basis.instants import MILLISECOND
from router.chat_notify.cards import OUTCOMES
from router.engine.store.port import StoreUnavailable
from router.texts import LANGUAGES, catalogue, chosen
from router.texts.speech import Speech, length, phone_in_groups
from router.web.desk import Desk

DESK = web.AppKey("desk", Desk)

LANGUAGE_COOKIE = "hopline_lang"
YEAR_S = 365 * 24 * 3600

HEADERS = {
    # Nothing but ourselves: no inline script or style, no other host, no frame around a page with buttons.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # A personal link is a secret and stands in the address: no other site may learn it.
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
    "Cache-Control": "no-store",
}
"""On every page, stream and answer of the pages."""

_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def page(handler: Handler) -> Handler:
    """A handler of pages: every answer gets the headers, every error the frame."""

    async def framed(request: web.Request) -> web.StreamResponse:
        try:
            response = await handler(request)
        except web.HTTPRedirection as redirection:
            redirection.headers.update(HEADERS)
            raise
        except web.HTTPException as error:
            response = render(request, "error.html", status=error.status)
        except StoreUnavailable:
            response = render(request, "error.html", status=503)
        if not response.prepared:
            for name, value in HEADERS.items():
                response.headers.setdefault(name, value)
            _remember_language(request, response)
        return response

    return framed


def language_of(request: web.Request) -> str:
    """What the reader chose now (`?lang=`) or earlier (cookie); else the office's."""
    earlier = chosen(request.cookies.get(LANGUAGE_COOKIE), request.app[DESK].language)
    return chosen(request.query.get("lang"), earlier)


def speech_for(request: web.Request) -> Speech:
    """How this reader is spoken to."""
    return request.app[DESK].speech(language_of(request))


def render(request: web.Request, template: str, *, status: int = 200, **values: Any) -> web.Response:
    """A whole page."""
    speech = speech_for(request)
    text = fragment(
        template,
        speech,
        demo=request.app[DESK].demo,
        here=request.path,
        languages=LANGUAGES,
        status=status,
        **values,
    )
    return web.Response(text=text, status=status, content_type="text/html")


def fragment(template: str, speech: Speech, **values: Any) -> str:
    """A template as text."""
    return _environment(speech.language).get_template(template).render(speech=speech, **values)


@cache
def _environment(language: str) -> Environment:
    environment = Environment(
        loader=PackageLoader("router.web"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    words = catalogue(language)
    environment.install_gettext_callables(words.gettext, words.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(asset=asset, length=length, phone=phone_in_groups)
    environment.globals["outcome"] = lambda code: words.gettext(OUTCOMES[code]) if code in OUTCOMES else code
    environment.filters["ms"] = lambda instant: instant // MILLISECOND
    return environment


def _remember_language(request: web.Request, response: web.StreamResponse) -> None:
    wanted = request.query.get("lang")
    if wanted in LANGUAGES and request.cookies.get(LANGUAGE_COOKIE) != wanted:
        secure = request.app[DESK].public_url.startswith("https:")
        response.set_cookie(
            LANGUAGE_COOKIE, wanted, max_age=YEAR_S, httponly=True, samesite="Lax", secure=secure, path="/"
        )  # fmt: skip


# --- style sheet, script, icon ----------------------------------------------------------------------------------


@cache
def _assets() -> dict[str, tuple[bytes, str, str]]:
    """Name -> body, type, hash of the body. Three small files: kept in memory, read once."""
    found: dict[str, tuple[bytes, str, str]] = {}
    for file in (resources.files("router.web") / "static").iterdir():
        kind = _TYPES.get(file.name.rpartition(".")[2])
        if kind is not None:
            body = file.read_bytes()
            found[file.name] = (body, kind, hashlib.sha256(body).hexdigest()[:12])
    return found


def asset(name: str) -> str:
    """The address of a style sheet, script or icon; it changes with the content, so browsers may keep it for ever."""
    return f"/static/{name}?v={_assets()[name][2]}"


async def send_asset(request: web.Request) -> web.Response:
    """GET /static/<name>"""
    known = _assets().get(request.match_info["name"])
    if known is None:
        raise web.HTTPNotFound
    body, kind, digest = known
    kept = "public, max-age=31536000, immutable" if request.query.get("v") == digest else "no-cache"
    headers = {"Cache-Control": kept, "X-Content-Type-Options": "nosniff"}
    return web.Response(body=body, content_type=kind, charset="utf-8", headers=headers)
