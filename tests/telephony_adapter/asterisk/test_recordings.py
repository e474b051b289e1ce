"""What Asterisk says of a recording, and the way of its file into the data folder."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from router.basis.failures import Permanent, Temporary
from router.basis.instants import Instant
from router.chains.effects import Announce, KeepRecording, StartRecording
from router.chains.events import Announced, RecordingFailed, RecordingFinished, RecordingKept, RecordingStarted
from router.telephony_adapter.asterisk.client import Answer
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.recordings import Recordings, heard
from router.telephony_adapter.asterisk.wire import Happening, Playback, Recording, Request, read_happening
from tests.telephony_adapter.asterisk.events import CALL

NAME = f"hopline-{CALL}"
WAV = b"RIFF" + b"\0" * 4 + b"WAVE" + b"\0" * 100
LATER = Instant(10)


class Pbx:
    """Answers as it is told, and notes what it was asked."""

    def __init__(self, body: bytes = WAV, length: int | None = None, status: int = 200, **answers: int) -> None:
        self.asked: list[str] = []
        self._answers = answers
        self._file = (status, body, len(body) if length is None else length)

    async def ask(self, request: Request) -> Answer:
        self.asked.append(f"{request.method} {request.path}")
        kind = next((kind for kind in self._answers if kind in f"{request.method}{request.path}"), "")
        return Answer(self._answers.get(kind, 404 if "/live/" in request.path else 200), b"{}")

    async def download(self, request: Request) -> tuple[int, bytes, int]:
        self.asked.append(f"GET {request.path}")
        return self._file


def room(pbx: Pbx, folder: Path = Path(), **settings: bool) -> Recordings:
    """Recordings of this PBX."""
    recordings = Recordings(pbx, AsteriskSettings(**settings))  # type: ignore[arg-type]
    recordings.folder = folder / "asterisk"
    return recordings


@pytest.mark.parametrize(
    ("raw", "event"),
    [
        ({"playback": Playback(NAME, "done")}, Announced(ok=True)),
        ({"playback": Playback(NAME, "failed")}, Announced(ok=False)),
        ({"type": "RecordingStarted", "recording": Recording(NAME)}, RecordingStarted(NAME)),
        ({"type": "RecordingFinished", "recording": Recording(NAME, 7)}, RecordingFinished(NAME, 7000)),
        ({"type": "RecordingFailed", "recording": Recording(NAME)}, RecordingFailed(NAME, "pbx_failed")),
    ],
)
def test_its_name_says_whose_it_is(raw: dict[str, object], event: object) -> None:
    (report,) = heard(Happening(**{"type": "PlaybackFinished", **raw}))  # type: ignore[arg-type]
    assert (report.call, report.event) == (CALL, event)


def test_what_is_not_ours_is_nobodys() -> None:
    assert heard(read_happening(b'{"type":"RecordingFinished","recording":{"name":"voicemail-7"}}')) == []
    assert heard(read_happening(b'{"type":"PlaybackFinished","playback":{"id":"some-uuid","state":"done"}}')) == []


@pytest.mark.parametrize(("status", "facts"), [(201, ()), (409, ()), (404, (Announced(ok=False),))])
async def test_an_announcement(status: int, facts: Sequence[object]) -> None:
    pbx = Pbx(play=status)
    assert await room(pbx).perform(Announce("asterisk", CALL, NAME, "sound:beep", LATER)) == facts
    assert pbx.asked == [f"POST /bridges/{CALL}.b/play/{NAME}"]


@pytest.mark.parametrize(
    ("status", "facts"),
    [(201, ()), (409, (RecordingStarted(NAME),)), (500, (RecordingFailed(NAME, "pbx_refused_500"),))],
)
async def test_a_recording_begins(status: int, facts: Sequence[object]) -> None:
    assert await room(Pbx(record=status)).perform(StartRecording("asterisk", CALL, NAME, LATER)) == facts


async def test_fetched_checked_deleted(tmp_path: Path) -> None:
    pbx = Pbx()
    keep = KeepRecording("asterisk", CALL, NAME)
    assert await room(pbx, tmp_path).perform(keep) == (RecordingKept(NAME, len(WAV)),)
    file = tmp_path / "asterisk" / f"{NAME}.wav"
    assert file.read_bytes() == WAV
    assert file.stat().st_mode & 0o077 == 0, "the server's alone"
    assert pbx.asked[-1] == f"DELETE /recordings/stored/{NAME}"
    assert await room(pbx, tmp_path).perform(keep) == (RecordingKept(NAME, len(WAV)),), "again: the same"
    assert len([line for line in pbx.asked if line.endswith("/file")]) == 1


async def test_it_stays_on_the_pbx_where_the_setting_says_so(tmp_path: Path) -> None:
    pbx = Pbx()
    await room(pbx, tmp_path, delete_recordings=False).perform(KeepRecording("asterisk", CALL, NAME))
    assert not [line for line in pbx.asked if line.startswith("DELETE")]


@pytest.mark.parametrize(
    ("pbx", "failure"),
    [
        (Pbx(live=200), Temporary),
        (Pbx(length=9999), Temporary),
        (Pbx(body=b"<html>not a sound</html>" * 9), Temporary),
        (Pbx(status=503), Temporary),
        (Pbx(status=404), Permanent),
    ],
    ids=["still runs", "cut short", "no sound", "busy", "not there"],
)
async def test_nothing_is_deleted_that_was_not_copied(pbx: Pbx, failure: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(failure):
        await room(pbx, tmp_path).perform(KeepRecording("asterisk", CALL, NAME))
    assert not [line for line in pbx.asked if line.startswith("DELETE")]
    assert not list(tmp_path.rglob("*.wav"))
