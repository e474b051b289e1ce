"""The linter of chains: what in people, lists and hours will disappoint somebody on a Monday morning.

    lint(directory, now) -> findings, errors first

Pure. A finding is a code with parameters; its words are in `router.texts.findings`, put together by `words`. Errors are
what makes a directory useless (they are refused by `hopline apply`), warnings what its author may not have meant.
"""

from router.basis.instants import Instant
from router.basis.people import Directory
from router.chains.terms import Terms
from router.crm_bridge.directory import check
from router.lint.finding import Finding
from router.lint.hours import hours
from router.lint.offers import offers

__all__ = ["Finding", "lint"]


def lint(directory: Directory, now: Instant, terms: Terms | None = None) -> list[Finding]:
    """All findings, errors first, then in the order of chains; `now` is where the look ahead begins, `terms` are the
    defaults."""
    contradictions = [
        Finding(one.code, "error", one.chain, one.person, {"value": str(one.value)}) for one in check(directory)
    ]
    # Hours of a directory that names calendars which do not exist would be a guess.
    broken = any(one.code == "unknown_calendar" for one in contradictions)
    warnings = [*offers(directory, terms or Terms()), *([] if broken else hours(directory, now))]
    order = {chain.id: number for number, chain in enumerate(directory.chains)}
    return contradictions + sorted(warnings, key=lambda one: order.get(one.chain, len(order)))
