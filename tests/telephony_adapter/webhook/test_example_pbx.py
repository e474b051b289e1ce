"""`deploy/webhook/example_pbx.py`: short, nothing but the standard library, and it serves a call on the real server."""

import ast
import asyncio
import os
import sys
from pathlib import Path

import pytest

from router.chains.call_states import Ended
from router.chains.enquiry import Outcome
from tests.docs.papers import ROOT
from tests.support.ports import free_port
from tests.telephony_adapter.webhook.served import CALLER, LINE, SECRET, served

EXAMPLE = ROOT / "deploy" / "webhook" / "example_pbx.py"


def test_it_is_short_and_needs_only_python() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 100
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import) for name in node.names
    }  # fmt: skip
    assert imported <= sys.stdlib_module_names


@pytest.mark.net
async def test_it_serves_a_call(tmp_path: Path) -> None:
    port = free_port()
    terms = {"ring_s": 1, "min_offer_s": 0.2}
    async with served(tmp_path / "data", port, terms, commands="poll", look_every_s=0.2) as server:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(EXAMPLE), f"http://127.0.0.1:{port}/webhooks/pbx/office", LINE, CALLER,
            env=os.environ | {"HOPLINE_PBX_SECRET": SECRET}, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        told = [line.split()[0] for line in output.decode().splitlines()]
        assert process.returncode == 0, output
        assert told == [
            "call.arrived", "leg.ringing", "leg.ended", "leg.ringing", "leg.answered", "talk.started", "talk.ended",
            "call.ended", "leg.ended",
        ]  # fmt: skip
        (state,) = [live.state for live in server.engine.core.live.values() if live.id.startswith("call:")]
        assert isinstance(state, Ended)
        assert (state.end.outcome, state.end.person) == (Outcome.ANSWERED, "boris")
        assert [hop.person for hop in state.file.hops] == ["anna", "boris"]
