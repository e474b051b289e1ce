"""The shipped dialplan: whatever happens to the server, the caller reaches people, and the record tells of it.

The server is played by an application that takes calls and does nothing unless told; its own tests are elsewhere.
"""

import time
from collections.abc import Callable

import pytest

from tests.e2e.asterisk.rig import (
    Application,
    CallerScript,
    Rig,
    Rules,
    absent,
    answers,
    busy,
    cancels,
    never_answers,
    talks,
    waits,
)

pytestmark = [pytest.mark.asterisk, pytest.mark.slow]

# Judged by another yardstick: the fallback rings a group, and how long is a setting.
FALLBACK = Rules(hop_s=3.0, window_s=60.0, in_parallel=True)


def record_of(rig: Rig, caller: str) -> list[dict[str, str]]:
    """What the dialplan wrote about this caller; waits for the first line, which is written when the call has ended."""
    limit = time.monotonic() + 10
    while True:
        path = rig.asterisk.fallback_record
        lines = path.read_text().splitlines() if path.exists() else []
        records = [dict(word.split("=", 1) for word in line.split()[1:]) for line in lines]
        mine = [record for record in records if record["caller"] == caller]
        if mine or time.monotonic() > limit:
            assert all(line.startswith("hopline-fallback/1 ") for line in lines)
            return mine
        time.sleep(0.02)  # another process writes the file


def channel_of(rig: Rig, caller: str) -> str:
    """The id of this caller's channel."""
    (found,) = [
        c["id"] for c in rig.asterisk.ari.channels() if c["caller"]["number"] == caller and "trunk" in c["name"]
    ]
    return str(found)


def eventually(done: Callable[[], bool], what: str, limit_s: float = 10.0) -> None:
    limit = time.monotonic() + limit_s
    while not done():
        assert time.monotonic() < limit, what
        time.sleep(0.02)  # polling another process


def test_without_the_application_the_fallback_rings_at_once_and_is_recorded(rig: Rig) -> None:
    rig.head(101, never_answers())
    rig.head(102, answers(after_ms=700))
    rig.line("9101", HOPLINE_HEADS="PJSIP/101&PJSIP/102")
    call = rig.call("9101", script=talks(1200))
    call.wait()
    (caller,) = call.numbers
    verdict = rig.verdict(FALLBACK, call.numbers)
    assert not verdict.anomalies, verdict
    seen = verdict.call(caller)
    assert (seen.legs[0].started_us - seen.arrived_us) / 1e6 < 0.5
    (record,) = record_of(rig, caller)
    assert (record["line"], record["reason"], record["disposition"]) == ("9101", "app_absent", "ANSWERED")
    assert record["device"] == "PJSIP/102"
    assert record["peer"].startswith("PJSIP/102-")
    # written by Asterisk's clock, seen by the kernel's, which is the same one
    assert int(record["arrived_ms"]) == pytest.approx(seen.arrived_us / 1000, abs=200)
    (taken,) = [leg for leg in seen.legs if leg.end == "answered"]
    assert int(record["answered_ms"]) == pytest.approx((taken.answered_us or 0) / 1000, abs=200)
    assert int(record["talk_ms"]) == pytest.approx(1200, abs=300)
    rig.wait_until_idle()


@pytest.mark.parametrize("fate", ["killed", "hung", "killed_after_answering"])
def test_a_caller_whose_server_is_gone_reaches_the_fallback(rig: Rig, fate: str) -> None:
    """The server takes the call, rings a head, and then dies and stays dead, or stops doing anything."""
    line, app = {"killed": "9111", "hung": "9112", "killed_after_answering": "9113"}[fate], f"gone-{fate}"
    rig.head(101, never_answers())
    rig.head(102, answers(after_ms=300))
    rig.line(line, HOPLINE_APP=app, HOPLINE_ABSOLUTE="3", HOPLINE_HEADS="PJSIP/102")
    with Application(rig.asterisk.ari, app) as server:
        call = rig.call(line, script=talks(3500))
        caller = server.wait_for("StasisStart")["channel"]["id"]
        originate = {"endpoint": "PJSIP/101", "app": app, "timeout": "2", "originator": caller}
        rig.asterisk.ari.request("POST", "/channels", **originate)
        if fate == "killed_after_answering":  # a greeting was played
            rig.asterisk.ari.request("POST", f"/channels/{caller}/answer")
        if fate != "hung":
            server.kill()
        call.wait()
    verdict = rig.verdict(Rules(2.0, 60.0, gap_s=5.0, answered_by_others=True, dead_air_s=1.0), call.numbers)
    assert not verdict.anomalies, verdict
    seen = verdict.call(call.numbers[0])
    assert seen.heads == ["101", "102"]
    # the leg that the server left behind is ended by Asterisk's own timeout, the caller is taken over at the 3rd second
    assert seen.legs[0].offered_s == pytest.approx(2.0, abs=0.5)
    assert (seen.legs[1].started_us - seen.arrived_us) / 1e6 == pytest.approx(3.0, abs=0.5)
    assert seen.final == 200
    (record,) = record_of(rig, call.numbers[0])
    assert (record["reason"], record["disposition"]) == ("absolute_timeout", "ANSWERED")
    assert record["device"] == "PJSIP/102"
    if fate == "killed_after_answering":  # he hung up 3.5 s after the greeting; only the talk with a head counts
        assert int(record["talk_ms"]) == pytest.approx(200, abs=400)
    else:  # the talk went on past the absolute time
        assert int(record["talk_ms"]) == pytest.approx(3500, abs=500)
    rig.wait_until_idle()


