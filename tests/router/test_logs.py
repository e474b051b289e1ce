"""No phone number in a log line, and no mangled ids either."""

from router.logs import mask_numbers


def masked(**line: object) -> dict[str, object]:
    return mask_numbers(None, "info", dict(line))


def test_numbers_are_masked_wherever_they_stand() -> None:
    line = masked(event="refused 79990001122", caller="+79990001122", note="8(999)", error="from sip +74950000001 now")
    assert line == {
        "event": "refused +7***22",
        "caller": "+7***22",
        "note": "8(999)",
        "error": "from sip +7***01 now",
    }


def test_ids_and_instants_stay_readable() -> None:
    line = masked(
        call="1764000000.12", leg="demo-7.h1", order="call:office:demo-7/3/0", timestamp="2026-11-23T19:00:00Z"
    )
    assert line == masked(**line)
    assert line["call"] == "1764000000.12"
