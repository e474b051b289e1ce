"""The client book over HTTP: tokens, refusals with key, value and remedy, and what a program can do."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from router.web.clients import ClientsApi
from tests.router.book import client_book

TOKEN = "0123456789abcdef0123456789abcdef"
OLEG = {"id": "oleg", "name": "Олег", "kind": "client", "phones": ["8 999 000-11-22"], "mails": ["Oleg@Example.org"],
        "responsible": "vera", "priority": 3}  # fmt: skip


class Api:
    def __init__(self, client: TestClient[web.Request, web.Application]) -> None:
        self._client = client

    async def ask(
        self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        sent = {"Authorization": f"Bearer {TOKEN}"} if headers is None else headers
        data = {"data": body} if isinstance(body, bytes) else {"json": body} if body is not None else {}
        async with self._client.request(method, f"/api/v1/clients{path}", headers=sent, **data) as response:
            self.headers = response.headers
            return response.status, await response.json()


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    async with serving(tmp_path, TOKEN) as api:
        yield api


class serving:  # noqa: N801 - reads as a verb
    def __init__(self, folder: Path, token: str) -> None:
        self._folder, self._token, self._closing = folder, token, AsyncExitStack()

    async def __aenter__(self) -> Api:
        clients = await self._closing.enter_async_context(client_book(self._folder / "hopline.db"))
        app = web.Application()
        app.add_routes(ClientsApi(clients, self._token, "RU").routes())
        client = TestClient(TestServer(app))
        self._closing.push_async_callback(client.close)
        await client.start_server()
        return Api(client)

    async def __aexit__(self, *error: object) -> None:
        await self._closing.aclose()


def keys(answer: Any) -> set[str]:
    assert all(mistake["remedy"] for mistake in answer["mistakes"])
    return {mistake["key"] for mistake in answer["mistakes"]}


# --- who may ------------------------------------------------------------------------------------------------------


async def test_nobody_without_the_token(api: Api) -> None:
    headers: list[dict[str, str]] = [
        {}, {"Authorization": TOKEN}, {"Authorization": "Bearer"}, {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"}, {"Authorization": "Bearer тайна"},
    ]  # fmt: skip
    for method, path in (("GET", ""), ("POST", ""), ("GET", "/a"), ("PUT", "/a"), ("PATCH", "/a")):
        for sent in headers:
            status, answer = await api.ask(method, path, {} if method != "GET" else None, sent)
            assert (status, answer["error"]) == (401, "no_token"), (method, path, sent)
            assert api.headers["WWW-Authenticate"].startswith("Bearer")
            assert TOKEN not in str(answer)


async def test_without_a_token_in_the_environment_the_api_is_closed(tmp_path: Path) -> None:
    async with serving(tmp_path, "") as api:
        for sent in ({}, {"Authorization": "Bearer "}, None):
            status, answer = await api.ask("GET", "", headers=sent)
            assert (status, answer["error"], keys(answer)) == (403, "api_closed", {"HOPLINE_API_TOKEN"})


# --- writing and reading ------------------------------------------------------------------------------------------


async def test_a_client_is_made_read_changed_and_retired(api: Api) -> None:
    status, made = await api.ask("POST", "", OLEG)
    assert status == 201
    assert api.headers["Location"] == "/api/v1/clients/oleg"
    assert (made["phones"], made["mails"], made["revision"], made["by"]) == (
        ["+79990001122"],
        ["oleg@example.org"],
        1,
        "api",
    )
    assert await api.ask("GET", "/oleg") == (200, made)
    assert api.headers["Cache-Control"] == "no-store"
    status, changed = await api.ask("PATCH", "/oleg", {"active": False, "revision": 1})
    assert (status, changed["active"], changed["revision"], changed["name"]) == (200, False, 2, "Олег")
    status, replaced = await api.ask("PUT", "/oleg", {"name": "Олег П."})
    assert (status, replaced["revision"], replaced["phones"], replaced["active"]) == (200, 3, [], True)
    status, made = await api.ask("PUT", "/inna", {"name": "Инна", "phones": ["+79990003344"]})
    assert (status, made["id"], made["revision"]) == (201, "inna", 1)
    status, same = await api.ask("PUT", "/inna", {"name": "Инна", "phones": ["+79990003344"]})
    assert (status, same["revision"]) == (200, 1)


async def test_a_client_without_an_id_gets_one(api: Api) -> None:
    status, made = await api.ask("POST", "", {"phones": ["+79990003344"]})
    assert (status, made["id"]) == (201, "c1")


REFUSED: list[tuple[str, str, Any, int, str, set[str]]] = [
    ("GET", "/ghost", None, 404, "no_client", {"id"}),
    ("PATCH", "/ghost", {"name": "x"}, 404, "no_client", {"id"}),
    ("PUT", "/ghost", {"name": "x", "revision": 4}, 404, "no_client", {"id"}),
    ("POST", "", OLEG, 409, "client_exists", {"id"}),
    ("POST", "", {"phones": ["+79990001122"]}, 409, "client_known", {"phones"}),
    ("PATCH", "/oleg", {"name": "x", "revision": 7}, 409, "outdated", {"revision"}),
    ("PUT", "/oleg", {"name": "x", "revision": 7}, 409, "outdated", {"revision"}),
    ("POST", "", {"name": "nobody"}, 422, "mistakes", {"client"}),
    ("POST", "", {"id": "a", "kind": "friend", "phones": ["12"], "x": 1}, 422, "mistakes", {"kind", "phones", "x"}),
    ("POST", "", {"id": "a", "responsible": "ghost"}, 422, "mistakes", {"responsible"}),
    ("POST", "", {"id": "a", "revision": 1}, 422, "mistakes", {"revision"}),
    ("PUT", "/oleg", {"id": "inna"}, 422, "mistakes", {"id"}),
    ("PUT", "/ole%20g", {"name": "x"}, 422, "mistakes", {"id"}),
    ("PATCH", "/oleg", {"id": "inna"}, 422, "mistakes", {"id"}),
    ("PATCH", "/oleg", {"revision": "1"}, 422, "mistakes", {"revision"}),
    ("POST", "", ["oleg"], 422, "mistakes", {"body"}),
    ("POST", "", b"{", 400, "no_json", {"body"}),
    ("POST", "", b"\xff", 400, "no_json", {"body"}),
    ("GET", "?kind=friend&active=yes&limit=0&x=1", None, 422, "mistakes", {"kind", "active", "limit", "x"}),
]


async def test_refusals_say_key_value_and_remedy(api: Api) -> None:
    await api.ask("POST", "", OLEG)
    for method, path, body, status, error, said in REFUSED:
        found, answer = await api.ask(method, path, body)
        assert (found, answer["error"], keys(answer)) == (status, error, said), (method, path, body)
        assert (await api.ask("GET", "/oleg"))[1]["revision"] == 1, "nothing was written"


async def test_a_patch_does_not_undo_a_change_it_has_not_seen(api: Api) -> None:
    await api.ask("POST", "", OLEG)
    assert (await api.ask("PATCH", "/oleg", {"priority": 4, "revision": 1}))[0] == 200
    assert (await api.ask("PATCH", "/oleg", {"note": "late", "revision": 1}))[0] == 409
    assert (await api.ask("PATCH", "/oleg", {"note": "again", "revision": 2}))[1]["priority"] == 4


# --- lists --------------------------------------------------------------------------------------------------------


async def ids(api: Api, query: str) -> list[str]:
    status, answer = await api.ask("GET", query)
    assert status == 200
    return [client["id"] for client in answer["clients"]]


async def test_lists_are_found_by_what_is_asked(api: Api) -> None:
    await api.ask("POST", "", OLEG)
    await api.ask("POST", "", {"id": "inna", "phones": ["+79990003344"], "active": False})
    await api.ask("POST", "", {"id": "twin", "phones": ["+79990001122"], "kind": "spam"})
    assert await ids(api, "") == ["inna", "oleg", "twin"]
    assert await ids(api, "?kind=spam") == ["twin"]
    assert await ids(api, "?active=false") == ["inna"]
    assert await ids(api, "?responsible=vera") == ["oleg"]
    assert await ids(api, "?phone=%2B79990001122") == ["oleg", "twin"]
    assert await ids(api, "?phone=+79990001122") == ["oleg", "twin"], "a plus in an address is a space"
    assert await ids(api, "?phone=89990003344") == ["inna"]
    assert await ids(api, "?phone=89990000000") == []
    assert await ids(api, "?mail=OLEG@example.org") == ["oleg"]
    assert await ids(api, "?phone=89990001122&mail=oleg@example.org") == ["oleg"]
    assert await ids(api, "?conflict=true") == ["oleg", "twin"]
    assert (await api.ask("GET", "/oleg"))[1]["shares_contacts_with"] == ["twin"]
    assert (await api.ask("GET", "/inna"))[1]["shares_contacts_with"] == []


async def test_a_list_is_read_page_by_page(api: Api) -> None:
    for name in "dacbe":
        await api.ask("POST", "", {"id": name})
    seen: list[str] = []
    after = ""
    for _ in range(3):
        _, answer = await api.ask("GET", f"?limit=2&after={after}")
        seen += [client["id"] for client in answer["clients"]]
        after = answer["after"]
    assert seen == list("abcde")
    assert after is None
