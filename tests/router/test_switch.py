"""One PBX as the running server sees it: journal away, PBX away, payloads that nobody can read."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from router.basis.failures import Failure, Permanent, Temporary
from router.basis.instants import SECOND, Instant
from router.basis.machine import Event
from router.chains.call_states import Ended, HandedOver, Ringing
from router.chains.effects import RingLeg, SendToFallback, TelephonyEffect
from router.chains.events import CallArrived, CallerHungUp, DeviceSeen, DirectoryApplied, LineSeen
from router.chains.roster import ROSTER
from router.crm_bridge.directory import directory_of
from router.engine.clock import VirtualClock
from router.engine.core import Admission, Core
from router.engine.journal import Batch
from router.engine.shell import Engine
from router.engine.store.port import StoreUnavailable
from router.engine.store.sqlite import SqliteStore
from router.engine.vault import Vault
from router.office import Office, machines, roster_of
from router.switch import Switch
from router.telephony_adapter.port import Abilities, CallSight, Deliver, Report, Sighting, UnknownPayload

ABILITIES = Abilities("server", False, True, False, True, True, True)
PEOPLE = {
    "person": [{"id": "anna", "name": "Анна", "extensions": ["101"]}],
    "line": [{"number": "1", "chain": "sales"}],
    "chain": {"sales": {"heads": ["anna"]}},
}


class Phones:
    """A PBX that notes what it is asked."""

    name = "office"
    abilities = ABILITIES

    def __init__(self) -> None:
        self.asked: list[tuple[TelephonyEffect, str | None]] = []
        self.sighting: Sighting | Failure = Sighting(())
        self.ends: Failure | None = None

    async def perform(self, effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        self.asked.append((effect, caller))
        return ()

    async def look(self) -> Sighting:
        if isinstance(self.sighting, Failure):
            raise self.sighting
        return self.sighting

    async def run(self, deliver: Deliver, in_sight: Callable[[bool, str], Awaitable[None]]) -> None:
        if self.ends is not None:
            raise self.ends
        await asyncio.Event().wait()

    def routes(self, deliver: Deliver) -> Sequence[Any]:
        return ()

    async def close(self) -> None:
        """Nothing is open."""

    async def unknown(self, payload: UnknownPayload) -> None:
        """Replaced by the server's keeper."""
        raise AssertionError(payload)


class Scene:
    """A switch, its PBX and a running engine on a clock that stands still."""

    def __init__(self, folder: Path) -> None:
        self.clock = VirtualClock(Instant(1_000 * SECOND))
        self.store = SqliteStore(folder / "hopline.db")
        self.phones = Phones()
        core = Core(machines(), Office({"office": ABILITIES}).looks(), Vault())
        self.engine = Engine(core, self.store, self.clock)
        self.switch = Switch(
            self.phones,
            self.engine,
            region="RU",
            keep_raw=True,
            look_every=3600,
            resync_limit=10,
            lost_limit=300,
            rung_twice=lambda _: None,
        )

    async def until(self, true: Callable[[], bool]) -> None:
        async with asyncio.timeout(20):
            while not true():  # noqa: ASYNC110 - what is waited for happens in the engine's own tasks
                await asyncio.sleep(0.005)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    scene = Scene(tmp_path)
    recovered = await scene.engine.open([scene.switch.lane])
    running = asyncio.create_task(scene.engine.run())
    directory = scene.engine.core.contents.pin(directory_of(PEOPLE))
    await scene.engine.admit([Admission(ROSTER, DirectoryApplied(directory, "test"), "test")])
    scene.switch.start(recovered)
    yield scene
    await scene.switch.stop()
    await scene.engine.stop()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await scene.store.close()


def arrived(call: str = "c", caller: str = "89990001122") -> Report:
    return Report(call, CallArrived("1"), {"caller": caller}, "a", b'{"raw": 1}')


async def test_a_ring_leaves_only_when_the_pbx_is_in_sight_and_carries_the_number(scene: Scene) -> None:
    await scene.switch.deliver([arrived()])
    assert scene.phones.asked == []
    await scene.switch.in_sight(True, "connected")
    await scene.until(lambda: any(isinstance(effect, RingLeg) for effect, _ in scene.phones.asked))
    assert {type(effect).__name__: caller for effect, caller in scene.phones.asked} == {
        "RingBack": None,
        "RingLeg": "+79990001122",
    }


