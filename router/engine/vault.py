"""Tokens for personal data. The same value gets the same token; the value itself lies in the vault table only.

Tokens are random, so that the log says nothing about a number, not even to somebody who can hash all numbers. The
source of randomness is injected: the simulator's is seeded.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping

from router.basis.machine import Token
from router.engine.claims import Undo
from router.engine.journal import Secret

TokenSource = Callable[[], Token]

TOKEN_BYTES = 12
"""96 random bits: a collision among 10^9 tokens has a chance of about 10^-11."""


def random_token() -> Token:
    """A fresh token from the system's randomness."""
    return "t_" + secrets.token_hex(TOKEN_BYTES)


class Vault:
    """What this process knows of the vault: a cache in front of the table, and the values not yet written."""

    def __init__(self, source: TokenSource = random_token, remember: int = 200_000) -> None:
        self._source = source
        self._remember = remember
        self._tokens: dict[tuple[str, str], Token] = {}
        self._values: dict[Token, str] = {}

    def unknown(self, values: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
        """(kind, value) pairs whose token must be looked up in the store before a step may name them."""
        return [pair for pair in values if pair not in self._tokens]

    def learn(self, known: Mapping[tuple[str, str], Token]) -> None:
        """Tokens as the store has them."""
        if len(self._tokens) > self._remember:
            self._tokens.clear()
            self._values.clear()
        for (kind, value), token in known.items():
            self._tokens[kind, value] = token
            self._values[token] = value

    def token(self, kind: str, value: str, fresh: list[Secret], undo: Undo) -> Token:
        """The token of a value; a new one is added to `fresh`, to be written with the event that needs it."""
        pair = (kind, value)
        if (known := self._tokens.get(pair)) is not None:
            return known
        token = self._source()
        self._tokens[pair] = token
        self._values[token] = value
        fresh.append(Secret(token, kind, value))

        def take_back() -> None:
            self._tokens.pop(pair, None)
            self._values.pop(token, None)

        undo.append(take_back)
        return token

    def value(self, token: Token) -> str | None:
        """The value behind a token if this process has met it; else the store must be asked (`Store.reveal`)."""
        return self._values.get(token)

    def remember(self, known: Mapping[Token, str]) -> None:
        """Values as the store revealed them."""
        self._values.update(known)
