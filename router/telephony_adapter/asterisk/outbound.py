"""Reports on their way to the engine: in order, several in one delivery, none lost while the engine cannot write."""

import asyncio
from collections.abc import Sequence

import structlog

from router.chains.events import DeviceSeen, LegRinging, LineSeen
from router.telephony_adapter.asterisk.metrics import LOST_REPORTS
from router.telephony_adapter.port import Deliver, Report

log = structlog.get_logger()

BATCH = 512
"""Reports in one delivery: more would make the first wait for the last."""
PATIENT = (LegRinging, DeviceSeen, LineSeen)
"""Facts that nobody waits for to the millisecond: they go with the next report, or alone a little later."""
PATIENCE_S = 0.02
"""How long at most. Where several calls hop at once, each "it rings" would else be a commit of its own in front of
another call's hop. Terms count from the ringing in tenths of seconds, phones are asked for every few seconds."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 2.0
TRIES_ALONE = 20
"""A report that fails alone this often (about half a minute) is put aside, so that it does not stop all others."""


class Outbound:
    """A queue between the socket's reader, which must not wait, and the engine, whose commit takes its time."""

    def __init__(self, name: str, deliver: Deliver) -> None:
        self._name = name
        self._deliver = deliver
        self._waiting: list[Report] = []
        self._aside: list[Report] = []
        self._news = asyncio.Event()
        self._failing = False
        self._later: asyncio.TimerHandle | None = None

    def put(self, reports: Sequence[Report]) -> None:
        """Hand over; returns at once. The order stays, whatever waits for what."""
        if not reports:
            return
        self._waiting.extend(reports)
        if not all(isinstance(report.event, PATIENT) for report in reports):
            self._news.set()
        elif self._later is None and not self._news.is_set():
            self._later = asyncio.get_running_loop().call_later(PATIENCE_S, self._patience_ends)

    def _patience_ends(self) -> None:
        self._later = None
        if self._waiting:
            self._news.set()

    async def run(self) -> None:
        """Deliver until cancelled."""
        while True:
            await self._news.wait()
            batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
            if not self._waiting:
                self._news.clear()
            if not await self._try(batch):
                for report in batch:
                    await self._alone(report)
            elif self._aside:
                await self._once_more()

    async def _alone(self, report: Report) -> None:
        pause_s = FIRST_PAUSE_S
        for _ in range(TRIES_ALONE):
            if await self._try([report]):
                return
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
        self._aside.append(report)
        log.error("report_put_aside", pbx=self._name, call=report.call, fact=type(report.event).__name__)

    async def _once_more(self) -> None:
        """The engine works again: what it still refuses is refused for itself, and a person has to look."""
        aside, self._aside = self._aside, []
        for report in aside:
            if not await self._try([report]):
                LOST_REPORTS.labels(self._name).inc()
                log.error("report_refused", pbx=self._name, call=report.call, fact=type(report.event).__name__)

    async def _try(self, reports: Sequence[Report]) -> bool:
        try:
            await self._deliver(reports)
        except Exception as error:
            # The whole story once, not at each of many tries.
            log.error(
                "delivery_failed", pbx=self._name, reports=len(reports), error=repr(error), exc_info=not self._failing
            )
            self._failing = True
            return False
        self._failing = False
        return True
