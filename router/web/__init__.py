"""Pages for people: the live page, the personal inbox, the duty page; and the JSON they can be read as.

Rendered on the server (Jinja2), alive by server-sent events, usable without JavaScript, no word from any other host.
`add_pages` is the entry point; `frame` is shared with pages of the sidecars.
"""

from aiohttp import web

from router.chat_notify.buttons import personal_link
from router.web import live, operations, personal
from router.web.access import AccessLog, safe_path
from router.web.board import BOARD, Board
from router.web.desk import Desk
from router.web.frame import DESK, send_asset
from router.web.streams import STREAMS, Streams, end_streams

__all__ = ["AccessLog", "Desk", "add_pages", "personal_link", "safe_path"]


def add_pages(app: web.Application, desk: Desk) -> None:
    """Put the pages into a web application. The engine must be open when the application starts."""
    board = Board(desk)
    app[DESK] = desk
    app[BOARD] = board
    app[STREAMS] = Streams()
    app.cleanup_ctx.append(board.kept)
    app.on_shutdown.append(end_streams)
    app.router.add_get("/static/{name}", send_asset)
    app.router.add_routes([*live.routes(), *personal.routes("inbox"), *personal.routes("duty"), *operations.routes()])
