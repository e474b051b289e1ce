"""A client as the server knows him: tokens in place of name, numbers and mails. The values lie in the vault."""

from enum import StrEnum

import msgspec

from router.basis.machine import Token
from router.basis.people import PersonId

MOST_PRIORITY = 9
"""Ten steps are more than anybody tells apart."""


class ClientKind(StrEnum):
    """What somebody is to the company; a closed list. The Russian words are in `router.texts.kinds`."""

    NEW = "new"
    """Has asked, and has bought nothing yet."""
    CLIENT = "client"
    FORMER = "former"
    PARTNER = "partner"
    SUPPLIER = "supplier"
    STAFF = "staff"
    SPAM = "spam"
    OTHER = "other"


_STANDING = tuple(map(ClientKind, ("client", "partner", "new", "former", "supplier", "staff", "other", "spam")))
"""Whose number it is taken for where one number stands with several: who is served better rather than worse."""


class Client(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of the client book."""

    id: str
    name: Token = ""
    kind: ClientKind = ClientKind.NEW
    phones: tuple[Token, ...] = ()
    mails: tuple[Token, ...] = ()
    responsible: PersonId = ""
    """Who looks after him (a project manager, a head); empty: nobody in particular."""
    active: bool = True
    """False: the entry is kept and no longer looked up."""
    priority: int = 0
    """0 to 9; callers with more are served before others who wait."""
    note: Token = ""

    @property
    def rank(self) -> int:
        """His place among those who wait (`router.basis.machine.Wait.rank`, lowest first): 0 is everybody's."""
        return 1 if self.kind is ClientKind.SPAM else -self.priority


def precedence(client: Client) -> tuple[int, int, str]:
    """Sorts clients who share a number: higher priority, then kind, then id. The same everywhere, without chance."""
    return -client.priority, _STANDING.index(client.kind), client.id
