"""What a call does about the recording of its talk.

    the talk begins, terms.record = talk     Announce, or StartRecording where nothing is to be announced
    Announced                                StartRecording; not if it failed and the terms demand it
    RecordingStarted, RecordingFailed        noted in the file
    RecordingFinished                        KeepRecording: the file is fetched from the PBX, sooner or later
    RecordingKept                            whoever talked may listen to it

One recording per call, from the first talk to the end of the last one: a transfer does not interrupt it. It is over
when the bridge is, so no effect ends it.
"""

import msgspec

from router.basis.instants import SECOND, Duration, Instant
from router.basis.machine import Effect, Step
from router.chains import call_cards as cards
from router.chains.call_states import CallStep, Ended, Filed, Talking, Transferring
from router.chains.effects import Announce, KeepRecording, StartRecording
from router.chains.enquiry import File, Tape
from router.chains.events import (
    Announced,
    RecordingFailed,
    RecordingFinished,
    RecordingKept,
    RecordingStarted,
)
from router.chains.terms import RecordWhat, Unannounced

RecordingFact = Announced | RecordingStarted | RecordingFinished | RecordingFailed | RecordingKept

WITHIN = Duration(10 * SECOND)
"""An announcement or a recording that could not be begun by then is of no use: half of the talk is over."""


def begin(file: File, at: Instant) -> tuple[File, tuple[Effect, ...]]:
    """A talk begins: announce and record it, if the terms say so and it is the first of the call."""
    terms = file.terms
    if terms.record is not RecordWhat.TALK or not terms.can_record or file.tape is not None:
        return file, ()
    name = f"hopline-{file.call}"
    file = msgspec.structs.replace(file, tape=Tape(name, "asked", at))
    if terms.announcement:
        return file, (Announce(file.pbx, file.call, name, terms.announcement, Instant(at + WITHIN)),)
    return file, (_start(file, at),)


def left_on_pbx(file: File) -> tuple[Effect, ...]:
    """The call is over and nobody has said that its recording is: its end may have been missed."""
    if file.tape is None or file.tape.state not in ("asked_to_run", "runs"):
        return ()
    return (KeepRecording(file.pbx, file.call, file.tape.name),)


def heard(state: Filed, event: RecordingFact, at: Instant) -> CallStep:
    """A word about the recording, wherever the call is by now."""
    file = state.file
    match event:
        case Announced(ok) if file.tape is not None and file.tape.state == "asked":
            return _announced(state, file, at, ok=ok)
        case RecordingStarted(name):
            return Step(_with_tape(state, name, "runs", at))
        case RecordingFailed(name, why):
            return Step(_with_tape(state, name, "failed", at, why=why))
        case RecordingFinished(name, duration_ms):
            after = _with_tape(state, name, "on_pbx", at, duration_ms=duration_ms)
            return Step(after, () if after is state else (KeepRecording(file.pbx, file.call, name),))
        case RecordingKept(name, size):
            return _shown(_with_tape(state, name, "kept", at, size=size))
        case _:
            return Step(state)


def _announced(state: Filed, file: File, at: Instant, *, ok: bool) -> CallStep:
    tape = file.tape
    assert tape is not None
    if not ok and file.terms.unannounced is Unannounced.SKIP:
        return Step(_with_tape(state, tape.name, "failed", at, why="announcement_failed"))
    if not isinstance(state, Talking | Transferring):
        return Step(_with_tape(state, tape.name, "failed", at, why="talk_over"))
    file = msgspec.structs.replace(file, tape=msgspec.structs.replace(tape, state="asked_to_run", at=at))
    return Step(msgspec.structs.replace(state, file=file), (_start(file, at),))


def _start(file: File, at: Instant) -> StartRecording:
    return StartRecording(file.pbx, file.call, f"hopline-{file.call}", Instant(at + WITHIN))


_ORDER = ("asked", "asked_to_run", "runs", "on_pbx", "failed", "kept")


def _with_tape(state: Filed, name: str, said: str, at: Instant, **more: object) -> Filed:
    """Facts may come doubled and late: what is known further on stays."""
    known = state.file.tape
    if known is not None and _ORDER.index(known.state) >= _ORDER.index(said):
        return state
    tape = msgspec.structs.replace(known or Tape(name, said, at), name=name, state=said, at=at, **more)
    return msgspec.structs.replace(state, file=msgspec.structs.replace(state.file, tape=tape))


def _shown(state: Filed) -> CallStep:
    """It can be listened to: the cards say so."""
    if not isinstance(state, Ended | Talking | Transferring):
        return Step(state)
    file, shown = cards.talk_cards(state.file, state.end, state.end.at if isinstance(state, Ended) else None)
    return Step(msgspec.structs.replace(state, file=file), shown)
