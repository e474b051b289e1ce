"""How a played phone behaves when it is rung. Times in played seconds from the ring's beginning."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Refusal:
    """The phone says no: what Asterisk makes of its SIP answer (asterisk res/res_pjsip.c, ast_sip_hangup_sip2cause)."""

    cause: int
    sip: int
    dial: str
    """`dialstatus` of the final Dial event, as measured: 603 and 480 both come as NOANSWER."""


BUSY = Refusal(17, 486, "BUSY")
DECLINE = Refusal(21, 603, "NOANSWER")
UNAVAILABLE = Refusal(19, 480, "NOANSWER")


@dataclass(frozen=True)
class Phone:
    """One head's phone."""

    rings_after: float | None = 0.0
    """None: gives no sign of life."""
    answers_after: float | None = None
    refuses: Refusal | None = None
    refuses_after: float = 0.0
    talks: float | None = None
    """Hangs up so long after its answer; None: never."""
    registered: bool = True
    """False: Asterisk knows that it is gone and cannot allocate a channel."""


NEVER_ANSWERS = Phone()
SILENT = Phone(rings_after=None)
GONE = Phone(registered=False)
