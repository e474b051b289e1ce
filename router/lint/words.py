"""Findings in words, for a terminal and for pages, and as plain data for programs."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from babel.dates import format_date

from router.lint.finding import Finding
from router.texts import LANGUAGES, catalogue, locale
from router.texts.findings import MORE, REMEDIES, SENTENCES


def sentence(finding: Finding, language: str) -> str:
    """What is so."""
    params = {name: _worded(name, value, finding.params, language) for name, value in finding.params.items()}
    return str(catalogue(language).gettext(SENTENCES[finding.code])) % params


def remedy(finding: Finding, language: str) -> str:
    """What to do."""
    return str(catalogue(language).gettext(REMEDIES[finding.code]))


def line(finding: Finding, language: str) -> str:
    """All of it on one line, as a terminal shows it."""
    where = ", ".join(part for part in (finding.chain, finding.person) if part)
    said = f"{sentence(finding, language)} {remedy(finding, language)}"
    return f"{finding.severity.upper()} {finding.code}{f' [{where}]' if where else ''}: {said}"


def as_data(finding: Finding) -> dict[str, Any]:
    """For programs: the code, its parameters, and the words in both languages."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "chain": finding.chain,
        "person": finding.person,
        "params": finding.params,
        "text": {language: sentence(finding, language) for language in LANGUAGES},
        "remedy": {language: remedy(finding, language) for language in LANGUAGES},
    }


def _worded(name: str, value: str, params: Mapping[str, str], language: str) -> str:
    """Dates as people of the language write them; what is not shown is counted."""
    if name not in {"dates", "times"}:
        return value
    shown = ", ".join(_moment(part, language) for part in value.split())
    if params["more"] == "0":
        return shown
    return f"{shown} {catalogue(language).gettext(MORE) % params}"


def _moment(text: str, language: str) -> str:
    """`2026-05-09`, `2026-05-09/2026-05-11` or `2026-05-09T18:00/20:00`."""
    day, _, clock = text.partition("T")
    if clock:
        return f"{_day(day, language)} {clock.replace('/', '–')}"
    return "–".join(_day(part, language) for part in day.split("/"))


def _day(text: str, language: str) -> str:
    return str(format_date(date.fromisoformat(text), "EE d MMM y", locale=locale(language)))
