"""The played company as a fixture."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.played import Played, played


@pytest.fixture
async def company(tmp_path: Path) -> AsyncIterator[Played]:
    """Three heads, one line, a PBX that only listens."""
    async with played(tmp_path) as company:
        yield company
