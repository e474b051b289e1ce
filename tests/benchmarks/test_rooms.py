"""Each bench in its smallest size: it runs, its figures have their shape, and nothing in them is impossible."""

import json

import pytest

from benchmarks import clients, memory, restart, timer, webhook
from benchmarks.office import PBX
from benchmarks.webhook_client import PER_CALL, deliveries
from router.chains.events import CallArrived, CallerHungUp, LegAnswered, LegEnded, LegRinging, TalkEnded, TalkStarted
from router.telephony_adapter.webhook import wire

SECRET = "whsec_YmVuY2htYXJrIHNlY3JldCBvZiAzMiBieXRlcyAuLi4="


def test_the_mix_is_a_whole_call_as_the_contract_tells_it() -> None:
    """Every leg is told to its end, the one that talked too, and the call after it (docs/webhook-pbx.md)."""
    told = []
    for request in deliveries(7, 1, SECRET, 1_764_000_000):
        head, _, body = request.partition(b"\r\n\r\n")
        assert head.startswith(f"POST /webhooks/pbx/{PBX} HTTP/1.1\r\n".encode())
        assert f"Content-Length: {len(body)}".encode() in head
        reports, unknown = wire.read(body, "x")
        assert not unknown
        told.append(reports[0].event)
    assert len(told) == PER_CALL
    assert [type(event) for event in told] == [
        CallArrived, LegRinging, LegEnded, LegRinging, LegEnded, LegRinging, LegAnswered, TalkStarted, TalkEnded,
        LegEnded, CallerHungUp,
    ]  # fmt: skip
    rung = [event.leg for event in told if isinstance(event, LegRinging)]
    assert rung == [event.leg for event in told if isinstance(event, LegEnded)]


@pytest.mark.net
def test_webhook() -> None:
    """All is taken, once, and nothing is left: no call lives, no effect waits or is repeated."""
    calls, rounds = 6, 2
    figures = webhook.measure(calls, rounds, at_once=3)
    json.dumps(figures)
    assert figures["left"] == {
        "events": calls * rounds * PER_CALL + 1,
        "live_calls": 0,
        "effects": 0,
    }  # and the roster's
    assert isinstance(figures["ratio"], float)
    assert 0 < figures["ratio"] < 2
    cpu = figures["cpu_us_per_event"]
    assert isinstance(cpu, dict)
    assert 0 < cpu["floor"] < cpu["ours"]
    assert figures["events_per_round"] == calls * PER_CALL


@pytest.mark.slow
def test_timer() -> None:
    calls = 60
    figures = timer.measure(calls, span_s=0.5, ring_s=3)
    json.dumps(figures)
    for name in ("bare", "ours"):
        lateness = figures[name]
        assert isinstance(lateness, dict)
        assert lateness["early"] == 0
        assert 0 <= lateness["late_ms"]["median"] <= lateness["late_ms"]["p99"] <= lateness["late_ms"]["max"]
    assert isinstance(figures["ours"], dict)
    assert figures["ours"]["live_at_most"] == calls + 1  # and the roster
    assert isinstance(figures["backlog"], dict)
    assert figures["backlog"]["fresh_event_ms"]["median"] > 0


@pytest.mark.slow
def test_restart() -> None:
    calls = 40
    figures = restart.measure(calls, ring_s=3)
    json.dumps(figures)
    assert figures["live"] == calls
    armed, first = figures["armed_s"], figures["first_overdue_s"]
    assert isinstance(armed, float)
    assert isinstance(first, float)
    assert 0 < armed <= first


@pytest.mark.slow
def test_memory() -> None:
    figures = memory.measure(1_200)
    json.dumps(figures)
    ours = figures["bytes_per_live_call"]
    assert isinstance(ours, int)
    assert 500 < ours < 50_000, "a call is some kilobytes: else something else was measured"


@pytest.mark.net
def test_clients() -> None:
    """All are written once, found, and read again by a start."""
    figures = clients.measure(60)
    json.dumps(figures)
    assert figures["clients"] == 60
    start = figures["start"]
    assert isinstance(start, dict)
    assert start["with_book"]["clients"] == 60
    assert start["without"]["clients"] == 0
