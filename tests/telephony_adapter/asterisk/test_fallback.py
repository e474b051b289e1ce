"""The record of calls that the dialplan's fallback served: read once each, whatever happens to the file."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from router.basis.instants import Instant
from router.chains.events import FallbackServed
from router.telephony_adapter.asterisk.config import AsteriskSettings
from router.telephony_adapter.asterisk.fallback import AT_ONCE, Record, read_line
from router.telephony_adapter.port import Report
from tests.telephony_adapter.asterisk.harness import office

ANSWERED = (
    "hopline-fallback/1 uniqueid=1763920000.12 linkedid=1763920000.12 caller=79990001122 line=74951234567 "
    "arrived_ms=1763920000123 since_ms=1763920000125 reason=app_absent answered_ms=1763920004456 "
    "ended_ms=1763920034460 talk_ms=30004 device=PJSIP/101 peer=PJSIP/101-0000002a disposition=ANSWERED voicemail="
)


def line(number: int, **changed: str) -> str:
    """A line of the record, as Asterisk 22.10 with the shipped dialplan wrote it."""
    pairs = {
        "uniqueid": f"1795457795.{number}", "linkedid": f"1795457795.{number}", "caller": "79990000003", "line": "9003",
        "arrived_ms": "1795457795448", "since_ms": "1795457797448", "reason": "absolute_timeout", "answered_ms": "",
        "ended_ms": "1795457800455", "talk_ms": "0", "device": "", "peer": "", "disposition": "NOANSWER",
        "voicemail": "", **changed,
    }  # fmt: skip
    return " ".join(["hopline-fallback/1", *(f"{name}={value}" for name, value in pairs.items())]) + "\n"


class Engine:
    """Takes reports, unless told to fail."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.fails = False

    async def deliver(self, reports: Sequence[Report]) -> Sequence[str | None]:
        """As the port says."""
        if self.fails:
            raise RuntimeError("the journal cannot be written")
        self.reports.extend(reports)
        return [None] * len(reports)

    @property
    def calls(self) -> list[str]:
        """Numbers of the calls delivered, in order."""
        return [report.call.rpartition(".")[2] for report in self.reports]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The record."""
    return tmp_path / "asterisk" / "hopline-fallback.log"


@pytest.fixture
def settings(path: Path, tmp_path: Path) -> AsteriskSettings:
    """With a kept position."""
    path.parent.mkdir()
    return AsteriskSettings(fallback_record=path, fallback_position=tmp_path / "data" / "position.json")


def test_a_line_is_a_served_call() -> None:
    report = read_line(ANSWERED.encode(), AsteriskSettings())
    assert report.event == FallbackServed(
        line="74951234567",
        caller=None,
        arrived=Instant(1_763_920_000_123_000),
        answered_by="101",
        talk_s=30,
        why="no_server",
    )
    assert (report.call, report.personal, report.origin) == (
        "1763920000.12",
        {"caller": "79990001122"},
        "fallback_served",
    )


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("app_absent", "no_server"),
        ("absolute_timeout", "absolute_timeout"),
        ("sent_by_server", "sent"),
        ("own_word", "own_word"),
    ],
)
def test_why_the_fallback_ran(reason: str, why: str) -> None:
    event = read_line(line(1, reason=reason).rstrip().encode(), AsteriskSettings()).event
    assert isinstance(event, FallbackServed)
    assert (event.why, event.answered_by, event.talk_s) == (why, "", 0)


def test_nobody_is_named_by_guess() -> None:
    event = read_line(line(1, device="SIP/gateway", caller="").rstrip().encode(), AsteriskSettings()).event
    assert isinstance(event, FallbackServed)
    assert event.answered_by == "SIP/gateway"
    assert read_line(line(1, caller="").rstrip().encode(), AsteriskSettings()).personal == {}


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"hopline-fallback/2 uniqueid=1.1",
        b"hopline-fallback/1 uniqueid=1.1",
        b"hopline-fallback/1 nonsense",
        line(1, uniqueid="").encode(),
        line(1, arrived_ms="soon").encode(),
        b"\xff\xfe",
    ],
)
def test_what_is_no_line_is_refused(bad: bytes) -> None:
    with pytest.raises((ValueError, KeyError)):
        read_line(bad, AsteriskSettings())


async def test_new_lines_are_delivered_once(path: Path, settings: AsteriskSettings) -> None:
    engine, record = Engine(), Record("asterisk", settings)
    await record.catch_up(engine.deliver)  # no file yet
    path.write_text(line(1) + line(2) + line(3)[:40])
    await record.catch_up(engine.deliver)
    await record.catch_up(engine.deliver)
    assert engine.calls == ["1", "2"], "an unfinished line waits"
    with path.open("a") as file:
        file.write(line(3)[40:] + "spoilt line\n" + line(4))
    await record.catch_up(engine.deliver)
    assert engine.calls == ["1", "2", "3", "4"]


async def test_the_position_survives_a_restart(path: Path, settings: AsteriskSettings) -> None:
    engine = Engine()
    path.write_text(line(1))
    await Record("asterisk", settings).catch_up(engine.deliver)
    with path.open("a") as file:
        file.write(line(2))
    await Record("asterisk", settings).catch_up(engine.deliver)
    assert engine.calls == ["1", "2"]


async def test_without_a_kept_position_it_is_read_anew_under_the_same_origins(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(line(1))
    engine, settings = Engine(), AsteriskSettings(fallback_record=path)
    await Record("asterisk", settings).catch_up(engine.deliver)
    await Record("asterisk", settings).catch_up(engine.deliver)
    first, second = engine.reports
    assert (first.call, first.origin) == (second.call, second.origin), "the engine knows it for a twin"


async def test_lines_stay_while_the_engine_cannot_take_them(path: Path, settings: AsteriskSettings) -> None:
    engine, record = Engine(), Record("asterisk", settings)
    path.write_text(line(1))
    engine.fails = True
    await record.catch_up(engine.deliver)
    engine.fails = False
    await record.catch_up(engine.deliver)
    assert engine.calls == ["1"]


async def test_a_renamed_record_is_read_to_its_end_first(path: Path, settings: AsteriskSettings) -> None:
    engine, record = Engine(), Record("asterisk", settings)
    path.write_text(line(1))
    await record.catch_up(engine.deliver)
    with path.open("a") as file:
        file.write(line(2))  # written between our last look and the rotation
    path.rename(path.with_name(f"{path.name}.1"))
    path.write_text(line(3))
    await record.catch_up(engine.deliver)
    assert engine.calls == ["1", "2", "3"]


async def test_a_record_renamed_and_not_written_again_yet(path: Path, settings: AsteriskSettings) -> None:
    engine, record = Engine(), Record("asterisk", settings)
    path.write_text(line(1))
    await record.catch_up(engine.deliver)
    path.rename(path.with_name(f"{path.name}.1"))
    await record.catch_up(engine.deliver)
    path.write_text(line(2))
    await record.catch_up(engine.deliver)
    assert engine.calls == ["1", "2"]


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_truncated_or_replaced_record_is_read_from_its_start(
    path: Path, settings: AsteriskSettings, restarted: bool
) -> None:
    engine, record = Engine(), Record("asterisk", settings)
    path.write_text(line(1) + line(2))
    await record.catch_up(engine.deliver)
    path.write_text(line(3))  # same inode, shorter
    record = Record("asterisk", settings) if restarted else record
    await record.catch_up(engine.deliver)
    path.write_text(line(4) + line(5))  # same inode, longer, another content
    await record.catch_up(engine.deliver)
    assert engine.calls == ["1", "2", "3", "4", "5"]


async def test_a_spoilt_position_is_no_lost_call(path: Path, settings: AsteriskSettings) -> None:
    assert settings.fallback_position
    settings.fallback_position.parent.mkdir()
    settings.fallback_position.write_text("{half")
    path.write_text(line(1))
    engine = Engine()
    await Record("asterisk", settings).catch_up(engine.deliver)
    assert engine.calls == ["1"]


async def test_a_long_record_comes_in_pieces(path: Path, settings: AsteriskSettings) -> None:
    number = 2 * AT_ONCE // len(line(1))
    path.write_text("".join(line(at) for at in range(number)))
    engine = Engine()
    await Record("asterisk", settings).catch_up(engine.deliver)
    assert engine.calls == [str(at) for at in range(number)]


async def test_it_is_read_on_connect_before_the_pbx_is_in_sight_and_now_and_then(path: Path) -> None:
    path.parent.mkdir()
    path.write_text(line(1))
    async with office(fallback_record=path, fallback_poll_s=0.05) as (_, _door, desk):
        assert [report.call for report in desk.ear.reports] == ["1795457795.1"], "there when in_sight came"
        with path.open("a") as file:
            file.write(line(2))
        await desk.hears(FallbackServed, number=2)
        await asyncio.sleep(0.15)
        assert len(desk.of(FallbackServed)) == 2
