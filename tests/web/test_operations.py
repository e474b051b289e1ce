"""The page of emergency orders: only behind the duty link, every press an event that says who, nothing twice."""

import asyncio

import pytest

from router.basis.failures import Permanent
from router.basis.machine import Event
from router.chains.call_states import Ended, HandedOver, Talking
from router.chains.choice import person_key
from router.chains.enquiry import Outcome
from router.chains.operations import OPERATIONS
from router.engine.core import Admission
from router.engine.journal import Order
from router.engine.store.port import StoreUnavailable
from router.operations import DONE, REFUSED
from router.web.operations import SAID
from tests.web.forms import Form, forms
from tests.web.played import PATIENCE_S, Played


def address(company: Played) -> str:
    return f"{company.address('duty', 'duty')}/operations"


async def page_of(company: Played, query: str = "") -> str:
    response = await company.client.get(address(company) + query)
    assert response.status == 200
    return await response.text()


async def form_of(company: Played, verb: str, target: str = "") -> Form:
    found = [
        form
        for form in forms(await page_of(company))
        if form.fields["verb"] == verb and form.fields["target"] in ("", target)
    ]
    return found[0]


async def press(company: Played, form: Form, **changes: str) -> str:
    """Send a form as a browser does; the answer's code from the address that it leads to."""
    response = await company.client.post(form.action, data=form.fields | changes, allow_redirects=False)
    assert response.status == 303, response.status
    return response.headers["Location"].rpartition("=")[2]


async def last_event(company: Played, chain: str) -> tuple[str, bytes]:
    history = await company.engine.store.history(chain)
    return history[-1].source, history[-1].event


async def test_a_head_who_is_kept_by_a_talk_that_is_none_is_freed(company: Played) -> None:
    await company.rings("c1")
    await company.talks("c1")
    assert company.engine.core.claims.holder(person_key("anna")) == "call:office:c1"
    assert await press(company, await form_of(company, "free", "anna")) == "freed"
    assert company.engine.core.claims.holder(person_key("anna")) is None
    source, event = await last_event(company, "call:office:c1")
    assert source == "person:duty"
    assert b'"HeadFreed","person":"anna","by":"duty"' in event
    assert "Сотрудник свободен" in await page_of(company, "?said=freed")


async def test_a_call_is_sent_to_the_reserve_line_and_a_second_press_is_the_same(company: Played) -> None:
    await company.rings("c1")
    form = await form_of(company, "fallback", "call:office:c1")
    assert [await press(company, form), await press(company, form)] == ["sent", "sent"]
    assert isinstance(company.engine.core.live["call:office:c1"].state, HandedOver)
    history = await company.engine.store.history("call:office:c1")
    assert sum(b'"FallbackOrdered"' in record.event for record in history) == 1


async def test_a_call_is_ended_with_a_reason_and_not_without(company: Played) -> None:
    await company.rings("c1")
    form = await form_of(company, "end", "call:office:c1")
    assert await press(company, form) == "reason_missing"
    assert await press(company, form, reason="made up") == "reason_missing"
    assert await press(company, form, reason="stuck") == "closed"
    state = company.engine.core.live["call:office:c1"].state
    assert isinstance(state, Ended)
    assert (state.end.outcome, state.end.reason) == (Outcome.CLOSED, "stuck")


async def test_a_person_is_paused_and_comes_back(company: Played) -> None:
    assert await press(company, await form_of(company, "pause", "anna")) == "away"
    await company.rings("c1")
    state = company.engine.core.live["call:office:c1"].state
    assert getattr(state, "hop").person == "boris"  # noqa: B009 - whichever state has one
    assert await press(company, await form_of(company, "resume", "anna")) == "back"


async def test_drain_is_begun_and_ended(company: Played) -> None:
    assert await press(company, await form_of(company, "drain")) == "draining"
    await company.rings("c1")
    assert isinstance(company.engine.core.live["call:office:c1"].state, HandedOver)
    assert await press(company, await form_of(company, "undrain")) == "taking_calls"
    names = [record.event.split(b'"')[3] for record in await company.engine.store.history(OPERATIONS)]
    assert names == [b"DrainBegan", b"DrainEnded"]


async def given_up(company: Played) -> str:
    """A card that nobody takes is put aside; its id."""

    async def refuses(order: Order) -> tuple[Event, ...]:
        raise Permanent("chat_closed")

    company.engine.performers["inbox"] = refuses
    await company.rings("c1")
    await company.talks("c1")
    async with asyncio.timeout(PATIENCE_S):
        while not company.engine.aside:  # noqa: ASYNC110 - the engine tells nobody of it
            await asyncio.sleep(0.01)
    company.engine.performers["inbox"] = company.desk.inbox.perform
    [entry] = await company.desk.operations.asides() if company.desk.operations else []
    assert (entry.effect, entry.lane, entry.why) == ("ShowCard", "inbox", "chat_closed")
    return entry.id


