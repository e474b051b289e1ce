"""What heads and callers do, as values; each names a SIPp scenario under `scenarios/` and its numbers.

Delays end 0 to 12 ms late, 4 ms in the median (SIPp's own timers, 2 cores; measured on the wire).
"""

from dataclasses import dataclass, field
from pathlib import Path
from string import Template

SCENARIOS = Path(__file__).parent / "scenarios"


@dataclass(frozen=True)
class Script:
    """A SIPp scenario with its numbers filled in."""

    scenario: str
    values: dict[str, int] = field(default_factory=dict)

    def render(self) -> str:
        """The scenario's XML. `$cseq`-like names of SIPp itself stay as they are."""
        return Template((SCENARIOS / f"{self.scenario}.xml").read_text()).safe_substitute(self.values)


@dataclass(frozen=True)
class HeadScript(Script):
    """A phone's behaviour. Without a scenario: `deaf` holds the port and says nothing, else nobody is there at all."""

    deaf: bool = False


@dataclass(frozen=True)
class CallerScript(Script):
    """A caller's behaviour."""


# ---- heads -----------------------------------------------------------------------------------------------------------


def never_answers() -> HeadScript:
    """Rings until told to stop."""
    return HeadScript("head_never")


def answers(after_ms: int = 0, talk_ms: int | None = None) -> HeadScript:
    """Rings and answers after so long (0: without ringing); talks until BYE, or hangs up after `talk_ms`."""
    name = "head_answers_later" if after_ms > 0 else "head_answers_at_once"
    if talk_ms is None:
        return HeadScript(name, {"after_ms": after_ms})
    return HeadScript(f"{name}_hangs_up", {"after_ms": after_ms, "talk_ms": talk_ms})


def refuses(status: int, after_ms: int = 0) -> HeadScript:
    """Refuses with a SIP status: at once, or after ringing for so long."""
    name = "head_refuses_later" if after_ms > 0 else "head_refuses_at_once"
    return HeadScript(name, {"status": status, "after_ms": after_ms})


def busy() -> HeadScript:
    """486 at once."""
    return refuses(486)


def declines(after_ms: int = 0) -> HeadScript:
    """603: somebody pressed the red button."""
    return refuses(603, after_ms)


def unavailable() -> HeadScript:
    """480 at once: do not disturb, or not logged in."""
    return refuses(480)


def silent() -> HeadScript:
    """The network is gone: packets arrive nowhere, nothing ever comes back."""
    return HeadScript("", deaf=True)


def absent() -> HeadScript:
    """No program on the port."""
    return HeadScript("")


# ---- callers ---------------------------------------------------------------------------------------------------------


def waits() -> CallerScript:
    """Waits for whatever comes; talks until the other side hangs up."""
    return CallerScript("caller_waits")


def talks(talk_ms: int) -> CallerScript:
    """Waits, and hangs up after so much talk."""
    return CallerScript("caller_talks", {"talk_ms": talk_ms})


def cancels(after_ms: int) -> CallerScript:
    """Gives up so long after Asterisk took the call; hangs up at once if it is answered before that."""
    return CallerScript("caller_cancels", {"after_ms": after_ms})
