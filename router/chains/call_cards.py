"""The cards of a call: which face, for whom. Codes and parameters only; words are put to them where they are shown."""

import msgspec

from router.basis.instants import Instant
from router.chains.effects import Face, ShowCard
from router.chains.enquiry import End, File, Outcome

DUTY = "duty"


def _params(file: File, **more: str) -> dict[str, str]:
    params = {"line": file.line, "channel": file.channel, "arrived_at": str(file.arrived), **more}
    if file.caller is not None:
        params["caller_token"] = file.caller
    return params


def _show(file: File, name: str, audience: str, face: Face) -> tuple[File, ShowCard]:
    file = msgspec.structs.replace(file, revision=file.revision + 1)
    return file, ShowCard(f"{file.chain}/{name}", file.chain, audience, face, file.revision)


def answer_card(file: File, end: End, over_at: Instant | None) -> tuple[File, ShowCard]:
    """The card of an answered call: asks the answerer for a verdict, or the duty channel who it was."""
    params = _params(file, talk_at=str(end.talk_from or end.at), extension=end.extension)
    if over_at is not None:
        params["over_at"] = str(over_at)
    buttons: tuple[str, ...] = ("real", "spam")
    if file.verdicts:
        last = file.verdicts[-1]
        params |= {"verdict": last.verdict, "by": last.by, "marked_at": str(last.at)}
        buttons = ("spam",) if last.verdict == "real" else ("real",)
    if end.others:
        params["people"] = ",".join(sorted({end.person or end.extension, *end.others} - {""}))
        return _show(file, "verdict", DUTY, Face("two_answerers", params, buttons))
    if not end.person:
        return _show(file, "verdict", DUTY, Face("unknown_answerer", params, buttons))
    params["person"] = end.person
    face = Face("marked", params, buttons) if file.verdicts else Face("verdict_asked", params, buttons)
    return _show(file, "verdict", f"person:{end.person}", face)


def late_card(file: File, person: str) -> tuple[File, ShowCard]:
    """A head picked up a moment too late and may still take the caller who waits."""
    return _show(file, f"late-{person}", f"person:{person}", Face("late", _params(file, person=person), ("take",)))


def late_cards_over(file: File, outcome: Outcome) -> tuple[File, tuple[ShowCard, ...]]:
    """The caller no longer waits: the Take buttons go."""
    shown: list[ShowCard] = []
    for person in file.late:
        face = Face("late_over", _params(file, person=person, outcome=outcome.value))
        file, card = _show(file, f"late-{person}", f"person:{person}", face)
        shown.append(card)
    return msgspec.structs.replace(file, late=()), tuple(shown)
