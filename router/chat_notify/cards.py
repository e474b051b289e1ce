"""Puts words to a card's face. The same words for the inbox, for any other chat, for the duty channel.

A chain says codes and parameters (`router.chains.call_cards`, `router.chains.callback`); what a person reads is made
here and nowhere else. A test reads all codes out of the chains and fails on one without words.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from router.basis.instants import Instant
from router.chains.effects import Face
from router.chat_notify.buttons import DUTY
from router.chat_notify.port import Card
from router.texts.speech import Speech, length, mark, phone_in_groups

Tone = Literal["ask", "good", "bad", "warn", "quiet"]


@dataclass(frozen=True, slots=True)
class Known:
    """What ids and tokens stand for."""

    people: Mapping[str, str] = field(default_factory=dict)
    """Person id -> name."""
    lines: Mapping[str, str] = field(default_factory=dict)
    """Dialled number -> title of the line."""
    phones: Mapping[str, str] = field(default_factory=dict)
    """Token -> phone number."""

    def person(self, person: str) -> str:
        """The name; the id itself where nobody has it any more."""
        return self.people.get(person, person)


@dataclass(frozen=True, slots=True)
class Fact:
    """One line of a card."""

    label: str
    value: str
    phone: str = ""
    """The number to dial, where the value is one."""
    since: Instant | None = None
    """The value is time that has passed since then: whoever can, lets it run."""


@dataclass(frozen=True, slots=True)
class Button:
    """One button of a card."""

    code: str
    label: str
    choices: tuple[tuple[str, str], ...] = ()
    """Reasons (code, words), one of which goes with the press."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A card in words."""

    card: Card
    tone: Tone
    title: str
    facts: tuple[Fact, ...]
    buttons: tuple[Button, ...]


_TITLES: Mapping[str, tuple[Tone, str]] = {
    "verdict_asked": ("ask", mark("Real client or spam?")),
    "marked/real": ("good", mark("Marked: real client")),
    "marked/spam": ("quiet", mark("Marked: spam")),
    "unknown_answerer": ("warn", mark("It is not known who answered")),
    "two_answerers": ("warn", mark("More than one person is named as the answerer")),
    "late": ("ask", mark("You picked up a moment too late: the client still waits")),
    "late_over": ("quiet", mark("The client no longer waits for you")),
    "passed_on": ("quiet", mark("You passed the client on")),
    "transferred_to_nobody": ("warn", mark("A client was transferred to nobody we know")),
    "callback_open": ("bad", mark("Call the client back")),
    "callback_closed": ("quiet", mark("Call-back closed")),
    "are_you_here": ("ask", mark("Several calls in a row rang out at your phone: are you there?")),
    "paused": ("bad", mark("You are paused: no calls are offered to you")),
    "here_again": ("good", mark("You are there: calls are offered to you again")),
    "head_paused": ("bad", mark("Does not pick up: paused")),
    "head_away": ("warn", mark("Says not to be there: paused")),
    "head_back": ("quiet", mark("There again")),
}

_BUTTONS: Mapping[str, str] = {
    "real": mark("Real"),
    "spam": mark("Spam"),
    "take": mark("Take the call"),
    "close": mark("Close"),
    "here": mark("I am here"),
    "not_here": mark("I am away"),
    "marked/real": mark("Correct: it is a real client"),
    "marked/spam": mark("Correct: it is spam"),
}

ABOUT_HEADS = frozenset({"are_you_here", "paused", "here_again", "head_paused", "head_away", "head_back"})
"""Faces that tell of a head and not of a call."""

OUTCOMES: Mapping[str, str] = {
    "answered": mark("answered"),
    "caller_left": mark("the client hung up before an answer"),
    "nobody": mark("nobody took the call"),
    "fallback_served": mark("answered on the reserve line"),
    "fallback_missed": mark("nobody answered on the reserve line"),
    "fallback_unknown": mark("given to the reserve line, the rest is not known"),
    "lost_in_transfer": mark("lost while being transferred: nobody took the client"),
    "incomplete": mark("the PBX did not report the whole call"),
    "closed": mark("ended by hand"),
}
"""Words for `router.chains.enquiry.Outcome`: how a call ended, and why a call-back is owed."""

