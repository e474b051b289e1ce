"""The record that the dialplan's fallback writes, followed from a kept position.

Format: deploy/asterisk/extensions_hopline.conf, section "the record". A line read twice is harmless (the engine knows
the report by its origin), a line that is skipped is a lost call: in doubt it is read again.
"""

import asyncio
import glob
import hashlib
import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import msgspec
import structlog

from router.basis.instants import MILLISECOND, Instant
from router.basis.phone import normal
from router.chains.events import FallbackServed
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.legs import Calls
from router.telephony_adapter.asterisk.metrics import RECORD_BAD_LINES
from router.telephony_adapter.port import Deliver, Report

log = structlog.get_logger()

KIND = "hopline-fallback/1"
AT_ONCE = 256 * 1024
"""Bytes read in one go, about a thousand calls."""
TAIL = 256
"""Bytes before the position whose hash tells whether the file is still the same."""
_WHY = {"app_absent": "no_server", "absolute_timeout": "absolute_timeout", "sent_by_server": "sent"}


class Position(msgspec.Struct, frozen=True):
    """How far the record was read."""

    inode: int = 0
    offset: int = 0
    tail: str = ""
    """Hash of the last bytes before `offset`: an inode may come again with another file."""


class Record:
    """Follows the file. Rotation by renaming and by truncation are both understood."""

    def __init__(self, name: str, settings: AsteriskSettings, calls: Calls | None = None) -> None:
        self._name = name
        self._settings = settings
        self._calls = Calls() if calls is None else calls
        self._position: Position | None = None
        self._one_reader = asyncio.Lock()

    async def follow(self, deliver: Deliver) -> None:
        """Look at the file every few seconds until cancelled."""
        while self._settings.fallback_record is not None:
            await asyncio.sleep(self._settings.fallback_poll_s)
            await self.catch_up(deliver)

    async def catch_up(self, deliver: Deliver) -> None:
        """Deliver all that is new; the position moves only when it is stored. What fails is tried at the next look."""
        path = self._settings.fallback_record
        if path is None:
            return
        async with self._one_reader:
            try:
                while news := await asyncio.to_thread(self._read_on, path):
                    reports, position = news
                    if reports:
                        await deliver(reports)
                    await asyncio.to_thread(self._keep, position)
            except Exception as error:  # noqa: BLE001 - file or engine: either way the lines stay where they are
                log.warning("fallback_record_waits", pbx=self._name, error=type(error).__name__, detail=str(error))

    # --- the file ---------------------------------------------------------------------------------------------------

    def _read_on(self, path: Path) -> tuple[list[Report], Position] | None:
        """The next lines and the position behind them; None: nothing new."""
        position = self._position or self._kept()
        with suppress(FileNotFoundError):
            if position.inode and path.stat().st_ino != position.inode and (older := _renamed(path, position)):
                # Renamed by logrotate: what was written to it after our last look comes first.
                with older.open("rb") as file:
                    if news := self._lines(file, position):
                        return news
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return None  # not written yet, or just being rotated
        with file:
            inode = os.fstat(file.fileno()).st_ino
            if inode != position.inode or _tail(file, position.offset) != position.tail:
                position = Position(inode)
            return self._lines(file, position)

    def _lines(self, file: BinaryIO, position: Position) -> tuple[list[Report], Position] | None:
        file.seek(position.offset)
        chunk = file.read(AT_ONCE)
        whole = chunk[: chunk.rfind(b"\n") + 1]  # an unfinished last line is left for the next time
        if not whole:
            return None
        reports = []
        for line in whole.splitlines():
            try:
                reports.append(read_line(line, self._settings, self._calls))
            except (ValueError, KeyError) as error:
                RECORD_BAD_LINES.labels(self._name).inc()
                log.warning("fallback_record_line_unread", pbx=self._name, error=repr(error))
        offset = position.offset + len(whole)
        return reports, Position(position.inode, offset, _tail(file, offset))

    # --- the position -------------------------------------------------------------------------------------------------

    def _kept(self) -> Position:
        kept = self._settings.fallback_position
        if kept is None:
            return Position()
        try:
            return msgspec.json.decode(kept.read_bytes(), type=Position)
        except (OSError, msgspec.DecodeError):
            return Position()  # none yet, or spoilt: read from the start, doubles are known by their origin

    def _keep(self, position: Position) -> None:
        self._position = position
        if kept := self._settings.fallback_position:
            kept.parent.mkdir(parents=True, exist_ok=True)
            half = kept.with_name(f"{kept.name}.half")
            half.write_bytes(msgspec.json.encode(position))
            half.replace(kept)


def _renamed(path: Path, position: Position) -> Path | None:
    """The file we were reading under its new name beside the record (`….log.1`)."""
    for candidate in path.parent.glob(f"{glob.escape(path.name)}*"):
        with suppress(OSError), candidate.open("rb") as file:
            same = os.fstat(file.fileno()).st_ino == position.inode
            if same and _tail(file, position.offset) == position.tail:
                return candidate
    return None


def _tail(file: BinaryIO, offset: int) -> str:
    """Hash of the last bytes before `offset`; differs where the file is shorter."""
    start = max(0, offset - TAIL)
    file.seek(start)
    return hashlib.sha256(file.read(offset - start)).hexdigest() if offset else ""


def read_line(line: bytes, settings: AsteriskSettings, calls: Calls | None = None) -> Report:
    """One line of the record. Raises ValueError for what is none.

    A head may have transferred the client into the fallback: then a channel of the transfer ran it, and the call is the
    one that this channel is linked with, if it is one of ours.
    """
    kind, *pairs = line.decode().split(" ")
    if kind != KIND:
        message = f"not {KIND}"
        raise ValueError(message)
    said = dict(pair.split("=", 1) for pair in pairs)
    call, device, caller = said["uniqueid"], said.get("device", ""), said.get("caller", "")
    linked = said.get("linkedid", "")
    if calls is not None and linked != call and calls.knows(linked):
        call = linked
    event = FallbackServed(
        line=said["line"],
        caller=None,
        arrived=Instant(int(said["arrived_ms"]) * MILLISECOND),
        answered_by=(settings.extension_of(device) or device),
        talk_s=round(int(said.get("talk_ms") or 0) / 1000),
        why=_WHY.get(said["reason"], said["reason"]),
    )
    if not call:
        message = "no uniqueid"
        raise ValueError(message)
    return Report(call, event, {"caller": caller} if normal(caller) else {}, origin="fallback_served", raw=line)
