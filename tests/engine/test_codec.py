"""Canonical bytes: written down here, so that whatever changes them is noticed before a journal is written with it."""

from typing import Any

import msgspec
import pytest

from router.basis.instants import Instant
from router.basis.machine import Claim, DeadlineReached, Event, Message, Step
from router.engine.codec import Codec
from router.engine.contents import Contents
from tests.engine.approval import Approval, Filed, Free, Over, RingBell, SendLetter, WaitingForClerk
from tests.engine.ledger import LEDGER, Entry
from tests.engine.values import ANNA, Terms

REQUEST = "request:office:r"
DIGEST = "5a5f3e4eaedf537ab37fc5b3c6d5a755"  # sha256sum(1) of the body below, first 32 digits


@pytest.fixture
def contents() -> Contents:
    return Contents()


@pytest.fixture
def codec(contents: Contents) -> Codec:
    return Codec(contents)


def golden(contents: Contents) -> list[tuple[Any, bytes]]:
    """Values and their bytes."""
    terms = contents.pin(Terms())
    name = terms.digest.encode()
    waiting = WaitingForClerk(
        request=REQUEST, amount=5, terms=terms, asker="t_1", expires=Instant(9), since=Instant(7), rank=1, shy=0
    )
    return [
        (DeadlineReached(Instant(1_700_000_000_000_001)), b'{"type":"DeadlineReached","deadline":1700000000000001}'),
        (
            Filed(REQUEST, 5, terms, "Ы"),
            b'{"type":"Filed","request":"request:office:r","amount":5,"terms":"' + name
            + '","asker":"Ы","rank":0,"shy":0}'.encode(),
        ),
        (
            waiting,
            b'{"type":"WaitingForClerk","request":"request:office:r","amount":5,"terms":"' + name
            + b'","asker":"t_1","expires":9,"offer":0,"lit":0,"revision":0,"bells_missed":0,"since":7,"rank":1,'
            b'"shy":0,"without":""}',
        ),
        (Free((ANNA,)), b'{"type":"Free","clerks":["clerk:anna"]}'),
        ({"b": 1, "a": {"d": 2, "c": 3}}, b'{"a":{"c":3,"d":2},"b":1}'),
    ]  # fmt: skip


def test_bytes_are_what_they_were(codec: Codec, contents: Contents) -> None:
    for value, body in golden(contents):
        assert codec.encode(value) == body


def test_the_name_of_pinned_content_is_what_it_was(contents: Contents) -> None:
    body = b'{"clerks":["clerk:anna","clerk:boris"],"remind":60000000,"let_go":180000000,"remind_manager":120000000,'
    body += b'"expire":900000000}'
    assert contents.pin(Terms()).digest == DIGEST
    assert contents.unsaved() == [(DIGEST, body)]


def test_outcome_bytes_are_what_they_were(codec: Codec) -> None:
    state = Over(REQUEST, "approved")
    assert codec.outcome(Step(state), ()) == b"{}"
    step = Step(
        state, (SendLetter(REQUEST, 1, "x"),), (Message(LEDGER, Entry(REQUEST, 5)),), ("k",), (ANNA,), reply="ok"
    )
    assert codec.outcome(step, (Claim(ANNA, Instant(1)),)) == (
        b'{"effects":[{"type":"SendLetter","request":"request:office:r","revision":1,"text":"x"}],'
        b'"messages":[["ledger:office:book",{"type":"Entry","request":"request:office:r","amount":5}]],'
        b'"claims":["clerk:anna"],"closed":["k"],"freed":["clerk:anna"],"reply":"ok"}'
    )
    assert codec.outcome(Step(state, reply=""), ()) == b'{"reply":""}'


def test_what_was_written_is_read_back_and_written_alike(codec: Codec, contents: Contents) -> None:
    machine = Approval()
    values = golden(contents)
    readers: dict[type, Any] = {
        Filed: codec.event,
        DeadlineReached: codec.event,
        WaitingForClerk: codec.state,
        Free: codec.seen,
    }
    for value, body in values:
        if type(value) in readers:
            read = readers[type(value)](machine, body, machine.schema)
            assert read == value
            assert codec.encode(read) == body
    outcome = codec.outcome(Step(None, (RingBell(REQUEST, 1, ANNA, Instant(3)), SendLetter(REQUEST, 1, "x"))), ())
    assert codec.effects(machine, outcome, machine.schema) == (
        RingBell(REQUEST, 1, ANNA, Instant(3)),
        SendLetter(REQUEST, 1, "x"),
    )
    assert codec.effects(machine, b"{}", machine.schema) == ()


def test_an_older_schema_is_brought_up(codec: Codec, contents: Contents) -> None:
    terms = contents.pin(Terms())
    old = (
        b'{"type":"Filed","request":"request:office:r","roubles":5,"terms":"'
        + terms.digest.encode()
        + b'","asker":"t"}'
    )
    assert codec.event(Approval(), old, 1) == Filed(REQUEST, 500, terms, "t")
    with pytest.raises(msgspec.ValidationError):
        codec.event(Approval(), old, 2)
    state = msgspec.json.decode(codec.encode(golden(contents)[2][0]))
    state["roubles"] = state.pop("amount")
    brought = codec.state(Approval(), msgspec.json.encode(state), 1)
    assert isinstance(brought, WaitingForClerk)
    assert (brought.amount, brought.rank, brought.terms.value) == (500, 0, Terms())
    assert codec.seen(Approval(), b'{"type":"Free"}', 1) == Free()


def test_an_unknown_word_is_an_error_and_not_a_guess(codec: Codec) -> None:
    with pytest.raises(msgspec.ValidationError):
        codec.event(Approval(), b'{"type":"Invented"}', 2)
    with pytest.raises(KeyError):  # pinned content that the journal never had
        codec.event(Approval(), b'{"type":"Filed","request":"r","amount":5,"terms":"0"}', 2)


def test_what_has_no_canonical_form_is_refused(codec: Codec) -> None:
    class Strange(Event, frozen=True):
        what: Any

    with pytest.raises(NotImplementedError, match="object has no canonical form"):
        codec.encode(Strange(object()))
