"""The cases of the session, begun together as soon as the first test asks for one."""

import os
from collections.abc import Iterator

import pytest

from tests.crash.places import Case
from tests.crash.runs import Runs


@pytest.fixture(scope="session")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """All selected cases run side by side; a test waits for its own. Under xdist each worker begins what it is given."""
    running = Runs(tmp_path_factory.mktemp("crash"))
    try:
        if "PYTEST_XDIST_WORKER" not in os.environ:
            calls = [getattr(item, "callspec", None) for item in request.session.items]
            found = [call.params.get("case") for call in calls if call is not None]
            running.begin([case for case in found if isinstance(case, Case)])
        yield running
    finally:
        running.close()