def test_who_picks_up_while_the_server_is_dead_is_let_go_and_the_caller_rings_on(rig: Rig) -> None:
    """Nobody can connect the two: Asterisk acknowledges the answer, finds no application and hangs up on the head. The
    caller goes on hearing ringing until the limit leads him to the fallback."""
    line, app = "9114", "gone-answered"
    rig.head(101, answers(after_ms=500))
    rig.head(102, answers(after_ms=300))
    rig.line(line, HOPLINE_APP=app, HOPLINE_ABSOLUTE="3", HOPLINE_HEADS="PJSIP/102")
    with Application(rig.asterisk.ari, app) as server:
        call = rig.call(line, script=talks(1000))
        caller = server.wait_for("StasisStart")["channel"]["id"]
        rig.asterisk.ari.request("POST", "/channels", endpoint="PJSIP/101", app=app, timeout="8", originator=caller)
        server.kill()
        call.wait()
    seen = rig.verdict(callers=call.numbers).call(call.numbers[0])
    lost, taken = seen.legs
    assert (lost.head, lost.end, lost.bye_by) == ("101", "answered", "pbx")
    assert lost.acked_us
    heard_s = ((lost.bye_us or 0) - (lost.answered_us or 0)) / 1e6
    assert 0 < heard_s < 0.3, "silence, then the end"
    assert taken.head == "102"
    assert (taken.started_us - seen.arrived_us) / 1e6 == pytest.approx(3.0, abs=0.5)
    assert seen.final == 200
    assert (seen.answered_us or 0) > taken.started_us, "nobody has answered him before"
    (record,) = record_of(rig, call.numbers[0])
    assert (record["reason"], record["disposition"]) == ("absolute_timeout", "ANSWERED")
    rig.wait_until_idle()


def test_a_talk_whose_time_limit_was_cleared_outlives_it(rig: Rig) -> None:
    rig.head(103, answers(after_ms=100))
    rig.line("9121", HOPLINE_APP="talk", HOPLINE_ABSOLUTE="2", HOPLINE_HEADS="PJSIP/101")
    with Application(rig.asterisk.ari, "talk") as server:
        call = rig.call("9121", script=talks(4000))
        ari, caller = rig.asterisk.ari, server.wait_for("StasisStart")["channel"]["id"]
        ari.request("POST", "/channels/talk-leg", endpoint="PJSIP/103", app="talk", originator=caller)
        server.wait_for("StasisStart")
        ari.request("POST", f"/channels/{caller}/variable", variable="TIMEOUT(absolute)", value="0")
        ari.request("POST", f"/channels/{caller}/answer")
        ari.request("POST", "/bridges/talk", type="mixing")
        ari.request("POST", "/bridges/talk/addChannel", channel=f"{caller},talk-leg")
        call.wait()
        ari.request("DELETE", "/channels/talk-leg")
        ari.request("DELETE", "/bridges/talk")
    seen = rig.verdict(FALLBACK, call.numbers).call(call.numbers[0])
    assert seen.bye_by == "caller"
    assert seen.heads == ["103"]
    rig.wait_until_idle()


@pytest.mark.parametrize("way", ["next", "context"])
def test_the_server_sends_a_call_to_the_fallback(rig: Rig, way: str) -> None:
    line = {"next": "9131", "context": "9132"}[way]
    rig.head(104, answers(after_ms=100, talk_ms=200))
    rig.line(line, HOPLINE_APP=f"sends-{way}", HOPLINE_HEADS="PJSIP/104")
    with Application(rig.asterisk.ari, f"sends-{way}") as server:
        call = rig.call(line)
        caller = server.wait_for("StasisStart")["channel"]["id"]
        target = {"context": "hopline-fallback", "extension": line, "priority": "1"} if way == "context" else {}
        rig.asterisk.ari.request("POST", f"/channels/{caller}/continue", **target)
        call.wait()
    (record,) = record_of(rig, call.numbers[0])
    assert (record["reason"], record["disposition"], record["line"]) == ("sent_by_server", "ANSWERED", line)
    assert record["uniqueid"] == caller