async def test_no_number_is_in_the_log_and_the_raw_report_is_in_the_vault(scene: Scene) -> None:
    await scene.switch.deliver([arrived()])
    (record,) = await scene.store.history("call:office:c")
    assert b"9990001122" not in record.event + record.seen + record.outcome
    assert await scene.store.select("SELECT kind, value FROM vault") == [("phone", "+79990001122")]
    assert await scene.store.select("SELECT body FROM raw_payload") == [(b'{"raw": 1}',)]


async def test_while_the_journal_is_away_a_new_caller_goes_to_the_fallback(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(_batch: Batch) -> None:
        raise StoreUnavailable("no space left")

    monkeypatch.setattr(scene.store, "commit", full)
    with pytest.raises(Temporary):
        await scene.switch.deliver([arrived()])
    assert [effect for effect, _ in scene.phones.asked] == [SendToFallback("office", "c")]
    assert "call:office:c" not in scene.engine.core.live


async def test_after_a_start_calls_wait_ten_seconds_for_their_pbx_and_then_run_on(scene: Scene) -> None:
    scene.phones.sighting = Temporary("refused")
    await scene.switch.in_sight(True, "half connected")
    assert scene.switch.lane in scene.engine.lanes_out_of_sight()
    scene.switch.run_on(Instant(scene.clock.now() + 9 * SECOND))
    assert scene.switch.lane in scene.engine.lanes_out_of_sight()
    scene.switch.run_on(Instant(scene.clock.now() + 10 * SECOND))
    assert scene.engine.lanes_out_of_sight() == frozenset()
    await scene.switch.in_sight(False, "the next connect failed too")
    assert scene.engine.lanes_out_of_sight() == frozenset(), "they are not stopped again by each failed connect"
    assert scene.switch.visible is False


async def test_a_pbx_lost_on_the_way_is_waited_for_longer(scene: Scene) -> None:
    await scene.switch.in_sight(True, "connected")
    await scene.switch.in_sight(False, "lost")
    scene.switch.run_on(Instant(scene.clock.now() + 299 * SECOND))
    assert scene.switch.lane in scene.engine.lanes_out_of_sight()
    scene.switch.run_on(Instant(scene.clock.now() + 300 * SECOND))
    assert scene.engine.lanes_out_of_sight() == frozenset()
    await scene.switch.in_sight(True, "back")
    assert (scene.switch.visible, scene.switch.blind) == (True, False)


async def test_a_phone_that_is_off_line_is_told_to_the_roster(scene: Scene) -> None:
    await scene.switch.deliver([Report("", DeviceSeen("101", reachable=False)), Report("", LineSeen("102", busy=True))])
    assert roster_of(scene.engine.core).unreachable == ("101",)
    assert roster_of(scene.engine.core).busy == ("102",)


async def test_a_payload_nobody_could_read_is_kept(scene: Scene) -> None:
    await scene.phones.unknown(UnknownPayload("no such event", b"{}"))
    rows = await scene.store.select("SELECT source, event, error FROM quarantine")
    assert rows == [("pbx:office", b"{}", "no such event")]


async def test_a_pbx_that_is_lost_for_good_ends_the_server(scene: Scene) -> None:
    other = Phones()
    other.ends = Permanent("application_replaced")
    switch = Switch(
        other, scene.engine, region="RU", keep_raw=False, look_every=9, resync_limit=9, rung_twice=lambda _: None
    )
    switch.start(())
    with pytest.raises(Permanent):
        await switch.ended()
    await switch.stop()


async def test_a_call_that_is_being_written_when_the_look_begins_is_not_judged_by_it(scene: Scene) -> None:
    await scene.switch.deliver([arrived()])
    scene.clock.advance_to(Instant(scene.clock.now() + SECOND))
    scene.phones.sighting = Sighting((CallSight("c", "1", ""),))
    before = scene.engine.core.live["call:office:c"].sequence
    scene.engine.in_flight = frozenset({"call:office:c"})
    assert await scene.switch._look("test")
    assert scene.engine.core.live["call:office:c"].sequence == before
    scene.engine.in_flight = frozenset()
    assert await scene.switch._look("test")
    assert scene.engine.core.live["call:office:c"].sequence > before


async def test_a_report_that_the_journal_cannot_hold_is_kept_for_a_person(scene: Scene) -> None:
    """It is answered as taken, because telling it again would not help; so it must not be gone."""
    bad = Report("c\x00", CallArrived("1"), {}, "o", b"the payload")
    assert await scene.switch.deliver([bad, arrived("d")]) == [None, None]
    assert "call:office:d" in scene.engine.core.live
    ((event, error),) = await scene.store.select("SELECT event, error FROM quarantine")
    assert event == b"the payload"
    assert str(error).startswith("not taken: ")


async def test_what_cannot_be_kept_now_is_told_again(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise StoreUnavailable("no space left")

    monkeypatch.setattr(scene.store, "upsert", full)
    with pytest.raises(Temporary):
        await scene.phones.unknown(UnknownPayload("no such event", b"{}"))


async def test_a_pbx_that_cannot_be_asked_is_in_sight_as_soon_as_it_says_so(scene: Scene) -> None:
    scene.phones.abilities = Abilities("pbx", False, True, False, True, True, True, style="witness", can_look=False)
    scene.phones.sighting = Temporary("it is never read")
    await scene.switch.in_sight(True, "it reports")
    assert (scene.switch.visible, scene.engine.lanes_out_of_sight()) == (True, frozenset())


async def test_a_caller_of_a_pbx_that_leads_is_not_sent_anywhere(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(_batch: Batch) -> None:
        raise StoreUnavailable("no space left")

    scene.phones.abilities = Abilities("pbx", False, True, False, True, True, True, style="adviser")
    monkeypatch.setattr(scene.store, "commit", full)
    with pytest.raises(Temporary):
        await scene.switch.deliver([arrived()])
    assert scene.phones.asked == []


async def test_on_a_full_disk_what_is_under_way_is_written_and_a_new_call_is_turned_away(scene: Scene) -> None:
    await scene.switch.in_sight(True, "connected")
    await scene.switch.deliver([Report("old", CallArrived("1"), origin="a")])
    scene.store.scarce = True
    both = [Report("old", CallerHungUp(), origin="b"), Report("new", CallArrived("1"), origin="c")]
    with pytest.raises(Temporary, match="disk_full"):
        await scene.switch.deliver(both)
    assert [effect for effect, _ in scene.phones.asked if isinstance(effect, SendToFallback)] == [
        SendToFallback("office", "new")
    ]
    assert isinstance(scene.engine.core.live["call:office:old"].state, Ended)
    assert await scene.store.history("call:office:new") == []
    with pytest.raises(Temporary, match="disk_full"):
        await scene.switch.deliver(both)
    assert sum(isinstance(effect, SendToFallback) for effect, _ in scene.phones.asked) == 1, "told once"
    scene.store.scarce = False
    assert len(await scene.switch.deliver(both)) == 2
    state = scene.engine.core.live["call:office:new"].state
    assert isinstance(state, HandedOver), "told late, it rings nobody: the PBX's own plan has the caller"
    assert (state.took, state.file.line, state.file.reported) == (True, "1", True)


async def test_a_call_that_could_not_be_turned_away_is_rung_when_it_is_told_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.switch.in_sight(True, "connected")

    async def refuses(effect: TelephonyEffect, caller: str | None) -> Sequence[Event]:
        raise Temporary("no_answer")

    scene.store.scarce = True
    with monkeypatch.context() as patched:
        patched.setattr(scene.phones, "perform", refuses)
        with pytest.raises(Temporary, match="disk_full"):
            await scene.switch.deliver([Report("new", CallArrived("1"), origin="c")])
    scene.store.scarce = False
    await scene.switch.deliver([Report("new", CallArrived("1"), origin="c")])
    assert isinstance(scene.engine.core.live["call:office:new"].state, Ringing)