REASONS: Mapping[str, str] = {
    "called_back": mark("called back, spoke with the client"),
    "no_answer": mark("called back, the client does not answer"),
    "other_way": mark("the client reached us another way"),
    "wrong_number": mark("wrong number"),
    "spam": mark("spam"),
    "other": mark("other reason"),
    "answered": mark("the call had been answered after all"),
}
"""Words for the reasons of a closed call-back: those of `buttons.CLOSE_REASONS`, and the chain's own."""

SAID: Mapping[str, str] = {
    "marked": mark("Marked."),
    "already": mark("That is done already."),
    "not_yours": mark("Somebody else answered this call: only who answered can mark it."),
    "too_early": mark("Too early: nobody speaks with the client yet."),
    "not_answered": mark("Nobody answered this call, there is nothing to mark."),
    "next": mark("You are next: your phone rings as soon as it is your turn."),
    "not_on_the_list": mark("This call is not offered to you."),
    "too_late": mark("Too late: the client no longer waits."),
    "closed": mark("Closed."),
    "away": mark("No calls are offered to you until you say that you are here."),
    "back": mark("You are there: calls are offered to you."),
    "unknown": mark("There is no such card or button."),
    "changed": mark("The card changed while you were pressing. Look at it and press again."),
    "reason_missing": mark("Choose a reason first."),
    "not_stored": mark("Not saved: the journal cannot be written now. Press again in a moment."),
}
"""Words for the answers to a press (`buttons.REPLIES`)."""


def in_words(card: Card, known: Known, speech: Speech, reasons: tuple[str, ...] = ()) -> Shown:
    """The card as a person reads it; `reasons` are those to choose from with the button `close`."""
    face = card.face
    tone, title = _TITLES.get(_variant(face), ("quiet", face.code))
    return Shown(
        card,
        tone,
        speech.say(title),
        tuple(_facts(face, known, speech)),
        tuple(_button(face, code, speech, reasons) for code in face.buttons),
    )


def answer_in_words(reply: str, speech: Speech) -> str:
    """What a press is answered with."""
    return speech.say(SAID.get(reply, reply))


def _variant(face: Face) -> str:
    return f"marked/{face.params.get('verdict', '')}" if face.code == "marked" else face.code


def _button(face: Face, code: str, speech: Speech, reasons: tuple[str, ...]) -> Button:
    label = _BUTTONS.get(f"{face.code}/{code}", _BUTTONS.get(code, code))
    choices = tuple((reason, speech.say(REASONS[reason])) for reason in reasons) if code == "close" else ()
    return Button(code, speech.say(label), choices)


def _facts(face: Face, known: Known, speech: Speech) -> list[Fact]:
    params = face.params
    say = speech.say
    if face.code in ABOUT_HEADS:
        return _attendance(params, known, speech)
    facts = [_caller(params, known, speech)]
    if line := params.get("line"):
        facts.append(Fact(say("Line"), known.lines.get(line) or phone_in_groups(line)))
    if channel := params.get("channel"):
        facts.append(Fact(say("Channel"), channel))
    if (arrived := _instant(params, "arrived_at")) is not None:
        facts.append(Fact(say("Call"), speech.moment(arrived)))
    facts += _talk(params, speech)
    facts += _people(params, known, speech)
    facts += _passed(params, known, speech)
    match face.code:
        case "callback_open":
            facts += _debt(params, arrived, speech)
        case "callback_closed":
            facts += _closed(params, known, speech)
        case "late_over":
            facts.append(Fact(say("What happened"), _outcome(params.get("outcome", ""), speech)))
        case _:
            facts += _verdict(face, known, speech)
    return facts


def _attendance(params: Mapping[str, str], known: Known, speech: Speech) -> list[Fact]:
    """A card about a head, not about a call."""
    facts = [Fact(speech.say("Head"), known.person(params.get("person", "")))]
    if (misses := int(params.get("misses", "0"))) > 0:
        facts.append(Fact(speech.say("Rang out in a row"), speech.count("%(num)d call", "%(num)d calls", misses)))
    if (at := _instant(params, "said_at")) is not None:
        facts.append(Fact(speech.say("Since"), speech.moment(at)))
    return facts


