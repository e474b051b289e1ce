"""What a released version wrote, the present code reads, and every step leads to the same bytes.

If this fails after a change of a machine, the change needs a new machine version (`CallMachine.version`), and the old
behaviour stays beside the new. It is never repaired by writing the log anew.
"""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from router.basis.machine import State
from router.chains.call_states import CallEffect, CallEvent, CallState
from router.chains.callback import CallbackEvent, CallbackState
from router.chains.enquiry import Outcome
from router.chains.roster import RosterEvent
from router.engine.core import Core
from router.engine.vault import Vault
from router.office import Office, machines
from tests.golden import log, scenes
from tests.golden.write import main

VERSIONS = sorted(path.stem for path in log.FOLDER.glob("v*.jsonl") if not path.stem.endswith(".contents"))


def core_with(version: str) -> Core:
    core = Core(machines(), Office({}).looks(), Vault())
    for content in log.read_contents(log.FOLDER / f"{version}.contents.jsonl"):
        core.contents.loaded(content.digest, bytes(content.body))
    return core


def names(union: Any) -> set[str]:
    return {kind.__name__ for kind in union.__args__}


def test_there_is_a_log_of_the_first_version() -> None:
    assert "v1" in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_every_step_leads_to_the_same_bytes(version: str) -> None:
    core = core_with(version)
    states: dict[tuple[int, str], State] = {}
    for line in log.read(log.FOLDER / f"{version}.jsonl"):
        machine = core.machine(line.kind, line.machine_version)
        event = core.codec.event(machine, bytes(line.event), line.schema)
        seen = core.codec.seen(machine, bytes(line.seen), line.schema)
        before = states.get((line.act, line.chain))
        step = machine.step(before, event, seen, line.at) if before else machine.start(event, seen, line.at)
        standing = machine.standing(step.state)
        claims = () if standing.final else machine.claims(step.state)
        where = f"act {line.act}, {line.chain}, record {line.sequence}"
        assert core.codec.encode(step.state) == bytes(line.state), where
        assert core.codec.outcome(step, claims) == bytes(line.outcome), where
        assert standing.final == line.final, where
        assert (None if standing.final else machine.deadline(step.state)) == line.deadline, where
        # The next step starts from the stored bytes, as after a restart.
        states[line.act, line.chain] = core.codec.state(machine, bytes(line.state), line.schema)


def test_the_first_log_shows_all_that_the_machine_knows() -> None:
    written = log.read(log.FOLDER / "v1.jsonl")

    def said(kind: str, what: str) -> set[str]:
        bodies = [msgspec.json.decode(getattr(line, what)) for line in written if line.kind == kind]
        return {body["type"] for body in bodies}

    assert said("call", "state") == names(CallState)
    assert said("call", "event") >= names(CallEvent)
    assert said("callback", "state") == names(CallbackState)
    assert said("callback", "event") >= names(CallbackEvent) - {
        "Granted", "ClaimLost", "EffectDropped", "EffectAside", "Nudged",
    }  # fmt: skip
    assert said("roster", "event") >= names(RosterEvent) - {"Granted", "ClaimLost", "Nudged"}
    outcomes = [msgspec.json.decode(line.outcome) for line in written if line.kind == "call"]
    assert {effect["type"] for outcome in outcomes for effect in outcome.get("effects", [])} == names(CallEffect)
    states = [msgspec.json.decode(line.state) for line in written if line.kind == "call"]
    outcomes_seen = {state["end"]["outcome"] for state in states if state["type"] == "Ended"}
    assert outcomes_seen == {outcome.value for outcome in Outcome}
    assert len({(line.act, line.chain) for line in written if line.kind == "call"}) >= 8


def test_the_scenes_still_play_as_they_were_written() -> None:
    """The office's looks and the engine's order of events are part of what was written."""
    played = [msgspec.json.encode(line) for line in log.lines(scenes.acts())]
    assert played == (log.FOLDER / "v1.jsonl").read_bytes().splitlines()


def test_a_released_log_is_not_written_again(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (log.FOLDER / "v1.jsonl").read_bytes()
    assert main("v1", again=False) == 1
    assert main("v99", again=True) == 1
    assert "FOR NOTHING ELSE" in capsys.readouterr().err
    assert (log.FOLDER / "v1.jsonl").read_bytes() == before
    monkeypatch.setattr("tests.golden.write.FOLDER", tmp_path)
    assert main("v1", again=False) == 0
    assert (tmp_path / "v1.jsonl").read_bytes() == before
