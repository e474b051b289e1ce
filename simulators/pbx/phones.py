"""What stands on the switchboard: phones, legs, calls; and how the people at both ends are played.

Everything is counted in whole microseconds of whatever clock the caller of the switchboard uses.
Counterpart: `simulators.pbx.switchboard`, which moves these; `simulators.pbx.record`, which remembers them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

SECOND_US = 1_000_000

Deed = Literal["answer", "decline", "hang_up", "caller_hangs_up", "go_offline", "come_online"]
"""What a person can do with a phone. `hang_up` is the head's; a deed that no longer makes sense is not done."""

Deeds = Sequence[tuple[int, Deed]]
"""When (microseconds from now) and what; several may be planned at once, for example answer and hang up."""

LegState = Literal["dialling", "ringing", "up", "ended"]
CallState = Literal["waiting", "talking", "fallback", "over"]


@dataclass(slots=True)
class Phone:
    """One extension."""

    extension: str
    reachable: bool = True
    outside_until: int = 0
    """On a call of his own, which the switchboard sees as a busy phone, until then."""
    legs: list["Leg"] = field(default_factory=list)
    """Live legs on this phone."""
    rung: int = 0
    """How many times it was rung."""

    def free(self, now: int) -> bool:
        """Nothing rings on it and nobody talks on it."""
        return not self.legs and now >= self.outside_until

    def in_talk(self, now: int) -> bool:
        """The receiver is off the hook."""
        return now < self.outside_until or any(leg.state == "up" for leg in self.legs)


@dataclass(slots=True)
class Leg:
    """One ring of one phone, under the server's own id."""

    id: str
    call: "Call"
    extension: str
    ordered: int
    state: LegState = "dialling"
    how: str = ""
    """How it ended, in the words of the contract."""
    ended: int | None = None
    own: bool = False
    """Rung by the PBX's own plan, under an id of its own."""
    stopping: bool = False
    """Told to stop; it is over as soon as the network has carried that out."""
    talked: bool = False
    """It was joined with the client."""


@dataclass(slots=True)
class Call:
    """One client on the line."""

    id: str
    line: str
    caller: str
    arrived: int
    state: CallState = "waiting"
    legs: dict[str, Leg] = field(default_factory=dict)
    talking: Leg | None = None
    server_known: bool = False
    """The server has taken note of the call."""
    unrecorded: bool = False
    """The fallback plan had it, and the server has not taken the record of that yet."""
    fallback_answered: tuple[str, int] | None = None
    """Who answered in the fallback, and when."""
    ended: int | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the fallback plan does with one caller."""

    after_us: int
    """Until somebody answers; with nobody, until the caller has heard the message and is released."""
    answered_by: str = ""
    talk_us: int = 0


OnRing = Callable[[Phone, Leg, int], Deeds]
"""Asked once when a phone begins to ring: phone, leg, now."""

OnTalk = Callable[[Call, Leg, int], Deeds]
"""Asked once when client and head begin to talk: call, leg, now."""

OnFallback = Callable[[Call, int], Outcome]
"""Asked once when the fallback plan takes a caller: call, now."""


def nobody_answers(_phone: Phone, _leg: Leg, _now: int) -> Deeds:
    """The phone rings in an empty room."""
    return ()


def head_hangs_up_after_a_minute(_call: Call, _leg: Leg, _now: int) -> Deeds:
    """A minute's talk, ended by the head."""
    return ((60 * SECOND_US, "hang_up"),)


def message_after_ten_seconds(_call: Call, _now: int) -> Outcome:
    """Nobody answers in the fallback; a message is played, the caller is released."""
    return Outcome(after_us=10 * SECOND_US)
