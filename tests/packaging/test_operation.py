"""The papers of operation: compose, unit, proxies and Prometheus rules speak of commands and paths that exist."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.packaging.programs import program
from tests.packaging.tree import ROOT

pytestmark = pytest.mark.packaging


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


RULES = "deploy/prometheus/hopline.rules.yml"


def rules() -> list[dict[str, Any]]:
    """All rules of all groups."""
    return [rule for group in yaml.safe_load(read(RULES))["groups"] for rule in group["rules"]]


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(read("compose.yaml"))
    return loaded


def test_compose_starts_the_server_alone_by_default(compose: dict[str, Any]) -> None:
    assert [name for name, service in compose["services"].items() if "profiles" not in service] == ["hopline"]
    others = {name: service["profiles"] for name, service in compose["services"].items() if "profiles" in service}
    assert set(others) == {"mosquitto", "redis", "postgres", "prometheus"}


def test_compose_names_volumes_and_files_that_exist(compose: dict[str, Any]) -> None:
    mounts = [mount for service in compose["services"].values() for mount in service.get("volumes", [])]
    sources = {mount.split(":")[0] for mount in mounts}
    named = {source for source in sources if not source.startswith(".")}
    assert named == set(compose["volumes"])
    assert {source for source in sources - named if not (ROOT / source).exists()} == {"./hopline.toml"}


def test_compose_publishes_on_loopback_only(compose: dict[str, Any]) -> None:
    ports = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert ports
    assert [port for port in ports if not str(port).startswith("127.0.0.1:")] == []


def test_the_server_finds_its_data_in_the_same_place_everywhere(compose: dict[str, Any]) -> None:
    assert "hopline-data:/var/lib/hopline" in compose["services"]["hopline"]["volumes"]
    unit = read("deploy/systemd/hopline.service")
    assert "\nWorkingDirectory=/var/lib/hopline\n" in unit
    assert "\nStateDirectory=hopline\n" in unit
    assert "\nVOLUME /var/lib/hopline\n" in read("Dockerfile")


def test_the_unit_is_not_run_by_root_and_always_comes_back() -> None:
    unit = dict(re.findall(r"^(\w+)=(.*)$", read("deploy/systemd/hopline.service"), re.MULTILINE))
    assert unit["DynamicUser"] == "yes"
    assert unit["Restart"] == "always"
    assert unit["StartLimitIntervalSec"] == "0"


@pytest.mark.parametrize("name", ["deploy/proxy/nginx.conf", "deploy/proxy/Caddyfile"])
def test_proxies_do_not_hold_live_pages_back(name: str) -> None:
    text = read(name)
    assert "127.0.0.1:8080" in text
    assert "proxy_buffering off;" in text or "flush_interval -1" in text
    assert "`public_url`" in text


def test_prometheus_rules_are_well_formed() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) >= 1
    for rule in alerts:
        assert rule["expr"].strip()
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["action"], "an alert without something to do is noise"


def test_promtool_reads_rules_and_configuration() -> None:
    promtool = program("prometheus", "usr/bin/promtool")
    subprocess.run([promtool, "check", "config", ROOT / "deploy/prometheus/prometheus.yml"], check=True)
    subprocess.run([promtool, "check", "rules", "--lint-fatal", ROOT / RULES], check=True)


def test_the_rules_fire_when_they_should_and_only_then(tmp_path: Path) -> None:
    promtool = program("prometheus", "usr/bin/promtool")
    played = tmp_path / "test.yml"
    played.write_text(
        f"rule_files: [{ROOT / RULES}]\n" + read("tests/packaging/hopline.rules.test.yml"), encoding="utf-8"
    )
    done = subprocess.run([promtool, "test", "rules", played], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_in_the_rules_exists() -> None:
    """As the server itself declares them; Prometheus would wait for a misspelt one without a word."""
    declared: set[str] = set()
    for path in (ROOT / "router").rglob("*.py"):
        declared |= set(re.findall(r'"(hopline_[a-z_]+)"', path.read_text(encoding="utf-8")))
    used = set(re.findall(r"\b(hopline_[a-z_]+)\b", "\n".join(rule["expr"] for rule in rules())))
    assert used
    plain = {name: re.sub(r"_(total|bucket|count|sum)$", "", name) for name in used}
    assert {name for name, bare in plain.items() if not {name, bare} & declared} == set()


def test_caddy_reads_its_example() -> None:
    caddy = program("caddy", "usr/bin/caddy")
    command: list[str | Path] = [caddy, "adapt", "--adapter", "caddyfile", "--config", ROOT / "deploy/proxy/Caddyfile"]
    adapted = subprocess.run(command, capture_output=True, text=True, check=False)
    assert adapted.returncode == 0, adapted.stderr
    assert '"flush_interval":-1' in adapted.stdout
