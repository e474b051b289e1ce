"""What every store of the journal must do; `test_store_sqlite` and `test_store_postgres` inherit all of it.

A subclass gives the fixture `places`: something that opens a store on one and the same journal as often as it is asked.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from router.basis.instants import Instant
from router.engine.journal import Batch, Refused, Secret
from router.engine.store.port import Store, StoreUnavailable
from tests.engine.releases_contract import ReleasesContract
from tests.engine.rows import LATER, batch, record, takes
from tests.engine.store_place import Place

A, B, C = "order:test:a", "order:test:b", "order:test:c"


async def refusal(awaitable: Awaitable[None]) -> dict[int, str]:
    """The reasons of the refusal that must come."""
    with pytest.raises(Refused) as refused:
        await awaitable
    return refused.value.reasons


class StoreContract(ReleasesContract):
    """The suite."""

    @pytest.fixture
    async def store(self, place: Place) -> AsyncIterator[Store]:
        yield await place.open()
        await place.close()

    # --- what is written stays ---------------------------------------------------------------------------------

    async def test_everything_of_a_batch_is_there_after_reopening(self, store: Store, place: Place) -> None:
        first = record(
            A, 1, origin="o1", reply="ok", orders=2, deadline=Instant(77), raw=b"\x00raw", source="pbx:x",
            event=b'{"e":1}', seen=b'{"s":1}', outcome=b'{"o":1}', state=b'{"st":1}', machine_version=3, schema=4,
            **takes("person:anna", until=88),
        )  # fmt: skip
        await store.commit(batch(first, contents=[("d1", b"body")], secrets=[Secret("t_1", "phone", "+7900")]))
        store = await place.open()
        (chain,) = await store.load([A, B])
        assert (chain.chain, chain.kind, chain.machine_version, chain.schema, chain.sequence) == (A, "order", 3, 4, 1)
        assert (chain.at, chain.state, chain.final, chain.deadline) == (1_000, b'{"st":1}', False, 77)
        assert chain.origins == {"o1": "ok"}
        assert await store.claims() == {"person:anna": (A, 88)}
        orders = await store.orders()
        assert [(o.id, o.kind, o.machine_version, o.schema, o.ordered, o.outcome, o.aside) for o in orders] == [
            ((A, 1, 0), "order", 3, 4, 1, b'{"o":1}', None),
            ((A, 1, 1), "order", 3, 4, 1, b'{"o":1}', None),
        ]
        assert await store.contents() == [("d1", b"body")]
        assert await store.tokens([("phone", "+7900"), ("phone", "+7901")]) == {("phone", "+7900"): "t_1"}
        assert await store.reveal(["t_1", "t_2"]) == {"t_1": "+7900"}
        (line,) = await store.history(A)
        assert (line.chain, line.sequence, line.source, line.origin, line.schema) == (A, 1, "pbx:x", "o1", 4)
        assert (line.event, line.seen, line.outcome) == (b'{"e":1}', b'{"s":1}', b'{"o":1}')
        assert await store.select("SELECT body FROM raw_payload WHERE sequence = ?", (1,)) == [(b"\x00raw",)]

    async def test_a_chain_grows_within_and_over_batches(self, store: Store) -> None:
        await store.commit(batch(record(A, 1), record(B, 1), record(A, 2), record(A, 3, state=b"three")))
        await store.commit(batch(record(A, 4, state=b"four", final=True), record(B, 2)))
        assert [line.sequence for line in await store.history(A)] == [1, 2, 3, 4]
        chains = {chain.chain: chain for chain in await store.load([A, B])}
        assert (chains[A].sequence, chains[A].state, chains[A].final) == (4, b"four", True)
        assert [chain.chain for chain in await store.load_live()] == [B]

    async def test_an_empty_batch_is_nothing(self, store: Store) -> None:
        await store.commit(Batch())
        assert await store.records(0, 10) == []

    async def test_a_thousand_records_in_one_batch(self, store: Store) -> None:
        await store.commit(batch(*(record(f"order:test:{n}", 1, origin=str(n), orders=1) for n in range(1_000))))
        assert len(await store.load([f"order:test:{n}" for n in range(1_000)])) == 1_000
        assert len(await store.orders()) == 1_000
        assert [line.chain for line in await store.records(0, 2_000)] == [f"order:test:{n}" for n in range(1_000)]

    # --- refusals ----------------------------------------------------------------------------------------------

    async def test_a_number_that_is_there_is_refused_and_nothing_of_the_batch_is_written(self, store: Store) -> None:
        await store.commit(batch(record(A, 1)))
        reasons = await refusal(
            store.commit(
                batch(
                    record(B, 1, orders=1),
                    record(A, 1),
                    contents=[("d", b"x")],
                    secrets=[Secret("t", "phone", "1")],
                )
            )
        )
        assert reasons == {1: "sequence"}
        assert await store.load([B]) == []
        assert await store.orders() == []
        assert await store.contents() == []
        assert await store.tokens([("phone", "1")]) == {}
        await store.commit(batch(record(B, 1), record(A, 2)))  # what is left of it goes through at once

    @pytest.mark.parametrize("sequence", [1, 3, 7])
    async def test_a_number_other_than_the_next_is_refused(self, store: Store, sequence: int) -> None:
        await store.commit(batch(record(A, 1)))
        assert await refusal(store.commit(batch(record(A, sequence)))) == {0: "sequence"}
        assert await refusal(store.commit(batch(record(B, 2)))) == {0: "sequence"}

    async def test_what_follows_a_refused_record_in_its_chain_is_refused_too(self, store: Store) -> None:
        await store.commit(batch(record(A, 1)))
        assert await refusal(store.commit(batch(record(A, 1), record(B, 1), record(A, 3)))) == {
            0: "sequence",
            2: "sequence",
        }

    async def test_a_twin_is_refused_in_its_own_chain_only(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, origin="x")))
        await store.commit(batch(record(B, 1, origin="x")))
        assert await refusal(store.commit(batch(record(C, 1), record(A, 2, origin="x"), record(B, 2)))) == {1: "origin"}

    async def test_two_twins_in_one_batch(self, store: Store) -> None:
        assert await refusal(store.commit(batch(record(A, 1, origin="x"), record(A, 2, origin="x")))) == {1: "origin"}

    async def test_a_key_held_elsewhere_is_refused(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, **takes("k"))))
        assert await refusal(store.commit(batch(record(B, 1, **takes("free", "k")), record(C, 1)))) == {0: "claim"}
        assert await store.claims() == {"k": (A, LATER)}

    async def test_every_guilty_record_is_named_with_its_own_reason(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, origin="x", **takes("k")), record(B, 1), record(C, 1)))
        reasons = await refusal(
            store.commit(
                batch(
                    record("order:test:d", 1),
                    record(A, 2, origin="x"),
                    record(B, 1),
                    record(C, 2, **takes("k")),
                    record("order:test:e", 1, **takes("l")),
                )
            )
        )
        assert reasons == {1: "origin", 2: "sequence", 3: "claim"}

    async def test_a_known_value_under_a_second_token_names_the_event_with_that_token(self, store: Store) -> None:
        await store.commit(batch(record(A, 1), secrets=[Secret("t_one", "phone", "+7900")]))
        late = batch(record(B, 1), record(C, 1, event=b'{"from":"t_two"}'), secrets=[Secret("t_two", "phone", "+7900")])
        assert await refusal(store.commit(late)) == {1: "token"}
        assert await store.tokens([("phone", "+7900")]) == {("phone", "+7900"): "t_one"}
        assert await store.load([B]) == []

    async def test_two_writers_on_one_chain_and_only_one_wins(self, store: Store) -> None:
        await store.commit(batch(record(A, 1)))
        results = await asyncio.gather(
            *(store.commit(batch(record(A, 2, source=f"writer {n}"))) for n in range(8)), return_exceptions=True
        )
        assert [type(result) for result in results].count(Refused) == 7
        assert results.count(None) == 1
        assert len(await store.history(A)) == 2

    # --- claims ------------------------------------------------------------------------------------------------

    async def test_a_claim_is_renewed_and_released(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, **takes("k", until=5))))
        await store.commit(batch(record(A, 2, **takes("k", until=9))))
        assert await store.claims() == {"k": (A, 9)}
        await store.commit(batch(record(A, 3, claims_released=("k",))))
        assert await store.claims() == {}

    async def test_a_fact_seizes_a_key_from_the_holder_it_names(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, **takes("k")), record(B, 1)))
        assert await refusal(store.commit(batch(record(C, 1, **takes("k", seized_from=B))))) == {0: "claim"}
        await store.commit(batch(record(C, 1, **takes("k", seized_from=A)), record(A, 2)))
        assert await store.claims() == {"k": (C, LATER)}

    async def test_a_key_released_and_taken_in_one_batch(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, **takes("k"))))
        assert await refusal(store.commit(batch(record(B, 1, **takes("k")), record(A, 2, claims_released=("k",))))) == {
            0: "claim"
        }
        await store.commit(batch(record(A, 2, claims_released=("k",)), record(B, 1, **takes("k"))))
        assert await store.claims() == {"k": (B, LATER)}

    async def test_a_key_goes_through_many_hands_in_one_batch(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, **takes("k", "l"))))
        await store.commit(
            batch(
                record(A, 2, claims_released=("k",)),
                record(B, 1, **takes("k")),
                record(
                    C, 1, **takes("k", "l", seized_from=B) | {"claims_taken": takes("k", seized_from=B)["claims_taken"]}
                ),
                record(B, 2, claims_released=("k",)),
                record(C, 2, claims_released=("k",)),
                record(A, 3, **takes("k", until=3)),
            )
        )
        assert await store.claims() == {"k": (A, 3), "l": (A, LATER)}

    async def test_a_seized_key_that_is_given_up_at_once_is_free(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, **takes("k"))))
        await store.commit(batch(record(B, 1, **takes("k", seized_from=A)), record(B, 2, claims_released=("k",))))
        assert await store.claims() == {}

    async def test_releasing_a_key_of_another_chain_does_nothing(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, **takes("k"))))
        await store.commit(batch(record(B, 1, claims_released=("k",))))
        assert await store.claims() == {"k": (A, LATER)}

    # --- outbox ------------------------------------------------------------------------------------------------

    async def test_orders_done_aside_and_put_back(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, orders=3), record(B, 1, orders=1)))
        await store.commit(Batch(done=[((A, 1, 0), "sent"), ((B, 1, 0), "dropped")], aside=[((A, 1, 2), "refused")]))
        assert [(order.id, order.aside) for order in await store.orders()] == [
            ((A, 1, 1), None),
            ((A, 1, 2), "refused"),
        ]
        assert await store.put_back((A, 1, 2)) is True
        assert await store.put_back((A, 1, 2)) is False
        assert await store.put_back((A, 1, 1)) is False
        assert await store.put_back((C, 1, 1)) is False
        assert [order.aside for order in await store.orders()] == [None, None]

    async def test_an_order_may_be_done_in_the_batch_that_orders_it(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, orders=2), done=[((A, 1, 0), "superseded")]))
        assert [order.id for order in await store.orders()] == [(A, 1, 1)]

    async def test_orders_come_oldest_first_whatever_their_chain(self, store: Store) -> None:
        await store.commit(batch(record(A, 1)))
        await store.commit(batch(record(B, 1, orders=1)))
        await store.commit(batch(record(A, 2, orders=2)))
        assert [order.id for order in await store.orders()] == [(B, 1, 0), (A, 2, 0), (A, 2, 1)]

    async def test_done_twice_or_for_nothing_is_harmless(self, store: Store) -> None:
        await store.commit(batch(record(A, 1, orders=1)))
        for _ in range(2):
            await store.commit(Batch(done=[((A, 1, 0), "sent"), ((A, 1, 9), "sent")]))
        assert await store.orders() == []

    # --- the log -----------------------------------------------------------------------------------------------

    async def test_positions_only_grow_and_are_read_on_from_anywhere(self, store: Store) -> None:
        for number in range(1, 8):
            await store.commit(batch(record(A, number), record(f"order:test:{number}", 1)))
        lines = await store.records(0, 100)
        positions = [line.position for line in lines]
        assert len(lines) == 14
        assert positions == sorted(set(positions))
        assert await store.records(positions[4], 3) == lines[5:8]
        assert await store.records(positions[-1], 3) == []
        assert [line for line in lines if line.chain == A] == await store.history(A)

    @pytest.mark.parametrize("statement", ["UPDATE event SET source='x'", "DELETE FROM event"])
    async def test_the_log_is_append_only(self, store: Store, place: Place, statement: str) -> None:
        await store.commit(batch(record(A, 1)))
        with pytest.raises(Exception, match="event is append-only"):
            await place.sql(statement)
        assert [line.source for line in await store.history(A)] == ["test"]

    async def test_find_gives_the_newest_of_a_kind(self, store: Store) -> None:
        await store.commit(batch(record(A, 1), record("other:test:x", 1), record(B, 1, final=True), record(C, 1)))
        assert [chain.chain for chain in await store.find("order", final=None, newest=2)] == [C, B]
        assert [chain.chain for chain in await store.find("order", final=False, newest=9)] == [C, A]
        assert [chain.chain for chain in await store.find("order", final=True, newest=9)] == [B]
        assert await store.find("none", final=None, newest=9) == []

    async def test_overdue_names_live_chains_late_or_without_a_deadline(self, store: Store) -> None:
        await store.commit(
            batch(
                record(A, 1, deadline=Instant(50)),
                record(B, 1),
                record(C, 1, deadline=Instant(100)),
                record("order:test:d", 1, deadline=Instant(10), final=True),
                record("order:test:e", 1, deadline=Instant(20)),
            )
        )
        assert await store.overdue(Instant(100), 9) == [(B, None), ("order:test:e", 20), (A, 50)]
        assert await store.overdue(Instant(100), 2) == [(B, None), ("order:test:e", 20)]

    # --- contents, vault, tables of others ---------------------------------------------------------------------

    async def test_contents_may_be_written_again(self, store: Store) -> None:
        await store.commit(Batch(contents=[("a", b"1"), ("b", b"2")]))
        await store.commit(Batch(contents=[("b", b"2"), ("c", b"3")]))
        assert sorted(await store.contents()) == [("a", b"1"), ("b", b"2"), ("c", b"3")]

    async def test_one_value_has_a_token_for_each_kind(self, store: Store) -> None:
        await store.commit(Batch(secrets=[Secret("t1", "phone", "7"), Secret("t2", "name", "7")]))
        assert await store.tokens([("name", "7"), ("phone", "7")]) == {("phone", "7"): "t1", ("name", "7"): "t2"}
        assert await store.tokens([]) == {}
        assert await store.reveal([]) == {}

    async def test_upsert_writes_a_row_once_and_then_changes_it(self, store: Store, place: Place) -> None:
        key = {"card": "c1"}
        values = {"chain": A, "audience": "anna", "revision": 1, "face": b"f", "shown": 1, "changed": 1}
        await store.upsert("inbox_card", key, values)
        await store.upsert("inbox_card", key, values | {"revision": 2, "face": b"g"})
        await store.upsert("inbox_card", {"card": "c2"}, values)
        store = await place.open()
        rows = await store.select(
            "SELECT card, revision, face FROM inbox_card WHERE audience = ? AND card <> '?' ORDER BY card LIMIT ?",
            ("anna", 5),
        )
        assert rows == [("c1", 2, b"g"), ("c2", 1, b"f")]

    async def test_a_row_is_taken_out_once(self, store: Store, place: Place) -> None:
        values = {"at": 1, "chain": A, "source": "pbx:x", "event": b"e", "error": "why"}
        for name in ("q1", "q2"):
            await store.upsert("quarantine", {"id": name}, values)
        assert await store.remove("quarantine", {"id": "q1"})
        assert not await store.remove("quarantine", {"id": "q1"})
        store = await place.open()
        assert await store.select("SELECT id FROM quarantine") == [("q2",)]

    async def test_upsert_and_commit_do_not_meet(self, store: Store) -> None:
        values = {"chain": A, "audience": "anna", "revision": 1, "face": b"f", "shown": 1, "changed": 1}
        await asyncio.gather(
            *(store.commit(batch(record(f"order:test:{n}", 1))) for n in range(10)),
            *(store.upsert("inbox_card", {"card": f"c{n}"}, values) for n in range(10)),
        )
        assert len(await store.load_live()) == 10
        assert await store.select("SELECT count(*) FROM inbox_card") == [(10,)]

    # --- ends --------------------------------------------------------------------------------------------------

    async def test_a_store_that_is_not_open_says_so(self, store: Store, place: Place) -> None:
        await store.close()
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: store.commit(batch(record(A, 1))),
            lambda: store.load([A]),
            store.load_live,
            store.claims,
            store.orders,
            store.contents,
            lambda: store.tokens([("phone", "1")]),
            lambda: store.reveal(["t"]),
            lambda: store.history(A),
            lambda: store.records(0, 1),
            lambda: store.find("order", final=None, newest=1),
            lambda: store.overdue(Instant(1), 1),
            lambda: store.put_back((A, 1, 0)),
            lambda: store.upsert("inbox_card", {"card": "c"}, {"revision": 1}),
            lambda: store.select("SELECT 1"),
        ]
        for call in calls:
            with pytest.raises(StoreUnavailable):
                await call()
