"""Buttons and links: what a press means to a chain, and signatures that nobody else can make.

A personal link is the key to a person's cards, so it is signed, carries the version of the person's links (raise it and
the old links are dead), and has a salt of its own for each purpose: a link to the inbox does not open the duty page.
It does not expire: a head has it among his bookmarks. It must never stand in a log (`router.web.access`).
"""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

from itsdangerous import BadSignature, URLSafeSerializer

from router.basis.machine import Event
from router.chains.events import PressedClose, SaidAway, SaidHere, TakePressed, VerdictGiven
from router.chat_notify.port import Pressed

Purpose = Literal["inbox", "duty"]

DUTY = "duty"
"""Stands for a person on a link to the duty page that a shift shares."""

REPLIES = frozenset({
    "marked", "already", "not_yours", "too_early", "not_answered", "next", "not_on_the_list", "too_late", "closed",
    "away", "back", "unknown", "changed", "reason_missing", "not_stored",
})  # fmt: skip
"""All answers to a press: the words of the machines, and the last four of whoever took the press."""

CLOSE_REASONS = ("called_back", "no_answer", "other_way", "wrong_number", "spam", "other")
"""Why a person closes a call-back. Codes, so that no personal data and no sentences get into the log."""

SHORTEST_SECRET = 32
"""Characters of HOPLINE_SECRET at least: 128 bits written in hex."""


def event_of(pressed: Pressed) -> Event | None:
    """What a press tells the card's chain; None for a button or reason that does not exist."""
    match pressed.button:
        case "real" | "spam" as verdict:
            return VerdictGiven(pressed.by, verdict)
        case "take":
            return TakePressed(pressed.by)
        case "here":
            return SaidHere(pressed.by)
        case "not_here":
            return SaidAway(pressed.by)
        case "close":
            return PressedClose(pressed.by, pressed.reason) if pressed.reason in CLOSE_REASONS else None
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Holder:
    """Whose link it is."""

    person: str
    version: int


class Signer:
    """Signs links and forms with the server's secret. Raises ValueError for a secret that is too short."""

    def __init__(self, secret: str) -> None:
        if len(secret) < SHORTEST_SECRET:
            message = f"the secret must have at least {SHORTEST_SECRET} characters"
            raise ValueError(message)
        self._secret = secret

    def token(self, person: str, purpose: Purpose = "inbox", version: int = 1) -> str:
        """The signed part of a personal link."""
        return str(self._serializer(purpose).dumps([person, version]))

    def link(self, public_url: str, person: str, purpose: Purpose = "inbox", version: int = 1) -> str:
        """A personal link: `<public_url>/inbox/<token>` or `<public_url>/duty/<token>`."""
        return f"{public_url.rstrip('/')}/{purpose}/{self.token(person, purpose, version)}"

    def holder(self, token: str, purpose: Purpose) -> Holder | None:
        """Whose link it is; None for one that we never signed for this purpose."""
        try:
            said = self._serializer(purpose).loads(token)
        except BadSignature:
            return None
        match said:
            case [str(person), int(version)]:
                return Holder(person, version)
            case _:
                return None

    def form(self, token: str) -> str:
        """What a form of the page behind this link must carry: proof that the page was read, not guessed."""
        key = hashlib.sha256(b"hopline.form\0" + self._secret.encode()).digest()
        return hmac.new(key, token.encode(), hashlib.sha256).hexdigest()

    def is_form(self, token: str, proof: str) -> bool:
        """Whether the form came from the page behind this link."""
        return hmac.compare_digest(self.form(token).encode(), proof.encode())

    def _serializer(self, purpose: Purpose) -> URLSafeSerializer:
        # itsdangerous 2.2 signs with SHA-1 by default; a link lives for years, so it gets SHA-256.
        return URLSafeSerializer(
            self._secret,
            salt=f"hopline.link.{purpose}",
            signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
        )


def personal_link(public_url: str, secret: str, person: str, *, duty: bool = False, version: int = 1) -> str:
    """The link to a person's inbox; to the duty page with `duty`, or where `person` is `duty` (shared by a shift)."""
    purpose: Purpose = "duty" if duty or person == DUTY else "inbox"
    return Signer(secret).link(public_url, person, purpose, version)
