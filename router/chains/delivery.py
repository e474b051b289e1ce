"""How the effects of all chains travel: lane, key, urgency. One place, so that keys of different chains agree."""

from typing import assert_never

from router.basis.machine import Delivery, Urgency
from router.chains.effects import (
    Announce,
    Connect,
    KeepRecording,
    LookAtCall,
    RecordingEffect,
    Release,
    RingBack,
    RingLeg,
    SendToFallback,
    ShowCard,
    StartRecording,
    StopLeg,
    TelephonyEffect,
)

AnyEffect = TelephonyEffect | RecordingEffect | ShowCard

INBOX = "inbox"
"""Lane of the built-in inbox."""


def pbx_lane(pbx: str) -> str:
    """The lane of a PBX."""
    return f"pbx:{pbx}"


class Keys:
    """Effect keys: one object of the world each."""

    @staticmethod
    def leg(pbx: str, leg: str) -> str:
        """One ring of one phone."""
        return f"{pbx}/leg/{leg}"

    @staticmethod
    def call(pbx: str, call: str, what: str) -> str:
        """One aspect of a call: `ringback`, `connect`, `release`, `fallback`, `look`."""
        return f"{pbx}/call/{call}/{what}"

    @staticmethod
    def whole_call(pbx: str, call: str) -> tuple[str, ...]:
        """All that is over when the caller is gone."""
        return tuple(Keys.call(pbx, call, what) for what in ("ringback", "connect", "release", "fallback", "look"))


def delivery_of(effect: AnyEffect) -> Delivery:
    """How an effect travels."""
    match effect:
        case RingBack(pbx, call, best_before):
            key = Keys.call(pbx, call, "ringback")
            return Delivery(pbx_lane(pbx), Urgency.NOW_OR_NEVER, key, best_before)
        case RingLeg():
            after = Keys.leg(effect.pbx, effect.after) if effect.after else None
            key = Keys.leg(effect.pbx, effect.leg)
            return Delivery(pbx_lane(effect.pbx), Urgency.NOW_OR_NEVER, key, effect.best_before, after)
        case StopLeg(pbx, _, leg, _):
            return Delivery(pbx_lane(pbx), Urgency.UNTIL_TRUE, Keys.leg(pbx, leg))
        case Connect(pbx, call, _):
            return Delivery(pbx_lane(pbx), Urgency.UNTIL_TRUE, Keys.call(pbx, call, "connect"))
        case Release(pbx, call, _):
            return Delivery(pbx_lane(pbx), Urgency.UNTIL_TRUE, Keys.call(pbx, call, "release"))
        case SendToFallback(pbx, call):
            return Delivery(pbx_lane(pbx), Urgency.UNTIL_TRUE, Keys.call(pbx, call, "fallback"))
        case LookAtCall(pbx, call, _, best_before):
            return Delivery(pbx_lane(pbx), Urgency.NOW_OR_NEVER, Keys.call(pbx, call, "look"), best_before)
        case Announce(pbx, call, _, _, best_before) | StartRecording(pbx, call, _, best_before):
            return Delivery(pbx_lane(pbx), Urgency.NOW_OR_NEVER, Keys.call(pbx, call, "record"), best_before)
        case KeepRecording(pbx, call, _):
            return Delivery(pbx_lane(pbx), Urgency.SOONER_OR_LATER, Keys.call(pbx, call, "keep"))
        case ShowCard(card):
            return Delivery(INBOX, Urgency.SOONER_OR_LATER, f"card/{card}", supersedes=True)
        case _:
            assert_never(effect)
