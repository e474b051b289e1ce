"""What Prometheus sees of the engine. Label values come from closed lists (kinds, event and effect names, lanes)."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from router.basis.machine import DeadlineReached, Effect
from router.engine.auditor import Finding
from router.engine.core import Admission, Draft
from router.engine.journal import Order
from router.engine.shell import Engine
from router.engine.store.port import HasReserve, Store

LATENESS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds; a hop of 8 s that is late by more than 50 ms is audible as a gap."""


_DEADLINE = DeadlineReached.__name__.encode()


class EngineMetrics:
    """Counts what an engine does. One per registry."""

    def __init__(self, engine: Engine, registry: CollectorRegistry) -> None:
        self._engine = engine
        self._events = Counter("hopline_events", "Events admitted", ["kind", "event"], registry=registry)
        self._effects = Counter("hopline_effects", "Effects committed", ["lane", "effect"], registry=registry)
        self._commits = Counter("hopline_commits", "Transactions committed", registry=registry)
        self._errors = Counter(
            "hopline_admission_errors", "Events that a machine or the store refused", ["kind"], registry=registry
        )
        self._findings = Counter("hopline_auditor_findings", "Should stay 0", ["finding"], registry=registry)
        self._lateness = Histogram(
            "hopline_deadline_lateness_seconds",
            "Deadline handled after its instant",
            registry=registry,
            buckets=LATENESS,
        )
        self.maybe_rung_twice = Counter(
            "hopline_maybe_rung_twice",
            "Rings sent again after a restart that may have been sent before",
            registry=registry,
        )
        self.quarantine = Gauge("hopline_quarantine_rows", "Payloads and facts kept for a person", registry=registry)
        self.draining = Gauge("hopline_draining", "1 while no new call is taken", registry=registry)
        self.clock_offset = Gauge("hopline_clock_offset_seconds", "Wall clock ahead of the engine's", registry=registry)
        self.clock_offset.set_function(lambda: engine.clock.offset() / 1_000_000)
        registry.register(_Levels(engine))
        engine.observers.append(self._committed)
        engine.troubles.append(self._trouble)

    def found(self, finding: Finding) -> None:
        """The auditor found something."""
        self._findings.labels(finding.what).inc()

    def _committed(self, draft: Draft, orders: list[Order]) -> None:
        self._commits.inc()
        # Counted in plain dictionaries first: a labelled counter takes a lock and a look-up for each increment.
        events: dict[tuple[str, bytes], int] = {}
        for record in draft.batch.records:
            # The event's type is in its bytes; decoding it again only to count would cost more than the counting.
            name = record.event[9 : record.event.index(b'"', 9)]
            key = (record.kind, name)
            events[key] = events.get(key, 0) + 1
            if name == _DEADLINE and record.source == "timer":
                self._lateness.observe(_late_by(record.event, record.at))
        for (kind, name), times in events.items():
            self._events.labels(kind, name.decode()).inc(times)
        effects: dict[tuple[str, type[Effect]], int] = {}
        for order in orders:
            sort = (order.delivery.lane, type(order.effect))
            effects[sort] = effects.get(sort, 0) + 1
        for (lane, effect), times in effects.items():
            self._effects.labels(lane, effect.__name__).inc(times)

    def _trouble(self, admission: Admission, error: Exception) -> None:
        self._errors.labels(admission.chain.partition(":")[0]).inc()


class _Levels(Collector):
    """Levels are read when Prometheus asks."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> list[GaugeMetricFamily]:
        """One reading."""
        engine = self._engine
        live = GaugeMetricFamily("hopline_live_chains", "Chains that are not final", labels=["kind"])
        counts: dict[str, int] = {}
        for chain in list(engine.core.live.values()):
            if not chain.final:
                counts[chain.machine.kind] = counts.get(chain.machine.kind, 0) + 1
        for kind, count in sorted(counts.items()):
            live.add_metric([kind], count)
        waiting = GaugeMetricFamily("hopline_outbox_orders", "Effects not yet done", labels=["lane"])
        for lane, count in sorted(engine.outbox.lanes().items()):
            waiting.add_metric([lane], count)
        held = GaugeMetricFamily("hopline_claims", "People held by a chain", value=len(engine.core.claims.all()))
        waits = GaugeMetricFamily(
            "hopline_waits", "Chains that wait for somebody", value=len(engine.core.claims.waiting())
        )
        writable = GaugeMetricFamily(
            "hopline_journal_writable", "1 while the journal takes events", value=engine.writable
        )
        sight = GaugeMetricFamily("hopline_out_of_sight", "1 for a neighbour that cannot be seen", labels=["lane"])
        for lane in sorted(engine.lanes_out_of_sight()):
            sight.add_metric([lane], 1)
        reserve = GaugeMetricFamily(
            "hopline_reserve", "1 while room is put by for a full disk", value=_reserve(engine.store)
        )
        aside = GaugeMetricFamily("hopline_aside", "Effects given up that wait for a person", value=len(engine.aside))
        foreign = GaugeMetricFamily("hopline_foreign", "Set aside: this release cannot read it", labels=["what"])
        foreign.add_metric(["chain"], len(engine.core.foreign))
        foreign.add_metric(["order"], len(engine.foreign_orders))
        return [live, waiting, held, waits, writable, sight, reserve, aside, foreign]


def _late_by(event: bytes, at: int) -> float:
    deadline = int(event[event.rindex(b":") + 1 : -1])
    return max(0, at - deadline) / 1_000_000


def _reserve(store: Store) -> float:
    return float(store.reserve_made) if isinstance(store, HasReserve) else 1.0
