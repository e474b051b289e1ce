"""Sentences about calls: why this head, why not the others, in both languages, from what the journal holds."""

import string

from router.chains import explain as room
from router.chains.choice import ABSENT, CLAIMED
from router.chains.enquiry import Outcome
from router.chains.events import Disposition, LegRinging, Party, TalkStarted
from router.chains.explain_words import TEXTS
from tests.chains.history import english, history, russian
from tests.stories.play import office

# The dictionaries are the subject: both must say all that can happen.
_RU, _EN = TEXTS["ru"], TEXTS["en"]


def test_the_third_answers_while_the_first_is_in_another_call() -> None:
    play = (
        office("anna boris clara")
        .calls("c2").rings("anna").answers("anna").connects("anna").talks("anna")
        .calls("c1").rings("boris").waits(2.2).declines("boris").rings("clara")
        .waits(3).answers("clara").connects("clara").talks("clara")
        .waits(40).talk_ends(Party.CALLER).releases().stops("clara").marks("clara", "real")
    )  # fmt: skip
    assert russian(play) == [
        "Звонок на линию +74950000001, список «sales», окно 40 с.",
        "1. Борис, с 0 с: 2,2 с, звонок отклонён (начало списка; Анна: на звонке c2).",
        "2. Клара, с 2,2 с: трубка снята через 3 с (по порядку).",
        "Разговор с 5,2 с, отвечает Клара.",
        "Конец разговора в 45,2 с, длительность 40 с, завершение: клиент.",
        "Отметка в 45,2 с: реальный клиент (Клара).",
    ]
    assert english(play) == [
        "Call to line +74950000001, list “sales”, window 40 s.",
        "1. boris, from 0 s: 2.2 s, declined (start of the list; anna: busy with call c2).",
        "2. clara, from 2.2 s: picked up after 3 s (in order).",
        "Talk from 5.2 s, answered by clara.",
        "The talk ended at 45.2 s after 40 s, by: the client.",
        "Marked at 45.2 s: real client (clara).",
    ]


def test_nobody_answers_and_the_client_is_owed_a_call() -> None:
    play = office("anna boris", window_s=16, after_window="release").calls().rings("anna")
    play.until(8).stops("anna").rings("boris").until(16).stops("boris").releases()
    assert russian(play) == [
        "Звонок на линию +74950000001, список «sales», окно 16 с.",
        "1. Анна, с 0 с: 8 с, нет ответа (начало списка).",
        "2. Борис, с 8 с: 8 с, нет ответа (по порядку).",
        "Никто не ответил, в 16 с клиент отключён.",
        "Клиенту нужно перезвонить: задача открыта.",
    ]


def test_who_rests_who_is_away_who_is_unreachable() -> None:
    play = office("anna boris clara").goes_away("clara").calls().rings("anna")
    play.waits(1).ends("anna", Disposition.BUSY).rings("boris").waits(1).ends("boris", Disposition.UNREACHABLE)
    play.until(11).rings("anna").device("boris", reachable=False).until(12).device("boris", reachable=True)
    play.until(13).declines("anna").rings("boris").until(21).stops("boris").rings("boris").until(29).stops("boris")
    assert russian(play)[1:8] == [
        "1. Анна, с 0 с: 1 с, занято (начало списка).",
        "2. Борис, с 1 с: 1 с, телефон недоступен (по порядку).",
        (
            "С 2 с звонок ждёт: предложить некому (Клара: отсутствует; Анна: пауза до 11 с; "
            "Борис: телефон был недоступен, и с тех пор ничего не изменилось)."
        ),
        "3. Анна, с 11 с: 2 с, звонок отклонён (список начат сначала; Клара: отсутствует).",
        "4. Борис, с 13 с: 8 с, нет ответа (снова на связи).",
        "5. Борис, с 21 с: 8 с, нет ответа (список начат сначала; Клара: отсутствует; Анна: пауза до 23 с).",
        (
            "6. Борис, с 29 с: звонит (список начат сначала; Клара: отсутствует; "
            "Анна: звонок отклонён, сначала остальные)."
        ),
    ]


def test_a_head_takes_the_caller_out_of_turn() -> None:
    play = office("anna boris clara").calls().rings("anna").presses_take("clara").until(8).stops("anna").rings("clara")
    assert english(play)[2] == "2. clara, from 8 s: ringing (pressed Take)."


