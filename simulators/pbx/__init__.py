"""A played PBX that speaks the contract of `docs/webhook-pbx.md`.

`switchboard` is the PBX itself: pure, synchronous, on any clock. `http` puts it behind a real HTTP address, `scenario`
reads a play from a file, and `python -m simulators.pbx` runs one as a process of its own. `record` is what the PBX
knows to have happened, and what checkers judge by. Written from the contract, not from the server's adapter: the two
share no code and no constant.
"""

from simulators.pbx.commands import Answer
from simulators.pbx.phones import Call, Deed, Deeds, Leg, OnFallback, OnRing, OnTalk, Outcome, Phone
from simulators.pbx.record import Entry, Record, Ring, Story, Talk
from simulators.pbx.switchboard import Switchboard, Told

__all__ = [
    "Answer",
    "Call",
    "Deed",
    "Deeds",
    "Entry",
    "Leg",
    "OnFallback",
    "OnRing",
    "OnTalk",
    "Outcome",
    "Phone",
    "Record",
    "Ring",
    "Story",
    "Switchboard",
    "Talk",
    "Told",
]
