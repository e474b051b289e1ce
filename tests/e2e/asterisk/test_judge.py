"""The judge alone: every anomaly that it knows is reported when planted, and a good call has none."""

import struct
from dataclasses import replace

import pytest

from tests.e2e.asterisk.rig import Call, HeadLeg, Rules, Verdict, read_packets, read_sip, review

T0 = 1_700_000_000_000_000
S = 1_000_000
RULES = Rules(order=("101", "102", "103", "104", "105"))


def leg(place: int, start_s: float, end_s: float | None, answered: bool = False) -> HeadLeg:
    """The head at this place of the list, rung from the start and cancelled (or answered) at the end."""
    made = HeadLeg(str(100 + place), "1", f"leg-{place}-{start_s}", T0 + round(start_s * S))
    made.heard_us = made.ringing_us = made.started_us + 1000
    end = None if end_s is None else T0 + round(end_s * S)
    if answered:
        made.answered_us, made.status = end, 200
    else:
        made.cancelled_us = end
    return made


def chain(*legs: HeadLeg, final: int = 480, final_s: float | None = 40.02) -> Call:
    """A call with these legs."""
    call = Call("1", "9101", "call-1", T0, legs=list(legs))
    if final_s is not None:
        call.final_us, call.final = T0 + round(final_s * S), final
        call.answered_us = call.final_us if final < 300 else None
    return call


def nobody(hop_s: float = 8.0) -> Call:
    """Five heads, one after another, and the release."""
    return chain(*(leg(place, (place - 1) * hop_s, place * hop_s) for place in range(1, 6)), final_s=5 * hop_s + 0.01)


def third_answers() -> Call:
    """Picked up after 3 s; the caller hangs up after 5 s of talk."""
    talk = leg(3, 16, 19, answered=True)
    talk.acked_us, talk.bye_us, talk.bye_by = T0 + 19 * S, T0 + 24 * S, "pbx"
    call = chain(leg(1, 0, 8), leg(2, 8, 16), talk, final=200, final_s=19.002)
    call.ended_us, call.bye_by = T0 + 24 * S, "caller"
    return call


def given_up() -> Call:
    """The caller cancels after 12 s."""
    call = chain(leg(1, 0, 8), leg(2, 8, 12.003), final=487, final_s=12.001)
    call.cancelled_us = T0 + 12 * S
    return call


def verdict(*calls: Call, strays: tuple[HeadLeg, ...] = (), rules: Rules = RULES) -> Verdict:
    return review(calls, strays, rules)


@pytest.mark.parametrize("call", [nobody(), third_answers(), given_up()])
def test_a_good_call_has_no_anomaly(call: Call) -> None:
    assert verdict(call).kinds() == set()


def test_figures_are_those_of_the_wire() -> None:
    call = chain(leg(1, 0, 8.009), leg(2, 9.01, 17.0), final_s=17.5)
    assert call.legs[0].offered_s == pytest.approx(8.009)
    assert call.legs[0].rang_s == pytest.approx(8.008)
    assert call.gaps_ms == [pytest.approx(1001)]
    assert call.drifts_s(8.0) == [0, pytest.approx(1.01)]
    assert call.window_s == pytest.approx(17.5)


def test_planted_faults_of_the_chain_are_named() -> None:
    five = nobody().legs
    assert verdict(chain(leg(1, 0, 9), leg(2, 9, 17))).kinds() >= {"offered_too_long"}
    assert verdict(chain(leg(1, 0, 5), *five[1:])).kinds() >= {"offered_too_short", "gap"}
    assert verdict(chain(leg(1, 0, 8.4), *five[1:])).kinds() == {"overlap"}
    assert verdict(chain(five[0], leg(2, 8.6, 16.2), *five[2:])).kinds() == {"gap"}
    assert verdict(chain(leg(2, 0, 8), leg(1, 8, 16), *five[2:])).kinds() == {"wrong_order"}
    assert verdict(chain(five[0], leg(3, 8, 16), leg(4, 16, 24), leg(5, 24, 32))).kinds() == {"head_skipped"}
    assert verdict(chain(*five[:4], final_s=32)).kinds() == {"head_skipped"}
    assert verdict(chain(*five, final_s=44.05)).kinds() == {"window_exceeded"}
    assert verdict(chain(*five, final_s=None)).kinds() == {"no_final"}
    assert verdict(chain(*five[:4], leg(5, 32, None))).kinds() >= {"leg_left_open", "offered_too_long"}