def test_a_contradiction_and_an_unknown_answerer_are_named() -> None:
    play = office().calls().rings("anna").answers("anna").connects("anna").talks("anna", "777")
    play.fact(TalkStarted("x", "103"))
    assert russian(play)[2] == (
        "Разговор с 0 с, отвечает неизвестно кто (внутренний номер 777). Противоречие: названы также Клара."
    )
    play.talk_ends(Party.HEAD).releases().stops("anna")
    assert english(play)[-1] == "The talk ended at 0 s after 0 s, by: the head."
    other = office().calls().rings("anna").talks("anna").fact(TalkStarted("x", "103"))
    other.talk_ends().releases().stops("anna")
    assert "Противоречие: названы также Клара." in " ".join(russian(other))


def test_a_talk_proved_later_is_told_as_such() -> None:
    play = office().calls().rings("anna").hangs_up().stops("anna").talks("anna")
    assert "Разговор был (сообщено позже), ответ дан: Анна." in russian(play)


def test_the_fallback_and_a_stranger() -> None:
    play = office("").calls().hands_over().fallback_took().record("9")
    assert russian(play)[1:] == ["В 0 с клиент передан запасному плану АТС.", "На запасной линии ответил номер 9."]
    assert english(office().fact(LegRinging("x"))) == [
        "The PBX did not report the beginning of this call.",
        "The call is still under way.",
    ]


def test_the_last_seconds_of_a_window_are_no_offer() -> None:
    play = office("anna", window_s=10).calls().rings("anna").until(8).stops("anna")
    assert russian(play)[2] == "С 8 с никто не вызывается: до конца окна меньше 3 с."


def test_no_history_no_words() -> None:
    assert room.explain([], "ru") == []


def test_both_languages_say_the_same_things_with_the_same_parameters() -> None:
    def fields(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert set(_RU) == set(_EN)
    assert {code: fields(text) for code, text in _RU.items()} == {code: fields(text) for code, text in _EN.items()}


def test_every_code_of_the_machine_has_words() -> None:
    wanted = {f"how_{how.value}" for how in Disposition} | {f"by_{party.value}" for party in Party}
    wanted |= {f"outcome_{outcome.value}" for outcome in Outcome if outcome is not Outcome.ANSWERED}
    stands = {*CLAIMED, *ABSENT, "in_call", "unreachable", "no_change", "rests", "declined"}
    wanted |= {f"not_{code}" for code in stands}
    wanted |= {f"why_{why}" for why in ("together", "beside", "responsible", "last_talker")}
    wanted |= {"closed_hours"}
    assert wanted <= set(_RU)


def test_the_log_is_read_from_bytes() -> None:
    play = office().calls().rings("anna")
    assert len(history(play)) == len([record for record in play.stage.records if record.kind == "call"])


def test_hold_and_transfer_are_told() -> None:
    play = office().calls().rings("anna").waits(3).answers("anna").connects("anna").talks("anna").waits(2).held("anna")
    play.waits(1).resumed("anna").waits(4).passes("clara").stops("anna").waits(2).takes("clara").waits(5)
    play.passes_after_asking("777", "x1").waits(3).talk_ends(Party.HEAD).releases().stops_leg("x1")
    assert russian(play)[2:] == [
        "Разговор с 3 с, отвечает Анна.",
        "В 5 с клиент поставлен на удержание.",
        "В 6 с клиент снят с удержания.",
        "В 10 с перевод без предупреждения: Анна → Клара.",
        "С 12 с с клиентом говорит Клара.",
        "В 17 с перевод после согласования: Клара → неизвестно кто (внутренний номер 777).",
        "С 17 с с клиентом говорит неизвестно кто (внутренний номер 777).",
        "Конец разговора в 20 с, длительность 17 с, завершение: сотрудник.",
    ]


def test_a_transfer_that_nobody_took_is_told() -> None:
    play = office(after_window="release").calls().rings("anna").answers("anna").connects("anna").talks("anna").waits(4)
    play.passes("clara").stops("anna").waits(20).foreign_leg_ends().releases()
    assert english(play)[3:] == [
        "At 4 s a blind transfer: anna → clara.",
        "By 24 s clara had not taken the client.",
        "At 24 s the client was released: nobody took him when he was transferred.",
        "The client has to be called back: an entry is open.",
    ]
