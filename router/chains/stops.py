"""Stopping legs of a call, and the effect keys that name them."""

from typing import Literal

from router.basis.instants import Instant
from router.basis.machine import Effect
from router.chains.delivery import Keys
from router.chains.effects import StopLeg
from router.chains.enquiry import File, Hop, with_fading, with_hop
from router.chains.events import Disposition

StopWhy = Literal["no_answer", "elsewhere", "caller_gone", "talk_over"]


def leg_key(file: File, leg: str) -> str:
    """The effect key of a leg of this call."""
    return Keys.leg(file.pbx, leg)


def connect_key(file: File) -> str:
    """The effect key of joining a head with the caller."""
    return Keys.call(file.pbx, file.call, "connect")


def stopped(
    file: File,
    hop: Hop,
    how: Disposition,
    why: StopWhy,
    at: Instant,
    *,
    ended: Instant | None = None,
    holds: bool = True,
) -> tuple[File, tuple[Effect, ...]]:
    """The offer is over and its leg told to stop; until that is confirmed the leg fades and keeps its head."""
    file = with_fading(with_hop(file, hop, how, ended or at), hop.leg, hop.person, at, holds=holds)
    return file, (StopLeg(file.pbx, file.call, hop.leg, why),)


def stopped_all(
    file: File, hops: tuple[Hop, ...], how: Disposition, why: StopWhy, at: Instant, *, holds: bool = True
) -> tuple[File, tuple[Effect, ...]]:
    """Every one of these offers is over and its leg told to stop."""
    effects: tuple[Effect, ...] = ()
    for hop in hops:
        file, stops = stopped(file, hop, how, why, at, holds=holds)
        effects = (*effects, *stops)
    return file, effects
