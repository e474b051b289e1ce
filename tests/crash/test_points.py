"""kill -9 at every named crash point: the call goes on, nothing is done twice, nothing is lost."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import router.engine.store.reading  # noqa: F401 - declares its points
from router.engine import crashes
from tests.crash import places
from tests.crash.case import KILLED
from tests.crash.places import Case
from tests.crash.plays import MOMENTS
from tests.crash.runs import Runs

pytestmark = [pytest.mark.crash, pytest.mark.slow, pytest.mark.timeout(1800)]

CASES = list(places.cases())


@pytest.mark.parametrize("play", MOMENTS)
def test_an_undisturbed_call_goes_as_played(runs: Runs, play: str) -> None:
    _, complaints = runs.counted(play).result()
    assert complaints == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_call_survives(runs: Runs, case: Case) -> None:
    verdict = runs.verdict(case)
    side = "" if ":" in case.place or case.place in {"engine.started", "sqlite.written"} else ":before"
    assert verdict.reached == f"crash point {case.place}{side} reached"
    assert verdict.exits[-1] == KILLED
    assert verdict.complaints == []
