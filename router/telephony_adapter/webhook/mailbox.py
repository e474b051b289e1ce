"""Commands that wait to be fetched, for a PBX that cannot be reached (behind NAT): it polls, and answers each.

Kept in memory only: what must survive lies in the engine's outbox, which gives a command again until it is answered or
too old, under the same id. So a command may be fetched twice, and none is lost by a restart of either side. Order
within one leg is the outbox's too: it has one command of a leg under way at a time, and places rise.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from router.basis.failures import Temporary
from router.telephony_adapter.port import NotSent

MOST_AT_ONCE = 100
"""Commands in one answer: a burst beyond it comes with the next poll, which follows at once."""

_REMEMBERED = 1000
"""Answers that came after their command was given up: the repeat of the command gets them, if it comes soon."""

Answer = tuple[int, bytes, str]
"""Status, body, Retry-After."""


@dataclass(eq=False, slots=True)
class Letter:
    """One command that waits for its answer."""

    id: str
    body: bytes
    place: int
    useful_until_s: float | None
    answer: "asyncio.Future[Answer]"
    fetched: bool = False


@dataclass(eq=False)
class Mailbox:
    """One PBX's commands."""

    now_s: Callable[[], float]
    _letters: dict[str, Letter] = field(default_factory=dict)
    _late: "OrderedDict[str, Answer]" = field(default_factory=OrderedDict)
    _given_up: "OrderedDict[str, None]" = field(default_factory=OrderedDict)
    _life: str = field(default_factory=lambda: secrets.token_hex(4))
    """Positions of an earlier life of the server mean nothing in this one."""
    _place: int = 0
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _open: bool = True

    async def ask(self, delivery: str, body: bytes, within_s: float, useful_until_s: float | None = None) -> Answer:
        """Put a command in and wait for its answer. Raises NotSent if nobody fetched it, else Temporary."""
        if (late := self._late.pop(delivery, None)) is not None:
            return late  # to the same wish, a moment ago
        self._place += 1
        letter = Letter(delivery, body, self._place, useful_until_s, asyncio.get_running_loop().create_future())
        self._letters[delivery] = letter
        self._news.set()
        if useful_until_s is not None:
            within_s = max(0.0, min(within_s, useful_until_s - self.now_s()))
        try:
            async with asyncio.timeout(within_s):
                return await letter.answer
        except TimeoutError:
            if not letter.fetched:
                raise NotSent("not_fetched", "the PBX did not fetch it") from None
            self._given_up[delivery] = None
            while len(self._given_up) > _REMEMBERED:
                self._given_up.popitem(last=False)
            raise Temporary("no_answer", "fetched, not answered") from None
        finally:
            if self._letters.get(delivery) is letter:
                del self._letters[delivery]

    async def hand_out(self, after: str, wait_s: float) -> tuple[str, list[Letter]] | None:
        """Position and commands behind `after`, as soon as there are any; none after `wait_s`. None: closed."""
        position = self._position(after)
        try:
            async with asyncio.timeout(wait_s):
                while self._open and not self._behind(position):
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass
        if not self._open:
            return None
        letters = self._behind(position)[:MOST_AT_ONCE]
        for letter in letters:
            letter.fetched = True
        position = letters[-1].place if letters else position
        return f"{self._life}-{position}", letters

    def answered(self, delivery: str, answer: Answer) -> bool:
        """The PBX answers; False: nobody waits for it (any more)."""
        letter = self._letters.get(delivery)
        if letter is None or letter.answer.done():
            if delivery in self._given_up:
                del self._given_up[delivery]
                self._late[delivery] = answer
                while len(self._late) > _REMEMBERED:
                    self._late.popitem(last=False)
            return False
        letter.answer.set_result(answer)
        return True

    def open(self) -> None:
        """Hand out from now on."""
        self._open = True

    def close(self) -> None:
        """Hand out nothing more: whoever polls is sent away."""
        self._open = False
        self._news.set()

    def _behind(self, position: int) -> list[Letter]:
        now = self.now_s()
        return [
            letter
            for letter in self._letters.values()
            if letter.place > position
            and not letter.answer.done()
            and (letter.useful_until_s is None or letter.useful_until_s > now)
        ]

    def _position(self, after: str) -> int:
        life, _, place = after.partition("-")
        return int(place) if life == self._life and place.isdecimal() and place.isascii() else 0
