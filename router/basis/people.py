"""People, their telephones and the number plan, as one document: the directory.

The document is data, not configuration: it is written as `people.toml`, applied by `hopline apply`, kept by its hash,
and a call keeps the hash it began under. One person has one id, under which PBX user, CRM user and chat user meet.
"""

from typing import Literal

import msgspec

from router.basis.calendar import Calendar
from router.basis.instants import Duration

PersonId = str

COMPANY_ZONE = "Europe/Moscow"
"""Where a company lives that does not say so."""

Reason = Literal["leave", "sick", "trip", "day_off", "training", "other"]
"""Why somebody is absent."""


class Absence(msgspec.Struct, frozen=True, omit_defaults=True):
    """Time in which a person does not work. Dates and date-times are the company's own (`Directory.zone`)."""

    since: str = msgspec.field(name="from")
    """A date (from its midnight) or a date-time, ISO 8601."""
    until: str = ""
    """A date (that whole day included) or a date-time (up to it, without it); empty: until further notice."""
    reason: Reason = "other"


class Device(msgspec.Struct, frozen=True, omit_defaults=True):
    """Particulars of one of a person's telephones. An extension without any is an ordinary SIP phone."""

    extension: str
    kind: Literal["sip", "mobile"] = "sip"
    """`mobile`: reached over a trunk, so that it begins to ring seconds after it was asked for."""
    count_from: Literal["offer", "ringing"] = "offer"
    """From when the time of an offer is counted."""
    no_ringing_after: Duration | None = None
    """Not reported ringing by then it counts as unreachable; 0: never; None: as the chain's terms say (2 s)."""
    cap: Duration | None = None
    """The longest offer from its beginning, where it counts from ringing; None: as the chain's terms say (12 s)."""
    press_1: bool = False
    """Whoever answers must press 1 before he is connected: a voicemail cannot (where the PBX is able to ask)."""


MOBILE = Device("", "mobile", "ringing", Duration(0), press_1=True)
"""The defaults of a mobile behind a trunk (design, section 5). Silence is judged by the cap alone."""


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody who works here."""

    id: PersonId
    name: str
    extensions: tuple[str, ...] = ()
    """Extensions on the PBX that are this person's; the first is rung. Those of `devices` are among them."""
    chat: str = ""
    """User id in the corporate chat; empty: only the built-in inbox."""
    crm: str = ""
    """User id in the CRM."""
    roles: tuple[Literal["head", "manager", "pm", "director", "admin"], ...] = ("head",)
    hours: str = ""
    """Id of the calendar in which he works; empty: whenever his chains do."""
    absences: tuple[Absence, ...] = ()
    devices: tuple[Device, ...] = ()
    """Particulars of extensions that are no ordinary SIP phones."""

    @property
    def rung(self) -> tuple[Device, ...]:
        """The telephones that ring for him: the first, and beside it those that are described in `devices`. Other
        extensions only tell who answered."""
        described = {device.extension for device in self.devices}
        return tuple(phone for index, phone in enumerate(self.phones) if index == 0 or phone.extension in described)

    @property
    def phones(self) -> tuple[Device, ...]:
        """All his telephones with their particulars, the one that is rung first in front."""
        known = {device.extension: device for device in self.devices}
        extensions = dict.fromkeys((*self.extensions, *known))
        return tuple(known.get(extension, Device(extension)) for extension in extensions)


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """A number that clients dial."""

    number: str
    """As the PBX reports it (the dialled number, the DID)."""
    chain: str
    """Id of the chain that serves it."""
    channel: str = ""
    """Advertising channel the number is printed in; empty: unknown."""
    title: str = ""
    """What people call the line."""


class Chain(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is rung, in which order, under which terms."""

    id: str
    heads: tuple[PersonId, ...]
    title: str = ""
    terms: dict[str, bool | int | str] = {}
    """Deviations from the default terms: durations in seconds under the key `…_s`, the rest as in `chains.terms`."""
    calendar: str = ""
    """Id of the calendar in which it serves; empty: always."""


class Directory(msgspec.Struct, frozen=True, omit_defaults=True):
    """All people, lines, chains and calendars of the company."""

    people: tuple[Person, ...] = ()
    lines: tuple[Line, ...] = ()
    chains: tuple[Chain, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    zone: str = COMPANY_ZONE
    """IANA name of the zone in which the company lives: absences and calendars without a zone of their own."""

    def person(self, person_id: str) -> Person | None:
        """The person with this id."""
        return next((person for person in self.people if person.id == person_id), None)

    def owner(self, extension: str) -> Person | None:
        """The person whose extension this is; None where nobody or more than one claims it: never a guess."""
        owners = [
            person
            for person in self.people
            if extension in person.extensions or any(device.extension == extension for device in person.devices)
        ]
        return owners[0] if len(owners) == 1 else None

    def owners(self) -> dict[str, PersonId]:
        """Extension -> whose it is; one that more than one person claims is left out, as `owner` does."""
        found: dict[str, PersonId | None] = {}
        for person in self.people:
            for extension in set(person.extensions):
                found[extension] = None if extension in found else person.id
        return {extension: person for extension, person in found.items() if person is not None}

    def line(self, number: str) -> Line | None:
        """The line with this dialled number."""
        return next((line for line in self.lines if line.number == number), None)

    def chain(self, chain_id: str) -> Chain | None:
        """The chain with this id."""
        return next((chain for chain in self.chains if chain.id == chain_id), None)

    def calendar(self, calendar_id: str) -> Calendar | None:
        """The calendar with this id."""
        return next((calendar for calendar in self.calendars if calendar.id == calendar_id), None)
