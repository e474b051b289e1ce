"""The cards of a call: which face, for whom. Codes and parameters only; words are put to them where they are shown."""

import msgspec

from router.basis.instants import Instant
from router.chains.effects import Face, ShowCard
from router.chains.enquiry import End, File, Outcome, Passed, asked

DUTY = "duty"


def _params(file: File, **more: str) -> dict[str, str]:
    params = {"line": file.line, "channel": file.channel, "arrived_at": str(file.arrived), **more}
    if file.caller is not None:
        params["caller_token"] = file.caller
    return params


def _show(file: File, name: str, audience: str, face: Face) -> tuple[File, ShowCard]:
    file = msgspec.structs.replace(file, revision=file.revision + 1)
    return file, ShowCard(f"{file.chain}/{name}", file.chain, audience, face, file.revision)


def talk_cards(file: File, end: End, over_at: Instant | None) -> tuple[File, tuple[ShowCard, ...]]:
    """The cards of a call in which somebody talked, after anything has changed.

    The verdict is asked of the last known person who talked with the client (decision 22), or of the duty channel where
    nobody known did; whoever passed the client on sees what became of him; a transfer to nobody known is shown to duty.
    """
    file, card = _verdict_card(file, end, over_at)
    shown = [card]
    keeps = asked(file, end)
    for person in dict.fromkeys(entry.person for entry in file.passed if entry.person not in {"", keeps}):
        file, card = _passed_card(file, person, end, over_at)
        shown.append(card)
    if file.passed and not file.passed[-1].to_person:
        params = _params(file, person=file.passed[-1].person, **_target(file.passed[-1]))
        file, card = _show(file, "transfer", DUTY, Face("transferred_to_nobody", params))
        shown.append(card)
    return file, tuple(shown)


def _verdict_card(file: File, end: End, over_at: Instant | None) -> tuple[File, ShowCard]:
    params = _params(file, talk_at=_talk_at(file, end), extension=end.extension)
    if over_at is not None:
        params["over_at"] = str(over_at)
    buttons: tuple[str, ...] = ("real", "spam")
    if file.verdicts:
        params |= _last_verdict(file)
        buttons = ("spam",) if params["verdict"] == "real" else ("real",)
    if end.others:
        params["people"] = ",".join(sorted({end.person or end.extension, *end.others} - {""}))
        return _show(file, "verdict", DUTY, Face("two_answerers", params, buttons))
    params |= _recording(file)
    person = asked(file, end)
    if not person:
        return _show(file, "verdict", DUTY, Face("unknown_answerer", params, buttons))
    params["person"] = person
    if file.passed:
        params |= _passed_on(file, person)
    face = Face("marked", params, buttons) if file.verdicts else Face("verdict_asked", params, buttons)
    return _show(file, "verdict", f"person:{person}", face)


def _passed_card(file: File, person: str, end: End, over_at: Instant | None) -> tuple[File, ShowCard]:
    params = _params(file, person=person, talk_at=_talk_at(file, end), **_passed_on(file, person), **_recording(file))
    if over_at is not None:
        params["over_at"] = str(over_at)
    if file.verdicts:
        params |= _last_verdict(file)
    return _show(file, f"passed-{person}", f"person:{person}", Face("passed_on", params))


def _talk_at(file: File, end: End) -> str:
    return str(file.passed[0].since if file.passed else end.talk_from or end.at)


def _recording(file: File) -> dict[str, str]:
    """Whoever has such a card may listen."""
    kept = file.tape is not None and file.tape.state == "kept"
    return {"recording": f"{file.pbx}/{file.tape.name}"} if kept and file.tape is not None else {}


def _last_verdict(file: File) -> dict[str, str]:
    last = file.verdicts[-1]
    return {"verdict": last.verdict, "by": last.by, "marked_at": str(last.at)}


def _passed_on(file: File, person: str) -> dict[str, str]:
    """Where this person's last transfer led; where he made none, from whom he has the client."""
    mine = next((entry for entry in reversed(file.passed) if entry.person == person), None)
    if mine is not None:
        return _target(mine)
    return {"passed_by": file.passed[-1].person or file.passed[-1].extension}


def _target(entry: Passed) -> dict[str, str]:
    params = {"passed_to": entry.to_person, "passed_extension": entry.to_extension, "passed_at": str(entry.at)}
    if entry.to_number is not None:
        params["passed_token"] = entry.to_number
    if entry.lost:
        params["lost"] = "1"
    return params


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
