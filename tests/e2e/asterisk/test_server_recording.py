"""Recording on the wire: the head's phone sends a tone, the recording has it, and whoever talked can play it.

Sounds of the announcement are Asterisk's own (`sound:beep`, 0.4 s).
"""

import http.client
import wave
from array import array
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import quote

import pytest

from router.chains.callback import Open
from router.chains.events import Announced, RecordingKept, RecordingStarted
from tests.e2e.asterisk.books import Entry
from tests.e2e.asterisk.office import PBX, Line, Office, eventually
from tests.e2e.asterisk.rig import Rig
from tests.e2e.asterisk.rig.ari import AriError
from tests.e2e.asterisk.rig.audio import RATE, loudness, strength
from tests.e2e.asterisk.rig.deskphone import DeskPhone
from tests.e2e.asterisk.test_server_transfers import Scene

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

TERMS: dict[str, float | str] = {"ring_s": 3, "window_s": 9, "record": "talk"}
ANNOUNCED = Line("9701", (131, 132), {**TERMS, "announcement": "sound:beep"})
NO_SUCH_SOUND = Line("9702", (133,), {**TERMS, "announcement": "sound:hopline-no-such-file"})
ALL_THE_SAME = Line("9703", (134,), {**NO_SUCH_SOUND.terms, "unannounced": "record"})
NOT_ASKED_FOR = Line("9704", (135,), {"ring_s": 3, "window_s": 9})
LINES = (ANNOUNCED, NO_SUCH_SOUND, ALL_THE_SAME, NOT_ASKED_FOR)


