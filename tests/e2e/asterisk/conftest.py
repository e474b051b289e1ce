"""One Asterisk for all tests of a file. They share it by using different heads and lines.

Who uses which heads (fives; line 7GXX dials the G-th five):

    101..140    test_rig.py, lines 91xx and 92xx
    141..180    tests of the adapter and of the whole server, other lines
"""

import os
from collections.abc import Iterator

import pytest

from tests.e2e.asterisk.rig import Rig, what_is_missing
from tests.support.left_out import leave_out

HEADS = 80


@pytest.fixture(scope="module")
def asterisk_rig() -> Iterator[Rig]:
    """One Asterisk for each file: what a test leaves in it (a connected application, a phone that is asked for) is no
    other file's trouble; a start takes about two seconds."""
    if missing := what_is_missing():
        if os.environ.get("CI"):
            pytest.fail(f"no real Asterisk: {missing}", pytrace=False)
        leave_out(f"no real Asterisk: {missing}")
    # 136 and 137 are asked every second whether they are there
    with Rig(heads=HEADS, qualify={136: 1, 137: 1}) as running:
        yield running


@pytest.fixture
def rig(asterisk_rig: Rig) -> Iterator[Rig]:
    """Heads 101..180, nobody on any of them until the test puts somebody there; cleared after each test."""
    yield asterisk_rig
    asterisk_rig.rest()
