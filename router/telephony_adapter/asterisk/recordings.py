"""Recording of our bridges: the announcement, the recording, the way of the file into the data folder.

What Asterisk reports of recordings names them, not the call; so their names hold it (`hopline-<call>`).
"""

import asyncio
import os
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path

import structlog

from router.basis.failures import Permanent, Temporary
from router.basis.machine import Event
from router.chains.effects import Announce, KeepRecording, RecordingEffect, StartRecording
from router.chains.events import Announced, RecordingFailed, RecordingFinished, RecordingKept, RecordingStarted
from router.telephony_adapter.asterisk import wire
from router.telephony_adapter.asterisk.client import Client
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.port import Report

log = structlog.get_logger()

MILLISECONDS = 1000
HEADER = 44
"""Bytes of a wav file before its sound (RIFF, fmt and data headers); a recording of nothing has no more."""


def call_of(name: str) -> str:
    """The call of a recording or an announcement of ours; empty: not ours."""
    return name.removeprefix(wire.RECORDING_WORD) if name.startswith(wire.RECORDING_WORD) else ""


def heard(it: wire.Happening) -> list[Report]:
    """What a happening says about a recording of ours."""
    if it.playback is not None and (call := call_of(it.playback.id)):
        return [Report(call, Announced(it.playback.state == "done"), origin=f"announced:{call}")]
    if it.recording is None or not (call := call_of(it.recording.name)):
        return []
    name = it.recording.name
    match it.type:
        case "RecordingStarted":
            event: Event = RecordingStarted(name)
        case "RecordingFinished":
            event = RecordingFinished(name, it.recording.duration * MILLISECONDS)
        case _:
            event = RecordingFailed(name, "pbx_failed")
    return [Report(call, event, origin=f"{it.type}:{name}")]


class Recordings:
    """Carries out what is asked about recordings."""

    def __init__(self, client: Client, settings: AsteriskSettings) -> None:
        self.folder = Path()
        self._client = client
        self._settings = settings

    async def perform(self, effect: RecordingEffect) -> Sequence[Event]:
        """See the port."""
        match effect:
            case Announce(_, call, name, sound):
                answer = await self._client.ask(wire.play(call, name, sound))
                if answer.ok or answer.conflict:
                    return ()  # PlaybackFinished says how it went
                log.warning("announcement_refused", call=call, status=answer.status, said=answer.trouble)
                return (Announced(ok=False),)
            case StartRecording(_, call, name):
                answer = await self._client.ask(wire.record(call, name))
                if answer.ok or answer.conflict:  # 409: an earlier try began it
                    return () if answer.ok else (RecordingStarted(name),)
                log.warning("recording_refused", call=call, status=answer.status, said=answer.trouble)
                return (RecordingFailed(name, f"pbx_refused_{answer.status}"),)
            case KeepRecording(_, _, name):
                return (RecordingKept(name, await self._keep(name)),)

    async def _keep(self, name: str) -> int:
        """Copy, check, and only then let the PBX forget it. Returns the size in bytes."""
        target = self.folder / f"{name}.{wire.RECORDING_FORMAT}"
        if target.exists():
            size = target.stat().st_size
        else:
            if (await self._client.ask(wire.live_recording(name))).ok:
                raise Temporary("recording_runs", name)
            size = await self._copy(name, target)
        if self._settings.delete_recordings:
            answer = await self._client.ask(wire.delete_recording(name))
            if not answer.ok and not answer.absent:
                raise Temporary("pbx_keeps_recording", f"{answer.status}")
        return size

    async def _copy(self, name: str, target: Path) -> int:
        status, body, length = await self._client.download(wire.recorded_file(name))
        if status == HTTPStatus.NOT_FOUND:
            raise Permanent("recording_missing", name)
        if status != HTTPStatus.OK:
            raise Temporary("pbx_error", str(status))
        whole = len(body) == length and len(body) >= HEADER and body[:4] == b"RIFF" and body[8:12] == b"WAVE"
        if not whole:
            raise Temporary("recording_incomplete", f"{len(body)} of {length} bytes")
        await asyncio.to_thread(_write, target, body)
        return len(body)


def _write(target: Path, body: bytes) -> None:
    """Whole or not at all; readable by the server alone."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    half = target.with_name(f"{target.name}.half")
    with half.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    half.replace(target)
