"""HTTP in: none, Asterisk is listened to over its event socket. The room exists because every vendor folder has it."""

from collections.abc import Sequence

from aiohttp import web

from router.telephony_adapter.port import Deliver


def routes(_deliver: Deliver) -> Sequence[web.RouteDef]:
    """No routes."""
    return ()
