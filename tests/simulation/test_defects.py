"""The judges see: each planted defect is caught by its judge, and the same run without it is clean."""

import pytest

from simulators.checkers import ALL
from simulators.defects import BUSY_MORNING, DEFECTS, Defect
from simulators.simulation import Setup
from simulators.verdict import play

HEALTHY = {repr(defect.setup): defect.setup for defect in DEFECTS}


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: str(defect.name))
def test_caught(defect: Defect) -> None:
    with defect.planted():
        report = play(defect.setup)
    assert report.verdict.by_checker[defect.caught_by] > 0, (defect.tale, report.summary())
    assert bool(report.verdict.unaccounted) == defect.unaccounted
    assert not report.clean


@pytest.mark.slow
@pytest.mark.parametrize("setup", HEALTHY.values(), ids=lambda setup: f"{setup.faults.name}-{setup.timer}")
def test_the_same_run_without_a_defect_is_clean(setup: Setup) -> None:
    report = play(setup)
    assert report.clean, (report.summary(), report.violations[:5])


def test_the_busy_morning_without_a_defect_is_clean() -> None:
    report = play(BUSY_MORNING)
    assert report.clean, (report.summary(), report.violations[:5])


def test_every_judge_has_somebody_to_catch() -> None:
    assert len(DEFECTS) >= 10
    assert {defect.caught_by for defect in DEFECTS} == {checker.name for checker in ALL}
