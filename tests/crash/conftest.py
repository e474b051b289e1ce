"""The cases of the session, begun together as soon as the first test asks for one."""

import os
from collections.abc import Iterator

import pytest

from tests.crash.case import Telling
from tests.crash.places import Case
from tests.crash.runs import Runs


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All selected cases run side by side; a test waits for its own. A worker of xdist begins each when it is asked."""
    running = Runs(tmp_path_factory.mktemp("crash"))
    try:
        if "PYTEST_XDIST_WORKER" not in os.environ:
            calls = [getattr(item, "callspec", None) for item in request.session.items]
            found = [value for call in calls if call is not None for value in call.params.values()]
            running.begin([value for value in found if isinstance(value, Case | Telling)])
        yield running
    finally:
        running.close()
