"""The lists of docs/operations.md are complete: metrics, log events, alerts."""

import re

import yaml
from prometheus_client import REGISTRY, CollectorRegistry

import router.telephony_adapter.asterisk.metrics
import router.telephony_adapter.webhook.metrics  # noqa: F401 - both declare theirs in the common registry
from router.engine.clock import VirtualClock
from router.engine.core import Core
from router.engine.metrics import EngineMetrics
from router.engine.shell import Engine
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from tests.docs.code import log_events, unnamed_log_lines
from tests.docs.papers import ROOT, text


def table(heading: str) -> dict[str, list[str]]:
    """First cell -> the other cells, of the table under a heading."""
    part = re.split(
        r"^## ", text("docs/operations.md").partition(f"\n## {heading}\n")[2], maxsplit=1, flags=re.MULTILINE
    )[0]
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")] for line in part.splitlines() if line[:3] == "| `"
    ]
    assert rows, f"no table under {heading}"
    names = [row[0].strip("`") for row in rows]
    assert len(names) == len(set(names)), "listed twice"
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_metric_is_listed_and_no_other() -> None:
    registry = CollectorRegistry()
    EngineMetrics(Engine(Core((), {}, Vault()), SqliteStore(":memory:"), VirtualClock()), registry)
    families = [*registry.collect(), *REGISTRY.collect()]
    declared = {
        f"{family.name}_total" if family.type == "counter" else family.name
        for family in families
        if family.name.startswith("hopline_")
    }
    assert set(table("Metrics")) == declared


def test_every_log_event_is_listed_with_its_level_and_no_other() -> None:
    assert unnamed_log_lines() == []
    listed = {name: set(cells[0].split(", ")) for name, cells in table("Log events").items()}
    assert listed == log_events()


def test_every_alert_is_listed_with_its_severity_and_no_other() -> None:
    rules = yaml.safe_load((ROOT / "deploy/prometheus/hopline.rules.yml").read_text(encoding="utf-8"))
    alerts = {
        rule["alert"]: rule["labels"]["severity"]
        for group in rules["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert {name: cells[-1] for name, cells in table("Alerts").items()} == alerts


def test_every_route_of_health_is_listed() -> None:
    source = (ROOT / "router/health.py").read_text(encoding="utf-8")
    assert set(table("Health")) == set(re.findall(r'web\.get\("(/[a-z]+)"', source))
