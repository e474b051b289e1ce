"""Whose number is that: the book in memory against a plain search through all entries."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.basis.clients import Client, ClientKind, precedence
from router.crm_bridge.builtin import ClientBook, Conflict


def test_a_number_leads_to_its_client_until_it_is_taken_from_him() -> None:
    book = ClientBook()
    oleg = Client("oleg", phones=("p1", "p2"), mails=("m1",))
    book.put(oleg)
    assert book.by_phone("p2") is oleg
    assert book.by_mail("m1") is oleg
    assert book.by_phone("m1") is None, "a mail is no number"
    assert book.by_phone("p9") is None
    assert book.by_phone(None) is None, "a withheld number is nobody's"
    book.put(msgspec.structs.replace(oleg, phones=("p2", "p3")))
    assert book.by_phone("p1") is None
    assert book.by_phone("p3") is book.client("oleg")


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_one_number_of_two_is_a_visible_conflict_with_one_answer(order: tuple[int, int]) -> None:
    both = (Client("b", kind=ClientKind.CLIENT, phones=("p",)), Client("a", kind=ClientKind.NEW, phones=("p",)))
    book = ClientBook()
    for index in order:
        book.put(both[index])
    assert book.by_phone("p") is both[0], "whoever came first"
    assert book.conflicts() == [Conflict("p", ("b", "a"))]
    assert book.conflicts("a") == [Conflict("p", ("b", "a"))]
    assert book.conflicts("c") == []
    book.put(msgspec.structs.replace(both[0], active=False))
    assert book.conflicts() == []
    assert book.by_phone("p") is both[1]
    assert book.client("b") is not None, "kept, and no longer looked up"


CLIENTS = st.builds(
    Client,
    st.sampled_from(["a", "b", "c", "d"]),
    kind=st.sampled_from(list(ClientKind)),
    phones=st.lists(st.sampled_from(["p1", "p2", "p3"]), unique=True).map(tuple),
    mails=st.lists(st.sampled_from(["m1", "m2"]), unique=True).map(tuple),
    active=st.booleans(),
    priority=st.integers(0, 2),
)


@given(st.lists(CLIENTS, max_size=30))
def test_the_index_says_what_a_search_would(changes: list[Client]) -> None:
    book, newest = ClientBook(), dict[str, Client]()
    for client in changes:
        book.put(client)
        newest[client.id] = client
    assert list(book) == [newest[name] for name in sorted(newest)]
    for token in ("p1", "p2", "p3"):
        owners = sorted((one for one in newest.values() if one.active and token in one.phones), key=precedence)
        assert book.by_phone(token) == (owners[0] if owners else None)
        told = [conflict.clients for conflict in book.conflicts() if conflict.token == token]
        assert told == ([tuple(one.id for one in owners)] if len(owners) > 1 else [])
    for token in ("m1", "m2"):
        owners = sorted((one for one in newest.values() if one.active and token in one.mails), key=precedence)
        assert book.by_mail(token) == (owners[0] if owners else None)
