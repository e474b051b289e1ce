"""Days of traffic: in an exact world every number is exact; under faults every call is still accounted for."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from router.basis.instants import MINUTE
from router.engine import crashes
from simulators.faults import CLIMATES, MILD, NONE, WILD, Faults
from simulators.simulation import PLACES, Setup, Simulation
from simulators.verdict import Report, judged, play

MORNING = Setup(from_hour=10, to_hour=11.5)

ONE_DAY = """
from simulators.faults import WILD
from simulators.simulation import Setup
from simulators.verdict import play
print(play(Setup(seed=9, faults=WILD)).verdict.hash)
"""

SEEDS = Path(__file__).with_name("seeds.txt")


def told(report: Report) -> str:
    """What a failed run says."""
    return "\n".join([str(report.summary()), *report.verdict.unaccounted[:5], *map(str, report.violations[:10])])


def failed_once() -> list[tuple[str, int, int]]:
    """Climate, seed, days of the seeds that are kept."""
    rows = [line.split() for line in SEEDS.read_text().splitlines() if line and not line.startswith("#")]
    return [(row[0], int(row[1]), int(row[2])) for row in rows]


@pytest.mark.parametrize("faults", [NONE, MILD, WILD], ids=lambda faults: str(faults.name))
def test_a_morning(faults: Faults) -> None:
    report = play(replace(MORNING, seed=3, faults=faults))
    assert report.clean, told(report)
    assert report.verdict.calls > 25
    assert report.verdict.answered > 10


def test_an_exact_morning_is_exact_to_the_microsecond() -> None:
    report = play(Setup(seed=4, to_hour=12))
    assert report.clean, told(report)
    assert report.verdict.calls >= 60
    assert {name: deviation for name, deviation in report.verdict.extremes.items() if deviation > 0} == {}


def test_faults_really_happen() -> None:
    report = play(replace(MORNING, seed=6, faults=replace(WILD, kill_every=10 * MINUTE)))
    assert report.clean, told(report)
    assert report.deaths >= 5
    assert report.never_told > 0
    assert report.verdict.extremes["silence"] > 0


@pytest.mark.parametrize("faults", [NONE, WILD], ids=lambda faults: str(faults.name))
def test_the_same_seed_is_the_same_history(faults: Faults) -> None:
    setup = Setup(seed=6, faults=faults, from_hour=11, to_hour=12)
    first, second = play(setup), play(setup)
    assert first.verdict.hash == second.verdict.hash
    assert first.verdict.events == second.verdict.events > 200


def test_another_seed_is_another_history() -> None:
    hashes = {play(Setup(seed=seed, from_hour=10, to_hour=11)).verdict.hash for seed in (1, 2)}
    assert len(hashes) == 2


@pytest.mark.slow
def test_a_journal_in_a_file_survives_the_deaths(tmp_path: Path) -> None:
    setup = Setup(seed=3, faults=WILD, journal=str(tmp_path / "journal.db"), from_hour=11, to_hour=12)
    simulation = Simulation(setup)
    simulation.run()
    report = judged(simulation)
    simulation.store.file.close()
    assert report.clean, told(report)
    assert report.deaths >= 1
    assert report.verdict.hash == play(Setup(seed=3, faults=WILD, from_hour=11, to_hour=12)).verdict.hash


def test_kills_strike_at_crash_points() -> None:
    named = {place.removesuffix(":before").removesuffix(":after") for place in PLACES}
    assert named <= crashes.POINTS.keys()


@pytest.mark.parametrize(("climate", "seed", "days"), failed_once())
@pytest.mark.slow
def test_what_failed_once(climate: str, seed: int, days: int) -> None:
    report = play(Setup(days=days, seed=seed, faults=CLIMATES[climate]))
    assert report.clean, told(report)


@pytest.mark.slow
def test_every_place_has_been_fatal() -> None:
    killed: set[str] = set()
    twins = 0
    for seed in range(1, 5):
        report = play(Setup(days=3, seed=seed, faults=replace(WILD, kill_every=6 * MINUTE)))
        assert report.clean, told(report)
        killed |= report.killed_at.keys()
        twins += report.card_twins
    assert set(PLACES) <= killed
    assert twins > 0  # a death between the showing of a card and its note: shown again, known by its revision


@pytest.mark.slow
def test_the_same_seed_is_the_same_history_in_every_process() -> None:
    hashes: set[str] = set()
    for hash_seed in ("0", "1"):  # the order of Python's sets must decide nothing
        said = subprocess.run(
            [sys.executable, "-c", ONE_DAY], env={**os.environ, "PYTHONHASHSEED": hash_seed}, capture_output=True,
            check=True, text=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        hashes.add(said.stdout)
    assert len(hashes) == 1
    assert len(hashes.pop().strip()) == 64


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("faults", [NONE, MILD, WILD], ids=lambda faults: str(faults.name))
def test_a_week(faults: Faults, seed: int) -> None:
    report = play(Setup(days=7, seed=seed, faults=faults))
    assert report.clean, told(report)
    assert report.verdict.calls > 1_000


@pytest.mark.slow
@pytest.mark.parametrize("faults", [NONE, WILD], ids=lambda faults: str(faults.name))
def test_a_pbx_without_a_timer(faults: Faults) -> None:
    report = play(Setup(days=2, seed=8, faults=faults, timer="server"))
    assert report.clean, told(report)
