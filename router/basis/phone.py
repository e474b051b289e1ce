"""Phone numbers: one spelling inside, a mask outside.

Numbers reach us as 7999…, +7999…, 8999…, sip:+7999…@host, tel:…, "anonymous" or empty. They are brought to E.164 in
one place and become tokens before they reach a machine or the log (`router.engine.vault`).
"""

import re

import phonenumbers

_URI = re.compile(r"^(?:sips?|tel):([^@;>]+)", re.IGNORECASE)
_WITHHELD = frozenset({"", "anonymous", "unknown", "restricted", "unavailable", "private", "s", "-", "<unknown>"})

SHORTEST_DIALLED = 7
"""National numbers shorter than this are extensions or service codes, kept as dialled (E.164 leaves them undefined)."""


def normal(raw: str, region: str = "RU") -> str | None:
    """The number in E.164 (`+79990001122`); as dialled where it is no public number; None where it is withheld.

    `region` (ISO 3166 code) reads numbers without an international prefix. Source of the rules: phonenumbers.
    """
    text = raw.strip()
    if found := _URI.match(text):
        text = found.group(1)
    if text.lower() in _WITHHELD:
        return None
    digits = re.sub(r"[^\d+]", "", text)
    if len(digits.lstrip("+")) < SHORTEST_DIALLED:
        return digits or None
    # PBXs send 7999… for +7999…: eleven digits that start with 7 are international already.
    candidates = [digits] if digits.startswith("+") else [digits, "+" + digits]
    for candidate in candidates:
        try:
            number = phonenumbers.parse(candidate, region)
        except phonenumbers.NumberParseException:
            continue
        if phonenumbers.is_valid_number(number):
            return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return digits


def masked(number: str) -> str:
    """The number as logs and shared pages may show it: country and last two digits, the rest hidden."""
    digits = re.sub(r"\D", "", number)
    if len(digits) <= 4:  # noqa: PLR2004 - an extension identifies a phone on a desk, not a person outside
        return number
    head = digits[: max(1, len(digits) - 10)]
    return f"+{head}***{digits[-2:]}"
