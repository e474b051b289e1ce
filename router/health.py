"""`/healthz` (the process lives), `/readyz` (calls would be served), `/metrics`."""

from collections.abc import Sequence

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from router.engine.shell import Engine
from router.operations import Operations
from router.switch import Switch


def add_health(
    app: web.Application,
    engine: Engine,
    switches: Sequence[Switch],
    registry: CollectorRegistry,
    operations: Operations,
) -> None:
    """Add the three routes."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"alive": True})

    async def readyz(_request: web.Request) -> web.Response:
        lanes = {switch.telephony.name: switch.visible for switch in switches}
        ready = engine.writable and not engine.scarce and all(lanes.values()) and not operations.draining
        body = {
            "ready": ready,
            "journal_writable": engine.writable,
            "pbx_in_sight": lanes,
            "disk_full": engine.scarce,
            "draining": operations.draining,
            # These make nobody less ready: a person has to look at them.
            "aside": len(engine.aside),
            "quarantine": operations.quarantine.size,
            "foreign": len(engine.core.foreign) + len(engine.foreign_orders),
        }
        return web.json_response(body, status=200 if ready else 503)

    async def metrics(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz), web.get("/metrics", metrics)])