def test_planted_faults_around_an_answer_are_named() -> None:
    lost = third_answers()
    lost.final, lost.answered_us = 480, None
    assert verdict(lost).kinds() >= {"answer_lost"}

    twice = third_answers()
    second = leg(4, 19, 20, answered=True)
    second.bye_us = T0 + 21 * S
    twice.legs.append(second)
    assert verdict(twice).kinds() >= {"two_answered", "rings_after_answer"}

    on_and_on = third_answers()
    on_and_on.legs[1] = leg(2, 8, 24)
    assert verdict(on_and_on).kinds() >= {"rings_after_answer", "overlap"}

    slow = third_answers()
    slow.final_us = slow.answered_us = T0 + 20 * S
    assert verdict(slow).kinds() == {"dead_air"}

    orphan = third_answers()
    orphan.legs[2].bye_us = None
    assert verdict(orphan).kinds() == {"leg_left_open"}

    assert verdict(chain(leg(1, 0, 3), final=200, final_s=3)).kinds() >= {"answered_by_nobody"}


def test_a_late_answer_is_no_connection_and_its_silence_is_measured() -> None:
    late = nobody()
    late.legs[0].answered_us, late.legs[0].status = T0 + 8 * S + 900, 200
    late.legs[0].bye_us = T0 + 8 * S + 90_000
    assert late.legs[0].answered_late
    assert late.dead_air_ms == [pytest.approx(89.1)]
    assert verdict(late).kinds() == set()
    late.legs[0].bye_us = T0 + 9 * S
    assert verdict(late).kinds() == {"dead_air"}


def test_a_phone_that_rings_for_nobody_is_named() -> None:
    call = given_up()
    call.legs[1] = leg(2, 8, 13)
    assert verdict(call).kinds() >= {"rings_after_cancel"}
    assert verdict(nobody(), strays=(replace(leg(1, 60, 61), caller=""),)).kinds() == {"stray_leg"}


def test_one_phone_offered_two_calls_at_once_is_named() -> None:
    other = chain(leg(1, 7, 15), final=487, final_s=15)
    other.cancelled_us = T0 + 15 * S
    assert "two_open_invites" in verdict(nobody(), other).kinds()
    after = chain(leg(1, 8, 16), final=487, final_s=16)
    after.cancelled_us = T0 + 16 * S
    assert "two_open_invites" not in verdict(chain(leg(1, 0, 8), final_s=8), after, rules=Rules()).kinds()


def test_a_capture_is_read_and_an_unfinished_record_waits() -> None:
    payload = (
        b"INVITE sip:101@127.0.0.1:20010 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:20000;branch=z9hG4bK1\r\n"
        b'f: "Client" <sip:79990001122@127.0.0.1>;tag=a\r\nTo: <sip:101@127.0.0.1>\r\ni: x\r\nCSeq: 7 INVITE\r\n\r\n'
    )
    udp = struct.pack("!HHHH", 20000, 20010, 8 + len(payload), 0) + payload
    frame = bytes(12) + b"\x08\x00" + b"\x45" + bytes(8) + b"\x11" + bytes(10) + udp
    header = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    record = struct.pack("<IIII", 1_700_000_000, 250, len(frame), len(frame)) + frame
    (packet,) = read_packets(header + record + record[:-1])
    message = read_sip(packet)
    assert message is not None
    assert (message.at_us, message.source, message.target) == (T0 + 250, 20000, 20010)
    assert (message.caller, message.call_id, message.branch) == ("79990001122", "x", "z9hG4bK1")
    assert message.opens_dialog
