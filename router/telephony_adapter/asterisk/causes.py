"""How a leg ended, judged from what Asterisk says of its end. Pure."""

from router.chains.events import Disposition
from router.telephony_adapter.asterisk.legs import Leg
from router.telephony_adapter.asterisk.wire import ELSEWHERE, NO_ANSWER, NORMAL

# Q.850 as asterisk include/asterisk/causes.h numbers it; SIP answers are brought to it in asterisk res/res_pjsip.c
# (ast_sip_hangup_sip2cause).
_BY_CAUSE = {
    1: Disposition.UNREACHABLE,  # unallocated: 404, 485, 604
    3: Disposition.UNREACHABLE,  # no route
    17: Disposition.BUSY,  # 486, 600
    18: Disposition.UNREACHABLE,  # no response: 408, or no answer at all within 64 * T1
    20: Disposition.UNREACHABLE,  # absent: not registered
    21: Disposition.DECLINED,  # 401, 403, 407, 603
    ELSEWHERE: Disposition.ELSEWHERE,  # the phone's group picked it up
    27: Disposition.UNREACHABLE,  # out of order: 502
    44: Disposition.UNREACHABLE,  # channel unavailable
}
_BY_DIAL = {"BUSY": Disposition.BUSY, "CHANUNAVAIL": Disposition.UNREACHABLE}
"""Local channels end with cause 0; their Dial event still says it."""


def how_ended(leg: Leg, cause: int) -> Disposition:
    """The technical end. Decided by ChannelDestroyed; of Dial only whether the phone itself refused is taken.

    SIP code 480 stands for three ends (measured on Asterisk 22): the phone sent it (Dial NOANSWER came before),
    Asterisk's own timeout (no final Dial), our stop with reason 19 (a soft hang-up request came before).
    """
    if leg.up and not leg.stopped_ringing and leg.stop != "elsewhere":
        return Disposition.COMPLETED
    if leg.stop:
        return Disposition.ELSEWHERE if leg.stop == "elsewhere" else Disposition.CANCELLED
    if leg.soft:  # ended through ARI before this server's start, or at the console
        return Disposition.ELSEWHERE if cause == ELSEWHERE else Disposition.CANCELLED
    if cause == NO_ANSWER:
        return _unanswered(leg)
    if cause == 0:
        return _BY_DIAL.get(leg.final_dial, Disposition.FAILED if leg.rang else Disposition.UNREACHABLE)
    if cause == NORMAL and not leg.rang:
        return Disposition.UNREACHABLE
    return _BY_CAUSE.get(cause, Disposition.FAILED)


def how_refused(cause: int) -> Disposition:
    """How a phone that a transfer rang did not take the client."""
    return _BY_CAUSE.get(cause, Disposition.NO_ANSWER)


def _unanswered(leg: Leg) -> Disposition:
    if leg.final_dial:
        # RFC 3261 21.4.18: the phone was reached and says that its user is not available (do not disturb): a refusal.
        return Disposition.DECLINED
    # A phone that gave no sign of life in its whole time is off, whatever Asterisk calls it.
    return Disposition.NO_ANSWER if leg.rang else Disposition.UNREACHABLE
