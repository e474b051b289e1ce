"""What the pages need of the server, in one hand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from zoneinfo import ZoneInfo

from router.basis.machine import Token
from router.basis.people import Directory
from router.chat_notify.buttons import DUTY, Purpose, Signer
from router.chat_notify.cards import Known
from router.chat_notify.inbox import Inbox
from router.engine.shell import Engine
from router.office import Office, roster_of
from router.operations import Operations
from router.texts import DEFAULT
from router.texts.speech import Speech


def _first_version(_person: str) -> int:
    return 1


@dataclass(frozen=True)
class Desk:
    """The server as the pages see it. The engine must be open when the web application starts."""

    engine: Engine
    office: Office
    inbox: Inbox
    secret: str = field(repr=False)
    """Signs personal links (HOPLINE_SECRET)."""
    switches: Mapping[str, object] = field(default_factory=dict)
    """By lane (`pbx:office`), the PBXs that are shown as in sight or not."""
    public_url: str = ""
    """Where people reach the server; https makes the cookie secure."""
    language: str = DEFAULT
    """For whoever has not chosen: `ru` or `en`."""
    zone: tzinfo = field(default_factory=lambda: ZoneInfo("Europe/Moscow"))
    """In which the office lives: times of day, and where a day begins."""
    demo: bool = False
    """Everything is played: say so on every page."""
    operations: Operations | None = None
    """What people in charge can do; None: the duty page shows no such page."""
    recordings: Path | None = None
    """Folder of the recordings, one folder in it for each PBX; None: there are none."""
    link_version: Callable[[str], int] = _first_version
    """Person -> version of his links; a link with another version is dead."""

    @cached_property
    def signer(self) -> Signer:
        """Signs links and forms."""
        return Signer(self.secret)

    def directory(self) -> Directory:
        """People, lines and chains as they stand."""
        roster = roster_of(self.engine.core)
        return roster.directory.value if roster.directory else Directory()

    def speech(self, language: str) -> Speech:
        """How a reader of this language is spoken to now."""
        return Speech(language, self.zone, self.engine.clock.now())

    def holder(self, token: str, purpose: Purpose) -> str | None:
        """The person whose link it is; None for a link that is forged, revoked or of somebody who has left."""
        holder = self.signer.holder(token, purpose)
        if holder is None or holder.version != self.link_version(holder.person):
            return None
        if purpose == "duty" and holder.person == DUTY:
            return DUTY
        return holder.person if self.directory().person(holder.person) else None

    async def known(self, tokens: Iterable[Token]) -> Known:
        """Names of people and lines, and the numbers behind these tokens."""
        directory = self.directory()
        phones = {token: await self.engine.reveal(token) for token in set(tokens)}
        return Known(
            {person.id: person.name for person in directory.people},
            {line.number: line.title for line in directory.lines if line.title},
            {token: number for token, number in phones.items() if number},
        )