@pytest.fixture(scope="module")
def office(asterisk_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One server for all tests here."""
    with Office(asterisk_rig, tmp_path_factory.mktemp("tapes") / "office", "server-tapes", LINES) as running:
        yield running
    asterisk_rig.rest()


def phone_of(scene: Scene, phones: ExitStack, head: int, hertz: int = 440) -> DeskPhone:
    """A phone with a tone of its own."""
    (found,) = [one for one in scene.rig.heads if one.name == str(head)]
    return phones.enter_context(DeskPhone(scene.rig.ports.sip, found, after_s=0.2, hertz=hertz))


def tape_of(office: Office, entry: Entry) -> Path:
    """Where the recording of a call lies."""
    return office.data / "recordings" / PBX / f"hopline-{entry.file.call}.wav"


def samples(path: Path) -> "array[int]":
    """What was recorded: 16 bit, 8 kHz, mono."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getsampwidth(), file.getnchannels()) == (RATE, 2, 1)
        return array("h", file.readframes(file.getnframes()))


def seconds_of(sound: "array[int]", hertz: int) -> float:
    """How long this tone is heard, in pieces of a tenth of a second: a busy machine loses packets between them."""
    piece = RATE // 10
    return sum(strength(sound[at : at + piece], hertz) > 0.8 for at in range(0, len(sound) - piece, piece)) / 10


def kept(scene: Scene, caller: str) -> Entry:
    """The call once its recording is in the house."""
    return scene.office.entry_once(caller, "kept", lambda entry: entry.of(RecordingKept))


def test_announced_recorded_passed_on_and_played(office: Office) -> None:
    """One recording from the first word to the last, over a transfer; both heads may hear it, nobody else."""
    scene = Scene(office, ANNOUNCED)
    with ExitStack() as phones:
        anna, clara = phone_of(scene, phones, 131, 440), phone_of(scene, phones, 132, 880)
        dialled = scene.call()
        talk = anna.wait_for_talk()
        scene.entry(dialled, "recorded", lambda entry: entry.of(RecordingStarted))
        anna.talks_for(1.5)
        anna.transfer(talk, "132")
        scene.talks_with(dialled, 132)
        clara.talks_for(1.5)
        clara.hang_up(clara.wait_for_talk())
        scene.over(dialled)
    entry = kept(scene, dialled.numbers[0])
    assert entry.of(Announced) == [Announced(ok=True)]
    heard = samples(tape_of(office, entry))
    assert loudness(heard) > 3000, "silence"
    assert seconds_of(heard, 440) > 0.8
    assert seconds_of(heard, 880) > 0.8
    with pytest.raises(AriError, match="404"):
        office.rig.asterisk.ari.request("GET", f"/recordings/stored/hopline-{entry.file.call}")
    plays(office, 132, f"{entry.chain}/verdict", tape_of(office, entry))
    plays(office, 131, f"{entry.chain}/passed-h131", tape_of(office, entry))
    stranger = f"{office.inbox(133)}/recording?card={quote(f'{entry.chain}/verdict')}"
    assert get(office, stranger)[0] == 404, "he has no card of this call"
    assert get(office, f"{office.duty()}/recording?card={quote(f'{entry.chain}/verdict')}")[0] == 200
    assert f"hopline-{entry.file.call}" not in office.log(), "the log names no recording"


def plays(office: Office, head: int, card: str, tape: Path) -> None:
    """His page has a player, and it gets the file in parts as a browser asks for it."""
    page = office.inbox(head)
    address = f"{page}/recording?card={quote(card)}"
    eventually(
        lambda: f'<audio controls preload="none" src="{address}"' in office.page(page),
        "no player",
        5.0,
        lambda: address + office.page(page),
    )
    status, body, length = get(office, address, "bytes=0-43")
    assert (status, body[:4], length) == (206, b"RIFF", f"bytes 0-43/{tape.stat().st_size}")


def get(office: Office, path: str, part: str = "") -> tuple[int, bytes, str]:
    """Status, body, Content-Range."""
    connection = http.client.HTTPConnection("127.0.0.1", office.port, timeout=30)
    try:
        connection.request("GET", path, headers={"Range": part} if part else {})
        answer = connection.getresponse()
        return answer.status, answer.read(), answer.headers.get("Content-Range", "")
    finally:
        connection.close()


def short_talk(office: Office, line: Line) -> Entry:
    """A call of two seconds; the entry when it is over."""
    scene = Scene(office, line)
    with ExitStack() as phones:
        phone = phone_of(scene, phones, line.heads[0])
        dialled = scene.call()
        talk = phone.wait_for_talk()
        scene.talks_with(dialled, line.heads[0])
        phone.talks_for(1.5)
        phone.hang_up(talk)
        return scene.over(dialled)


def test_no_announcement_no_recording(office: Office) -> None:
    entry = short_talk(office, NO_SUCH_SOUND)
    assert entry.of(Announced) == [Announced(ok=False)]
    assert entry.file.tape is not None
    assert (entry.file.tape.state, entry.file.tape.why) == ("failed", "announcement_failed")
    assert not entry.of(RecordingStarted)
    assert not tape_of(office, entry).exists()


def test_recorded_without_the_announcement_where_the_chain_says_so(office: Office) -> None:
    entry = short_talk(office, ALL_THE_SAME)
    assert entry.of(Announced) == [Announced(ok=False)]
    kept(Scene(office, ALL_THE_SAME), entry.caller)
    assert seconds_of(samples(tape_of(office, entry)), 440) > 0.8


def test_by_default_nothing_is_recorded(office: Office) -> None:
    entry = short_talk(office, NOT_ASKED_FOR)
    assert entry.file.tape is None
    assert office.rig.asterisk.ari.request("GET", "/recordings/stored") == []


def test_the_talk_ends_while_the_server_is_dead(asterisk_rig: Rig, tmp_path: Path) -> None:
    """Nobody heard that the recording is over; it is fetched all the same."""
    line = Line("9720", (138,), {**TERMS, "announcement": ""})
    with Office(asterisk_rig, tmp_path / "office", "server-tape-dead", [line]) as office, ExitStack() as phones:
        scene = Scene(office, line)
        phone = phone_of(scene, phones, 138)
        dialled = scene.call()
        talk = phone.wait_for_talk()
        scene.entry(dialled, "recorded", lambda entry: entry.of(RecordingStarted))
        office.kill()
        phone.talks_for(1.0)
        phone.hang_up(talk)
        office.start()
        scene.over(dialled)
        entry = kept(scene, dialled.numbers[0])
        assert seconds_of(samples(tape_of(office, entry)), 440) > 0.8
        assert not isinstance(office.books.callbacks().get(entry.chain), Open)
