"""The PBX's own record: what really happened on its side, whatever the server believes.

Checkers judge by this record and by the journal, by nothing else. `entries` is the diary, in order; `stories` says the
same per call. Times are microseconds of the switchboard's clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

End = Literal["talked", "caller_left", "released", "fallback_answered", "fallback_unanswered"]
"""How a call ended on the PBX's side. `released`: hung up by order of the server, without a talk."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the diary."""

    at: int
    what: str
    """`arrived`, `command`, `ordered`, `ringing`, `answered`, `leg_ended`, `talk_began`, `talk_ended`, `fallback_took`,
    `fallback_answered`, `call_ended`, `phone`; the HTTP edge adds `delivered`, `refused`, `undelivered`."""
    call: str = ""
    leg: str = ""
    extension: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """As a line of the JSONL file: empty fields left out."""
        row: dict[str, Any] = {"at_us": self.at, "what": self.what}
        row.update((name, value) for name in ("call", "leg", "extension") if (value := getattr(self, name)))
        return row | self.more


@dataclass(slots=True)
class Ring:
    """One ring as the phone had it."""

    leg: str
    extension: str
    ordered: int
    ringing: int | None = None
    """When the phone began to ring; None: it never did."""
    answered: int | None = None
    ended: int | None = None
    how: str = ""


@dataclass(slots=True)
class Talk:
    """Client and head connected."""

    leg: str
    extension: str
    began: int
    ended: int | None = None
    by: str = ""


@dataclass(slots=True)
class Story:
    """One call from arrival to end."""

    call: str
    line: str
    caller: str
    arrived: int
    rings: list[Ring] = field(default_factory=list)
    talks: list[Talk] = field(default_factory=list)
    fallback: str = ""
    """Why the fallback plan ran; empty: it did not."""
    fallback_answered_by: str = ""
    ended: int | None = None
    end: End | None = None

    def ring(self, leg: str) -> Ring:
        """The ring with this leg id. Raises StopIteration for a leg that was never ordered."""
        return next(ring for ring in self.rings if ring.leg == leg)


class Record:
    """Diary and stories; `on_entry` sees each line as it is written (a file, for a process that may be killed)."""

    def __init__(self, on_entry: Callable[[Entry], None] | None = None) -> None:
        self.entries: list[Entry] = []
        self.stories: dict[str, Story] = {}
        self._on_entry = on_entry

    def write(self, at: int, what: str, call: str = "", leg: str = "", extension: str = "", **more: Any) -> None:
        """Add one line and bring the call's story up to date."""
        entry = Entry(at, what, call, leg, extension, more)
        self.entries.append(entry)
        if what == "arrived":
            self.stories[call] = Story(call, more["line"], more["caller"], at)
        elif story := self.stories.get(call):
            _retell(story, entry)
        if self._on_entry is not None:
            self._on_entry(entry)


def _retell(story: Story, entry: Entry) -> None:
    at, more = entry.at, entry.more
    match entry.what:
        case "ordered":
            story.rings.append(Ring(entry.leg, entry.extension, at))
        case "ringing":
            story.ring(entry.leg).ringing = at
        case "answered":
            story.ring(entry.leg).answered = at
        case "leg_ended":
            ring = story.ring(entry.leg)
            ring.ended, ring.how = at, more["how"]
        case "talk_began":
            story.talks.append(Talk(entry.leg, entry.extension, at))
        case "talk_ended":
            story.talks[-1].ended, story.talks[-1].by = at, more["by"]
        case "fallback_took":
            story.fallback = more["why"]
        case "call_ended":
            story.ended, story.end = at, more["end"]
            story.fallback_answered_by = more.get("answered_by", "")
        case _:
            pass  # a command or a delivery: the diary has it
