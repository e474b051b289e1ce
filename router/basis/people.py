"""People, their telephones and the number plan, as one document: the directory.

The document is data, not configuration: it is written as `people.toml`, applied by `hopline apply`, kept by its hash,
and a call keeps the hash it began under. One person has one id, under which PBX user, CRM user and chat user meet.
"""

from typing import Literal

import msgspec

PersonId = str


class Person(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody who works here."""

    id: PersonId
    name: str
    extensions: tuple[str, ...] = ()
    """Extensions on the PBX that are this person's; the first is rung."""
    chat: str = ""
    """User id in the corporate chat; empty: only the built-in inbox."""
    crm: str = ""
    """User id in the CRM."""
    roles: tuple[Literal["head", "manager", "pm", "director", "admin"], ...] = ("head",)


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


class Directory(msgspec.Struct, frozen=True, omit_defaults=True):
    """All people, lines and chains of the company."""

    people: tuple[Person, ...] = ()
    lines: tuple[Line, ...] = ()
    chains: tuple[Chain, ...] = ()

    def person(self, person_id: str) -> Person | None:
        """The person with this id."""
        return next((person for person in self.people if person.id == person_id), None)

    def owner(self, extension: str) -> Person | None:
        """The person whose extension this is; None where nobody or more than one claims it: never a guess."""
        owners = [person for person in self.people if extension in person.extensions]
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
