"""The access log without secrets: the token of a personal link never reaches a log line."""

import re

import structlog
from aiohttp import web
from aiohttp.abc import AbstractAccessLogger

log = structlog.get_logger("router.web.access")

_SECRET = re.compile(r"^/(inbox|duty)/[^/]+")


def safe_path(path: str) -> str:
    """The path of a request as a log may show it: without query, without the token of a personal link."""
    return _SECRET.sub(r"/\1/***", path.partition("?")[0])


class AccessLog(AbstractAccessLogger):
    """Give it to `aiohttp.web.AppRunner(access_log_class=AccessLog)`."""

    def log(self, request: web.BaseRequest, response: web.StreamResponse, time: float) -> None:
        """One line per answered request; `time` in seconds."""
        log.debug(
            "request",
            method=request.method,
            path=safe_path(request.path),
            status=response.status,
            ms=round(time * 1000, 1),
        )
