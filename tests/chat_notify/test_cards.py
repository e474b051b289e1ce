"""Every code that a chain can show has words in both languages; a chain that learns a new one fails here."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from router.basis.instants import HOUR, MINUTE, Instant
from router.chains.effects import Face
from router.chains.enquiry import Outcome
from router.chat_notify.buttons import CLOSE_REASONS, REPLIES
from router.chat_notify.cards import OUTCOMES, REASONS, SAID, Known, Shown, answer_in_words, in_words
from router.chat_notify.port import Card
from router.operations import DONE, REFUSED
from router.texts import LANGUAGES
from router.texts.speech import Speech

CLIENT_BOOK = {"created", "changed", "same", "outdated", "absent"}
"""What becomes of a client's entry; whoever writes clients is told in words of his own (`router.web.clients`)."""

CHAINS = Path(__file__).resolve().parents[2] / "router" / "chains"
NOW = Instant(1_764_000_000_000_000)
ZONE = ZoneInfo("Europe/Moscow")
KNOWN = Known({"anna": "Анна", "boris": "Борис"}, {"+74950000001": "Продажи"}, {"t_1": "+79990001122"})
PARAMS = {
    "line": "+74950000001", "channel": "Директ", "caller_token": "t_1", "arrived_at": str(NOW - 5 * MINUTE),
    "talk_at": str(NOW - 4 * MINUTE), "extension": "777", "reminders": "2", "by": "anna", "marked_at": str(NOW),
    "closed_at": str(NOW), "verdict": "spam", "people": "anna,boris", "why": "nobody", "outcome": "caller_left",
    "reason": "called_back",
}  # fmt: skip


def calls_and_keywords() -> Iterator[ast.Call]:
    for file in CHAINS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield node


def strings(node: ast.expr | None) -> set[str]:
    """All texts that an expression can be: a constant, either side of a condition, members of a tuple."""
    if node is None:
        return set()
    return {part.value for part in ast.walk(node) if isinstance(part, ast.Constant) and isinstance(part.value, str)}


def faces() -> set[str]:
    return {
        code
        for call in calls_and_keywords()
        if getattr(call.func, "id", "") == "Face"
        for code in strings(call.args[0])
    }


def replies() -> set[str]:
    return {
        code for call in calls_and_keywords() for keyword in call.keywords if keyword.arg == "reply"
        for code in strings(keyword.value)
    }  # fmt: skip


def shown(code: str, language: str, buttons: tuple[str, ...] = (), **changes: str) -> Shown:
    face = Face(code, PARAMS | changes, buttons)
    card = Card("call:office:1/verdict", "call:office:1", "duty", 3, face, NOW, NOW)
    return in_words(card, KNOWN, Speech(language, ZONE, NOW), CLOSE_REASONS)


def texts(card: Shown) -> list[str]:
    labels = [button.label for button in card.buttons]
    choices = [words for button in card.buttons for _, words in button.choices]
    return [card.title, *labels, *choices, *(text for fact in card.facts for text in (fact.label, fact.value))]


def test_the_chains_were_read() -> None:
    assert {"verdict_asked", "marked", "late", "callback_open"} <= faces()
    assert {"marked", "not_yours", "closed"} <= replies()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(faces()))
def test_every_face_has_words(code: str, language: str) -> None:
    card = shown(code, language, ("real", "spam", "take", "close"))
    assert card.title != code
    wrong = re.compile(r"[A-Za-z]") if language == "ru" else re.compile(r"[А-Яа-я]")
    own = {"Анна", "Борис", "Продажи", "Директ", "Анна, Борис"}
    for text in texts(card):
        foreign = text not in own and not text.startswith("Анна, ") and wrong.search(text)
        assert not foreign, f"{code}: {text!r} is not {language}"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reply", sorted(REPLIES))
def test_every_answer_has_words(reply: str, language: str) -> None:
    assert answer_in_words(reply, Speech(language, ZONE, NOW)) not in ("", reply)


def test_no_reply_of_a_chain_is_left_out() -> None:
    # `applied` and the words of the client book answer commands of the administration, not presses.
    assert replies() - {"applied", "noted", *CLIENT_BOOK} <= REPLIES | DONE | REFUSED
    assert set(SAID) == REPLIES


def test_no_outcome_or_reason_is_left_out() -> None:
    assert set(OUTCOMES) == {outcome.value for outcome in Outcome}
    assert set(CLOSE_REASONS) | {"answered"} == set(REASONS)


def test_the_commissions_words() -> None:
    assert [button.label for button in shown("verdict_asked", "ru", ("real", "spam")).buttons] == ["Реальный", "Спам"]


def test_a_mark_in_the_duty_channel_is_seen() -> None:
    assert "Отмечено как" in texts(shown("unknown_answerer", "ru", ("real", "spam")))


def test_a_withheld_number_and_a_lost_one_are_told_apart() -> None:
    face = Face("verdict_asked", {"arrived_at": str(NOW)})
    card = Card("c", "call:office:1", "duty", 1, face, NOW, NOW)
    assert in_words(card, KNOWN, Speech("ru", ZONE, NOW)).facts[0].value == "номер скрыт"
    assert shown("verdict_asked", "ru", caller_token="t_9").facts[0].value == "номер недоступен"
    assert shown("verdict_asked", "ru").facts[0].phone == "+79990001122"


def test_an_unknown_code_is_shown_rather_than_hidden() -> None:
    card = shown("brand_new", "ru", ("real",), verdict="")
    assert (card.title, [button.label for button in card.buttons]) == ("brand_new", ["Реальный"])


@pytest.mark.parametrize(
    ("ago", "ru", "en"),
    [
        (0, "19:00", "19:00"),
        (20 * HOUR, "23 нояб., 23:00", "23 Nov, 23:00"),
        (9000 * HOUR, "14 нояб. 2024, 19:00", "14 Nov 2024, 19:00"),
    ],
)
def test_moments(ago: int, ru: str, en: str) -> None:
    then = Instant(NOW - ago)
    assert [Speech(language, ZONE, NOW).moment(then) for language in ("ru", "en")] == [ru, en]


def test_russian_numbers_of_reminders() -> None:
    cards = [shown("callback_open", "ru", reminders=str(number)) for number in (1, 2, 5, 21)]
    said = [fact.value for card in cards for fact in card.facts if fact.label == "Напоминание"]
    assert said == ["1 напоминание", "2 напоминания", "5 напоминаний", "21 напоминание"]
