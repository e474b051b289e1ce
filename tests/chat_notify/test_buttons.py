"""What a press means, and what a signature is worth."""

import pytest

from router.chains.events import PressedClose, TakePressed, VerdictGiven
from router.chat_notify.buttons import DUTY, Holder, Signer, event_of, personal_link
from router.chat_notify.port import Pressed

SECRET = "s" * 32


@pytest.mark.parametrize(
    ("button", "reason", "event"),
    [
        ("real", "", VerdictGiven("anna", "real")),
        ("spam", "", VerdictGiven("anna", "spam")),
        ("take", "", TakePressed("anna")),
        ("close", "called_back", PressedClose("anna", "called_back")),
        ("close", "", None),
        ("close", "<b>my own words</b>", None),
        ("", "", None),
        ("explode", "", None),
    ],
)
def test_a_press_means(button: str, reason: str, event: object) -> None:
    assert event_of(Pressed("card", button, "anna", "p1", reason=reason)) == event


def test_a_link_names_its_holder() -> None:
    signer = Signer(SECRET)
    assert signer.holder(signer.token("anna"), "inbox") == Holder("anna", 1)
    assert signer.holder(signer.token("anna", version=7), "inbox") == Holder("anna", 7)


def test_a_link_opens_only_what_it_was_signed_for() -> None:
    signer = Signer(SECRET)
    assert signer.holder(signer.token("anna", "inbox"), "duty") is None
    assert signer.holder(signer.token("anna", "duty"), "inbox") is None


@pytest.mark.parametrize("token", ["", ".", "anna", "WyJhbm5hIiwxXQ", "WyJhbm5hIiwxXQ.c2ln", "я"])
def test_a_forged_link_names_nobody(token: str) -> None:
    assert Signer(SECRET).holder(token, "inbox") is None


def test_another_secret_signs_other_links() -> None:
    assert Signer("x" * 32).holder(Signer(SECRET).token("anna"), "inbox") is None


def test_every_changed_letter_is_noticed() -> None:
    signer = Signer(SECRET)
    token = signer.token("anna")
    for place, letter in enumerate(token[:-1]):  # the last letter carries padding bits of base64
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        assert signer.holder(changed, "inbox") is None, place


def test_a_form_belongs_to_one_link() -> None:
    signer = Signer(SECRET)
    anna, boris = signer.token("anna"), signer.token("boris")
    assert signer.is_form(anna, signer.form(anna))
    assert not signer.is_form(anna, signer.form(boris))
    assert not signer.is_form(anna, "")
    assert not signer.is_form(anna, Signer("x" * 32).form(anna))


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="32"):
        Signer("short")


def test_personal_links() -> None:
    inbox = personal_link("https://calls.example/", SECRET, "anna")
    assert inbox.startswith("https://calls.example/inbox/")
    assert Signer(SECRET).holder(inbox.rpartition("/")[2], "inbox") == Holder("anna", 1)
    shared = personal_link("https://calls.example", SECRET, DUTY)
    assert Signer(SECRET).holder(shared.rpartition("/")[2], "duty") == Holder(DUTY, 1)
    own = personal_link("https://calls.example", SECRET, "anna", duty=True)
    assert Signer(SECRET).holder(own.rpartition("/")[2], "duty") == Holder("anna", 1)
