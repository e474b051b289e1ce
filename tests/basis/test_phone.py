"""One spelling inside, a mask outside."""

import pytest

from router.basis.phone import masked, normal


@pytest.mark.parametrize(
    ("raw", "inside"),
    [
        ("79990001122", "+79990001122"),
        ("+79990001122", "+79990001122"),
        ("89990001122", "+79990001122"),
        ("8 (999) 000-11-22", "+79990001122"),
        ("sip:+79990001122@pbx.example;user=phone", "+79990001122"),
        ("tel:+79990001122", "+79990001122"),
        ("+442071838750", "+442071838750"),
        ("101", "101"),
        ("anonymous", None),
        ("", None),
        ("  ", None),
        ("sip:anonymous@anonymous.invalid", None),
        ("123456789012345678", "123456789012345678"),
    ],
)
def test_every_way_a_pbx_writes_a_number_is_one_number(raw: str, inside: str | None) -> None:
    assert normal(raw) == inside


def test_numbers_are_read_in_the_region_they_were_dialled_in() -> None:
    assert normal("020 7183 8750", "GB") == "+442071838750"


@pytest.mark.parametrize(("number", "shown"), [("+79990001122", "+7***22"), ("101", "101"), ("4950000001", "+4***01")])
def test_a_mask_hides_all_but_country_and_end(number: str, shown: str) -> None:
    assert masked(number) == shown
    assert len(number) < 5 or number[4:8] not in shown
