"""A head presses a button: the verdict is an event of the same chain, and whatever comes is answered in words."""

import pytest

from router.engine.store.port import StoreUnavailable
from tests.web.forms import Form, forms
from tests.web.played import Played

JSON = {"Accept": "application/json"}


async def page_of(company: Played, person: str, query: str = "") -> str:
    response = await company.client.get(company.address(person) + query)
    assert response.status == 200
    return await response.text()


async def form_of(company: Played, person: str, button: str, index: int = 0) -> Form:
    """The form of a button on a person's page."""
    found = [form for form in forms(await page_of(company, person)) if form.fields["button"] == button]
    return found[index]


async def press(company: Played, form: Form, **changes: str) -> str:
    """Send a form as the page's script does; returns the answer's code."""
    response = await company.client.post(form.action, data=form.fields | changes, headers=JSON)
    said: str = (await response.json())["reply"]
    return said


async def answered(company: Played, call: str = "c1") -> None:
    """Anna talks and has her card."""
    await company.rings(call)
    await company.talks(call)
    await company.card("person:anna", "verdict_asked")


async def test_the_verdict_is_an_event_of_the_calls_own_chain(company: Played) -> None:
    await answered(company)
    assert await press(company, await form_of(company, "anna", "real")) == "marked"
    await company.card("person:anna", "marked")
    history = await company.engine.store.history("call:office:c1")
    last = history[-1]
    assert b'"VerdictGiven"' in last.event
    assert (last.source, b'"real"' in last.event) == ("person:anna", True)


async def test_a_double_press_gets_the_same_answer_and_changes_nothing(company: Played) -> None:
    await answered(company)
    form = await form_of(company, "anna", "spam")
    assert [await press(company, form), await press(company, form)] == ["marked", "marked"]
    history = await company.engine.store.history("call:office:c1")
    assert sum(b'"VerdictGiven"' in record.event for record in history) == 1


async def test_the_same_verdict_from_a_second_page_is_answered_already(company: Played) -> None:
    await answered(company)
    first, second = await form_of(company, "anna", "spam"), await form_of(company, "anna", "spam")
    assert [await press(company, first), await press(company, second)] == ["marked", "already"]


async def test_a_stale_page_does_not_overturn_a_verdict_it_has_not_seen(company: Played) -> None:
    await answered(company)
    stale, fresh = await form_of(company, "anna", "spam"), await form_of(company, "anna", "real")
    assert await press(company, fresh) == "marked"
    await company.card("person:anna", "marked")
    assert await press(company, stale) == "changed"
    card = await company.card("person:anna", "marked")
    assert card.face.params["verdict"] == "real"


async def test_a_correction_is_marked_and_kept_with_its_history(company: Played) -> None:
    await answered(company)
    await press(company, await form_of(company, "anna", "spam"))
    await company.card("person:anna", "marked")
    correction = await form_of(company, "anna", "real")
    assert correction.label == "Исправить: это реальный клиент"
    assert await press(company, correction) == "marked"
    history = await company.engine.store.history("call:office:c1")
    assert sum(b'"VerdictGiven"' in record.event for record in history) == 2


async def test_the_end_of_the_talk_does_not_make_a_press_stale(company: Played) -> None:
    await answered(company)
    form = await form_of(company, "anna", "real")
    await company.over("c1")
    assert await press(company, form) == "marked"


async def test_a_foreign_press_is_answered_not_yours(company: Played) -> None:
    await answered(company)
    card = await company.card("person:anna", "verdict_asked")
    boris = company.address("boris")
    fields = {
        "card": card.id, "button": "spam", "press": "p1", "revision": str(card.revision),
        "proof": company.desk.signer.form(boris.rpartition("/")[2]),
    }  # fmt: skip
    assert await press(company, Form(f"{boris}/press", fields)) == "not_yours"
    assert (await company.card("person:anna", "verdict_asked")).revision == card.revision