def test_every_end_of_a_fallback_call_has_its_word(rig: Rig) -> None:
    rig.all_heads(never_answers(), [121, 122, 123])
    rig.head(124, busy())
    rig.head(136, absent())
    rig.head(123, answers(after_ms=200))
    eventually(lambda: "Unavail" in rig.asterisk.command("pjsip show contacts"), "136 is not known to be gone", 30)
    table: dict[str, tuple[str, str, CallerScript, str, int]] = {
        # line: heads, mailbox, caller, disposition, final answer to the caller
        "9141": ("PJSIP/121", "", waits(), "NOANSWER", 480),
        "9142": ("PJSIP/122", "", cancels(700), "ABANDONED", 487),
        "9143": ("PJSIP/124", "", waits(), "BUSY", 486),
        "9144": ("PJSIP/136", "", waits(), "UNREACHABLE", 480),
        "9145": ("", "", waits(), "UNREACHABLE", 480),
        "9146": ("PJSIP/136", "100@default", talks(14000), "VOICEMAIL", 200),
        "9147": ("PJSIP/123", "", talks(500), "ANSWERED", 200),
    }
    calls = {}
    for line, (heads, mailbox, caller, _, _) in table.items():
        rig.line(line, HOPLINE_HEADS=heads or "-", HOPLINE_FALLBACK_RING="2", HOPLINE_MAILBOX=mailbox)
        calls[line] = rig.call(line, script=caller)
    for call in calls.values():
        call.wait()
    verdict = rig.verdict(FALLBACK)
    for line, (_, _, _, disposition, final) in table.items():
        (number,) = calls[line].numbers
        (record,) = record_of(rig, number)
        assert (line, record["disposition"], verdict.call(number).final) == (line, disposition, final)
        assert (record["device"] != "") == (record["answered_ms"] != "") == (disposition == "ANSWERED")
    rig.wait_until_idle()


def test_a_fallback_that_leads_back_to_its_own_line_ends(rig: Rig) -> None:
    rig.line("9151", HOPLINE_HEADS="Local/9151@from-trunk", HOPLINE_FALLBACK_RING="3")
    call = rig.call("9151")
    call.wait()
    seen = rig.verdict(FALLBACK, call.numbers).call(call.numbers[0])
    assert seen.final == 480
    assert seen.window_s is not None
    assert seen.window_s < 2
    assert len(record_of(rig, call.numbers[0])) == 1
    rig.wait_until_idle()


def test_a_caller_transferred_to_another_line_has_a_record_for_each(rig: Rig) -> None:
    rig.head(126, answers(after_ms=100))
    rig.line("9161", HOPLINE_HEADS="PJSIP/126")
    rig.line("9162", HOPLINE_HEADS="PJSIP/126")
    call = rig.call("9161", script=talks(2000))
    (caller,) = call.numbers
    eventually(lambda: bool(rig.asterisk.ari.bridges()), "they do not talk")
    # what a blind transfer does to the caller's channel; to the context of the trunk, as a phone's REFER would not be
    name = next(c["name"] for c in rig.asterisk.ari.channels() if c["id"] == channel_of(rig, caller))
    rig.asterisk.command(f"channel redirect {name} hopline,9162,1")
    call.wait()
    eventually(lambda: len(record_of(rig, caller)) == 2, "the second record")
    first, second = record_of(rig, caller)
    assert (first["line"], second["line"]) == ("9161", "9162")
    assert first["uniqueid"] == second["uniqueid"]
    assert (first["disposition"], second["disposition"]) == ("ANSWERED", "ANSWERED")
    assert int(first["ended_ms"]) <= int(second["since_ms"]) <= int(second["answered_ms"]) <= int(second["ended_ms"])
    rig.wait_until_idle()


def test_twenty_calls_at_once_write_twenty_whole_lines(rig: Rig) -> None:
    rig.head(127, busy())
    rig.line("9171", HOPLINE_HEADS="PJSIP/127")
    calls = rig.calls("9171", 20, rate=500)
    calls.wait()
    for number in calls.numbers:
        (record,) = record_of(rig, number)
        assert record["disposition"] == "BUSY"
        assert list(record)[-1] == "voicemail"
    rig.wait_until_idle()
