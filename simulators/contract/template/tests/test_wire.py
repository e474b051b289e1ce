"""Recorded payloads, each with what it means."""

import pytest
from hopline_newpbx import wire
from router.basis.machine import Event
from router.chains.events import CallArrived, Disposition, LegEnded
from router.telephony_adapter.port import Report, UnknownPayload


@pytest.mark.parametrize(
    ("body", "event"),
    [
        (b'{"event":"incoming","n":1,"call":"c","line":"74950000001","number":""}', CallArrived("74950000001")),
        (b'{"event":"leg_end","n":2,"call":"c","leg":"L","reason":"busy"}', LegEnded("L", Disposition.BUSY)),
        (b'{"event":"leg_end","n":3,"call":"c","leg":"L","reason":"eaten"}', LegEnded("L", Disposition.FAILED)),
    ],
)
def test_an_event(body: bytes, event: Event) -> None:
    report = wire.read(body)
    assert isinstance(report, Report)
    assert (report.call, report.event, report.raw) == ("c", event, body)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"event":"weather","n":1,"call":"c"}'])
def test_what_cannot_be_read_is_kept(body: bytes) -> None:
    assert isinstance(wire.read(body), UnknownPayload)
