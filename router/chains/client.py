"""The client: one chain for each entry of the client book, `client:builtin:<id>`.

    ClientSaved    somebody wrote the entry as a whole: kept under the next revision, unless the writer had an older one
                   before his eyes, or nothing is different

An entry waits for nothing: between two changes its chain is final, so that it is neither read at the start nor looked
at by the auditor, however many clients there are. A later event is taken as by any final chain. What others need of
it at once is in memory (`router.crm_bridge.builtin.book`).
"""

from typing import ClassVar

import msgspec

from router.basis.clients import Client
from router.basis.instants import Instant
from router.basis.machine import ChainId, Delivery, Effect, Machine, Standing, State, Step
from router.chains.events import ClientSaved

BUILTIN = "client:builtin:"
"""How chains of the built-in client book begin."""


def client_chain(client: str) -> ChainId:
    """The chain of a client."""
    return BUILTIN + client


class ClientKept(State, frozen=True):
    """The entry as it stands. Later fields need a default."""

    client: Client
    revision: int
    created: Instant
    changed: Instant
    by: str


class NoClient(State, frozen=True):
    """A change was meant for an entry that does not exist."""


ClientState = ClientKept | NoClient


class ClientMachine(Machine[ClientState, ClientSaved, None]):
    """See the module's docstring."""

    kind: ClassVar[str] = "client"
    version: ClassVar[int] = 1
    states = ClientState
    events = ClientSaved
    effects = Effect
    seen = type(None)

    def start(self, event: ClientSaved, seen: None, at: Instant) -> Step[ClientState]:
        """A new client; or a change of one that is not there."""
        if event.expected:
            return Step(NoClient(), reply="absent")
        return Step(ClientKept(_written(event), 1, at, at, event.by), reply="created")

    def step(self, state: ClientState, event: ClientSaved, seen: None, at: Instant) -> Step[ClientState]:
        """A change. The reply says what became of it: `created`, `changed`, `same`, `outdated`, `absent`."""
        match state:
            case NoClient():
                return self.start(event, seen, at)
            case ClientKept(client, revision):
                if event.expected is not None and event.expected != revision:
                    return Step(state, reply="outdated")
                written = _written(event)
                if written == client:
                    return Step(state, reply="same")
                changed = msgspec.structs.replace(state, client=written, revision=revision + 1, changed=at, by=event.by)
                return Step(changed, reply="changed")

    def deadline(self, state: ClientState) -> Instant | None:
        """None: nothing is awaited."""
        return None

    def standing(self, state: ClientState) -> Standing:
        """At rest between two changes."""
        return Standing(final=True)

    def delivery(self, effect: Effect) -> Delivery:
        """An entry asks nothing of anybody."""
        raise AssertionError(effect)


def _written(event: ClientSaved) -> Client:
    return Client(
        event.client,
        event.name,
        event.kind,
        event.phones,
        event.mails,
        event.responsible,
        event.active,
        event.priority,
        event.note,
    )