async def test_what_was_given_up_is_sent_again(company: Played) -> None:
    effect = await given_up(company)
    assert await press(company, await form_of(company, "send_again", effect)) == "sent_again"
    await company.card("person:anna", "verdict_asked")
    assert company.engine.aside == {}
    assert "Всё выполнено." in await page_of(company)
    source, event = await last_event(company, OPERATIONS)
    assert (source, effect.encode() in event) == ("person:duty", True)


async def test_what_was_given_up_is_dropped_with_a_reason(company: Played) -> None:
    effect = await given_up(company)
    form = await form_of(company, "drop", effect)
    assert await press(company, form) == "reason_missing"
    assert await press(company, form, reason="obsolete") == "dropped"
    assert await press(company, form, reason="obsolete") == "no_such_effect"
    assert await company.engine.store.orders() == []


async def test_what_was_not_understood_is_shown_and_dropped(company: Played) -> None:
    operations = company.desk.operations
    assert operations is not None
    await operations.quarantine.keep("pbx:office", b"{<script>", "no such event")
    page = await page_of(company)
    assert "no such event" in page
    assert "script>" not in page.partition("<main>")[2], "its body, which may hold numbers, is not on the page"
    [row] = await operations.quarantine.rows()
    assert await press(company, await form_of(company, "drop_unread", row.id)) == "dropped"
    assert operations.quarantine.size == 0


async def test_a_fact_that_a_machine_refused_is_there_too(company: Played) -> None:
    [answer] = await company.engine.admit([Admission("call:office:c1", _NoFact(), "pbx:office")])
    assert answer.error is not None
    async with asyncio.timeout(PATIENCE_S):
        while "call:office:c1" not in await page_of(company):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)


class _NoFact(Event, frozen=True):
    """What no machine knows."""


async def test_nobody_else_gets_there(company: Played) -> None:
    await company.rings("c1")
    token = company.desk.signer.token("anna")
    for path in (f"/duty/{token}/operations", "/duty/made-up/operations", f"/inbox/{token}/operations"):
        assert (await company.client.get(path)).status == 404
        assert (await company.client.post(path, data={"verb": "drain"})).status in (404, 405)
    form = await form_of(company, "fallback", "call:office:c1")
    for proof in ("", "0" * 64):
        response = await company.client.post(form.action, data=form.fields | {"proof": proof}, allow_redirects=False)
        assert response.status == 403
    assert isinstance(company.engine.core.live["call:office:c1"].state, object)
    assert len(await company.engine.store.history("call:office:c1")) == 1


async def test_a_person_with_a_duty_link_of_his_own_is_named(company: Played) -> None:
    await company.rings("c1")
    own = f"{company.address('vera', 'duty')}/operations"
    page = await (await company.client.get(own)).text()
    form = next(form for form in forms(page) if form.fields["verb"] == "fallback")
    assert await press(company, form) == "sent"
    assert (await last_event(company, "call:office:c1"))[0] == "person:vera"


async def test_a_journal_that_cannot_be_written_is_said(company: Played, monkeypatch: pytest.MonkeyPatch) -> None:
    await company.rings("c1")
    form = await form_of(company, "fallback", "call:office:c1")

    async def fails(*_: object) -> None:
        raise StoreUnavailable("full")

    with monkeypatch.context() as patched:
        patched.setattr(company.engine.store, "commit", fails)
        assert await press(company, form) == "not_stored"


@pytest.mark.parametrize(
    ("verb", "target", "said"),
    [
        ("free", "nobody", "no_such_person"), ("free", "anna", "not_held"), ("resume", "anna", "not_away"),
        ("fallback", "c9", "no_such_call"), ("end", "c9", "no_such_call"), ("send_again", "x", "no_such_effect"),
        ("drop_unread", "x", "no_such_row"), ("undrain", "", "already"), ("dance", "", "unknown"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done_is_said(company: Played, verb: str, target: str, said: str) -> None:
    form = await form_of(company, "drain")
    assert await press(company, form, verb=verb, target=target, reason="other") == said


async def test_who_talks_is_not_torn_away(company: Played) -> None:
    await company.rings("c1")
    await company.talks("c1")
    form = await form_of(company, "end", "call:office:c1")
    assert await press(company, form, verb="fallback") == "in_talk"
    assert isinstance(company.engine.core.live["call:office:c1"].state, Talking)


def test_every_answer_has_its_words() -> None:
    assert set(SAID) == DONE | REFUSED
