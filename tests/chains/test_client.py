"""A client's entry as a story: written, changed, written by two at once."""

import msgspec
import pytest

from router.basis.clients import Client, ClientKind, precedence
from router.basis.instants import Instant
from router.chains.client import ClientKept, ClientMachine, ClientState, NoClient
from router.chains.events import ClientSaved
from router.engine.codec import Codec
from router.engine.contents import Contents

MACHINE = ClientMachine()
OLEG = ClientSaved(
    "oleg", "anna", ClientKind.CLIENT, "vera", active=True, priority=2, name="t_1", phones=("t_2", "t_3")
)


def write(state: ClientState | None, event: ClientSaved, at: int) -> tuple[ClientState, str | None]:
    step = MACHINE.start(event, None, Instant(at)) if state is None else MACHINE.step(state, event, None, Instant(at))
    assert not step.effects
    assert not step.messages
    return step.state, step.reply


def test_written_then_changed_then_the_same_again() -> None:
    state, word = write(None, OLEG, 1)
    assert word == "created"
    assert state == ClientKept(
        Client("oleg", "t_1", ClientKind.CLIENT, ("t_2", "t_3"), (), "vera", True, 2), 1, Instant(1), Instant(1), "anna"
    )
    state, word = write(state, msgspec.structs.replace(OLEG, by="api", active=False), 2)
    assert word == "changed"
    assert isinstance(state, ClientKept)
    assert (state.revision, state.created, state.changed, state.by, state.client.active) == (2, 1, 2, "api", False)
    again, word = write(state, msgspec.structs.replace(OLEG, by="boris", active=False), 3)
    assert (word, again) == ("same", state), "who wrote what was there already changed nothing"


def test_two_writers_with_the_same_revision_before_their_eyes() -> None:
    state, _ = write(None, OLEG, 1)
    state, word = write(state, msgspec.structs.replace(OLEG, priority=5, expected=1), 2)
    assert word == "changed"
    later, word = write(state, msgspec.structs.replace(OLEG, priority=9, expected=1), 3)
    assert (word, later) == ("outdated", state), "the second does not undo the first unseen"


def test_a_new_client_must_be_new_and_a_changed_one_must_be_there() -> None:
    state, word = write(None, msgspec.structs.replace(OLEG, expected=0), 1)
    assert word == "created"
    assert write(state, msgspec.structs.replace(OLEG, expected=0), 2) == (state, "outdated")
    nobody, word = write(None, msgspec.structs.replace(OLEG, expected=3), 1)
    assert (nobody, word) == (NoClient(), "absent")
    assert write(nobody, OLEG, 2)[1] == "created"


def test_an_entry_rests_between_two_changes() -> None:
    state, _ = write(None, OLEG, 1)
    assert MACHINE.standing(state).final, "neither the start nor the auditor reads ten thousand of them"
    assert MACHINE.deadline(state) is None
    assert MACHINE.claims(state) == ()


def test_a_stored_entry_of_the_first_day_still_loads() -> None:
    stored = (
        b'{"type":"ClientKept","client":{"id":"oleg","name":"t_1"},"revision":1,"created":1,"changed":1,"by":"anna"}'
    )
    state = Codec(Contents()).state(MACHINE, stored, 1)
    assert state == ClientKept(Client("oleg", "t_1"), 1, Instant(1), Instant(1), "anna")


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Client("b", kind=ClientKind.SPAM, priority=1), Client("a", kind=ClientKind.CLIENT)),
        (Client("b", kind=ClientKind.CLIENT), Client("a", kind=ClientKind.NEW)),
        (Client("b", kind=ClientKind.OTHER), Client("a", kind=ClientKind.SPAM)),
        (Client("a"), Client("b")),
    ],
)
def test_who_has_precedence(better: Client, worse: Client) -> None:
    assert precedence(better) < precedence(worse)


def test_rank_among_those_who_wait() -> None:
    vip, plain, spam = Client("v", priority=3), Client("p"), Client("s", kind=ClientKind.SPAM, priority=9)
    assert vip.rank < plain.rank == 0 < spam.rank
