"""A file that only takes room beside the journal: given up when the disk is full, so that calls under way still commit.

New calls then go to the PBX's own plan (`router.switch`); when there is room again, the file is made anew.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

MEGABYTE = 1024 * 1024

ROOM_TO_MAKE = 2
"""It is made only where this many times its size is free: else making it would be what fills the disk."""


class Reserve:
    """One file of a fixed size; a size of 0: there is none, and nothing is given up."""

    def __init__(self, path: Path, size: int) -> None:
        """`size` in bytes."""
        self._path = path
        self.size = size

    @property
    def made(self) -> bool:
        """Whether it is there in its full size."""
        try:
            return self.size > 0 and self._path.stat().st_size == self.size
        except OSError:
            return False

    def make(self) -> bool:
        """Take the room if there is enough; True if it is there afterwards."""
        if self.made or self.size == 0:
            return self.made
        try:
            if shutil.disk_usage(self._path.parent).free < ROOM_TO_MAKE * self.size:
                return False
            with self._path.open("wb") as file:
                # Real blocks, not a hole: a sparse file would give nothing back (posix_fallocate(3)).
                os.posix_fallocate(file.fileno(), 0, self.size)
                os.fsync(file.fileno())
        except OSError:
            with suppress(OSError):
                self._path.unlink(missing_ok=True)
            return False
        return True

    def give_up(self) -> bool:
        """Give the room back; True if there was any to give."""
        if not self.made:
            return False
        try:
            self._path.unlink()
        except OSError:
            return False
        return True