def _caller(params: Mapping[str, str], known: Known, speech: Speech) -> Fact:
    token = params.get("caller_token")
    number = known.phones.get(token) if token else None
    label = speech.say("Client")
    if number:
        return Fact(label, phone_in_groups(number), phone=number)
    return Fact(label, speech.say("number withheld") if token is None else speech.say("number not available"))


def _talk(params: Mapping[str, str], speech: Speech) -> list[Fact]:
    began, over = _instant(params, "talk_at"), _instant(params, "over_at")
    if began is None:
        return []
    if over is None:
        return [Fact(speech.say("Talking now"), length(speech.now - began), since=began)]
    return [Fact(speech.say("Talk"), length(over - began))]


def _people(params: Mapping[str, str], known: Known, speech: Speech) -> list[Fact]:
    if named := params.get("people"):
        return [Fact(speech.say("Named"), ", ".join(known.person(person) for person in named.split(",")))]
    if "person" not in params and (extension := params.get("extension")):
        return [Fact(speech.say("Extension that answered"), extension)]
    return []


def _passed(params: Mapping[str, str], known: Known, speech: Speech) -> list[Fact]:
    """From whom the client came, or to whom he was passed on and whether that one took him."""
    facts: list[Fact] = []
    if by := params.get("passed_by"):
        facts.append(Fact(speech.say("Passed on by"), known.person(by)))
    at = _instant(params, "passed_at")
    if at is not None:
        token = params.get("passed_token")
        number = known.phones.get(token) if token else None
        outside = phone_in_groups(number) if number else ""
        to = params.get("passed_to") or params.get("passed_extension") or ""
        words = known.person(to) if to else outside or speech.say("somebody unknown")
        facts.append(Fact(speech.say("Passed on to"), f"{words}, {speech.moment(at)}"))
    if params.get("lost"):
        facts.append(Fact(speech.say("What happened"), speech.say("did not take the client")))
    return facts


def _debt(params: Mapping[str, str], arrived: Instant | None, speech: Speech) -> list[Fact]:
    facts = [Fact(speech.say("What happened"), _outcome(params.get("why", ""), speech))]
    if arrived is not None:
        facts.append(Fact(speech.say("Waiting"), length(speech.now - arrived), since=arrived))
    if reminders := int(params.get("reminders", "0")):
        facts.append(Fact(speech.say("Reminder"), speech.count("%(num)d reminder", "%(num)d reminders", reminders)))
    return facts


def _closed(params: Mapping[str, str], known: Known, speech: Speech) -> list[Fact]:
    reason = params.get("reason", "")
    facts = [Fact(speech.say("Reason"), speech.say(REASONS[reason]) if reason in REASONS else reason)]
    if params.get("by"):
        facts.append(Fact(speech.say("Closed by"), _who(params, known, speech)))
    if (at := _instant(params, "closed_at")) is not None:
        facts.append(Fact(speech.say("Closed at"), speech.moment(at)))
    return facts


def _verdict(face: Face, known: Known, speech: Speech) -> list[Fact]:
    """Who marked the call, and how where the title does not say it (cards of the duty channel)."""
    params = face.params
    facts: list[Fact] = []
    verdict = params.get("verdict")
    if verdict in ("real", "spam") and face.code != "marked":
        facts.append(Fact(speech.say("Marked as"), speech.say(_BUTTONS[verdict])))
    at = _instant(params, "marked_at")
    if at is not None:
        facts.append(Fact(speech.say("Marked by"), f"{_who(params, known, speech)}, {speech.moment(at)}"))
    return facts


def _who(params: Mapping[str, str], known: Known, speech: Speech) -> str:
    by = params.get("by", "")
    return speech.say("whoever was on duty") if by == DUTY else known.person(by)


def _outcome(code: str, speech: Speech) -> str:
    return speech.say(OUTCOMES[code]) if code in OUTCOMES else code


def _instant(params: Mapping[str, str], name: str) -> Instant | None:
    text = params.get(name)
    return Instant(int(text)) if text else None
