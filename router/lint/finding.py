"""One finding."""

from typing import Literal

import msgspec


class Finding(msgspec.Struct, frozen=True):
    """Something wrong or doubtful in a directory."""

    code: str
    """A key of `router.texts.findings.SENTENCES`."""
    severity: Literal["error", "warning"]
    chain: str = ""
    person: str = ""
    params: dict[str, str] = {}
    """What the sentence names: seconds, dates (ISO 8601), times, calendars."""