@pytest.mark.parametrize(
    ("changes", "status", "reply"),
    [
        ({"card": "call:office:nobody/verdict"}, 404, "unknown"),
        ({"button": "explode"}, 404, "unknown"),
        ({"button": "close"}, 422, "reason_missing"),
        ({"button": "take"}, 200, "too_late"),
        ({"revision": "-1"}, 200, "marked"),
        ({"press": ""}, 200, "marked"),
    ],
)
async def test_odd_forms_are_answered(company: Played, changes: dict[str, str], status: int, reply: str) -> None:
    await answered(company)
    form = await form_of(company, "anna", "real")
    await company.over("c1")
    response = await company.client.post(form.action, data=form.fields | changes, headers=JSON)
    assert (response.status, (await response.json())["reply"]) == (status, reply)


async def test_without_javascript_the_press_comes_back_to_the_page_and_says_the_answer(company: Played) -> None:
    await answered(company)
    form = await form_of(company, "anna", "real")
    response = await company.client.post(form.action, data=form.fields, allow_redirects=False)
    assert response.status == 303
    assert response.headers["Location"] == company.address("anna") + "?said=marked"
    assert "no-referrer" in response.headers["Referrer-Policy"]
    assert "Отмечено." in await page_of(company, "anna", "?said=marked")
    assert "evil" not in await page_of(company, "anna", "?said=evil")


async def test_a_form_that_does_not_come_from_the_page_is_refused(company: Played) -> None:
    await answered(company)
    form = await form_of(company, "anna", "real")
    other = company.desk.signer.form("another token")
    for proof in ("", "0" * 64, other, "не-ascii"):
        response = await company.client.post(form.action, data=form.fields | {"proof": proof}, headers=JSON)
        assert response.status == 403
    assert len(await company.engine.store.history("call:office:c1")) == 4


async def test_while_the_journal_cannot_be_written_the_press_is_not_lost_silently(
    company: Played, monkeypatch: pytest.MonkeyPatch
) -> None:
    await answered(company)
    form = await form_of(company, "anna", "real")

    async def full(batch: object) -> None:
        raise StoreUnavailable("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(company.engine.store, "commit", full)
        response = await company.client.post(form.action, data=form.fields, headers=JSON)
        assert (response.status, (await response.json())["reply"]) == (503, "not_stored")
    assert await press(company, form) == "marked"


async def test_a_call_back_is_closed_from_the_duty_page_with_a_reason(company: Played) -> None:
    await company.rings("c2")
    await company.gives_up("c2")
    await company.card("duty", "callback_open")
    response = await company.client.get(company.address("duty", "duty"))
    page = await response.text()
    assert "+7 999 000-11-22" in page
    [form] = forms(page)
    assert await press(company, form) == "reason_missing"
    assert await press(company, form, reason="called_back") == "closed"
    card = await company.card("duty", "callback_closed")
    assert (card.face.params["reason"], card.face.params["by"]) == ("called_back", "duty")
    assert await press(company, form, reason="spam", press="another") == "already"


async def test_an_unknown_answerer_is_a_card_of_the_duty_page(company: Played) -> None:
    await company.rings("c3")
    await company.talks("c3", extension="777")
    await company.card("duty", "unknown_answerer")
    response = await company.client.get(company.address("boris", "duty"))
    page = await response.text()
    assert "Неизвестно, кто ответил" in page
    assert "777" in page
    real = next(form for form in forms(page) if form.fields["button"] == "real")
    assert await press(company, real) == "marked"


async def test_links_open_only_what_they_were_signed_for(company: Played) -> None:
    signer = company.desk.signer
    inbox, duty = signer.token("anna"), signer.token("anna", "duty")
    forged = f"{inbox[:-1]}{'x' if inbox[-1] != 'x' else 'y'}"
    others = [forged, duty, "forged", signer.token("left"), signer.token("duty"), signer.token("anna", version=2)]
    for path in (f"/duty/{inbox}", *(f"/inbox/{token}" for token in others)):
        for address in (path, f"{path}/events"):
            response = await company.client.get(address)
            assert response.status == 404, path
            assert "Анна" not in await response.text()
        assert (await company.client.post(f"{path}/press", data={})).status == 404
