"""The client book as JSON, for programs: `/api/v1/clients`, with a token from the environment (HOPLINE_API_TOKEN).

    GET   /api/v1/clients              a page of clients: kind, active, phone, mail, responsible, conflict, after, limit
    POST  /api/v1/clients              a new client; 201, or 409 where the id is taken
    GET   /api/v1/clients/{id}         one client with his revision
    PUT   /api/v1/clients/{id}         the whole entry, new or changed; what is left out has its default
    PATCH /api/v1/clients/{id}         only what is named

A `revision` in a PUT or PATCH is the one the writer saw: if the entry has another by now the answer is 409. Nothing is
deleted: `active: false` takes an entry out of every look-up. A refusal says `{"error", "mistakes": [{key, value,
remedy}]}`. Answers hold names and numbers in plain, so they need the token even for reading.
"""

import hmac
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from router.basis.clients import Client, ClientKind
from router.basis.failures import Mistake
from router.basis.phone import normal
from router.clients import Clients, Saved
from router.config import API_TOKEN_VARIABLE
from router.crm_bridge.builtin.entry import FIELDS, ID, Entry, entry_of
from router.engine.store.port import StoreUnavailable

PAGE = 100
MOST_PER_PAGE = 1_000
BY = "api"

Handler = Callable[[web.Request], Awaitable[web.Response]]


class ClientsApi:
    """Routes over one client book."""

    def __init__(self, clients: Clients, token: str, region: str) -> None:
        self._clients = clients
        self._token = token
        self._region = region

    def routes(self) -> list[web.RouteDef]:
        """All of them, behind the token."""
        one = "/api/v1/clients/{id}"
        return [
            web.get("/api/v1/clients", self._guarded(self._list)),
            web.post("/api/v1/clients", self._guarded(self._create)),
            web.get(one, self._guarded(self._show)),
            web.put(one, self._guarded(self._put)),
            web.patch(one, self._guarded(self._patch)),
        ]

    def _guarded(self, handler: Handler) -> Handler:
        async def guarded(request: web.Request) -> web.Response:
            try:
                self._check_token(request)
                return await handler(request)
            except _Refusal as refusal:
                return refusal.response
            except StoreUnavailable:
                return _refused(HTTPStatus.SERVICE_UNAVAILABLE, "journal_unavailable")

        return guarded

    def _check_token(self, request: web.Request) -> None:
        if not self._token:
            remedy = f"set {API_TOKEN_VARIABLE} in the server's environment to open the API"
            raise _Refusal(HTTPStatus.FORBIDDEN, "api_closed", [Mistake(API_TOKEN_VARIABLE, "", remedy)])
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        # Bytes: a header may hold what is no ASCII, which `compare_digest` refuses in text.
        fits = hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token.encode())
        if scheme.lower() != "bearer" or not fits:
            remedy = f"send the header `Authorization: Bearer …` with the value of {API_TOKEN_VARIABLE}"
            raise _Refusal(HTTPStatus.UNAUTHORIZED, "no_token", [Mistake("Authorization", "***", remedy)])

    # --- reading ---------------------------------------------------------------------------------------------------

    async def _list(self, request: web.Request) -> web.Response:
        query = _Query(request)
        after, limit = request.query.get("after", ""), query.limit()
        wanted = await self._wanted(request, query)
        query.refuse_mistakes()
        found: list[Client] = []
        more = False
        for client in self._clients.book:
            if client.id > after and wanted(client):
                if len(found) == limit:
                    more = True
                    break
                found.append(client)
        shown = [self._said(entry) for entry in await self._clients.entries(found)]
        return _json({"clients": shown, "after": found[-1].id if more else None})

    async def _wanted(self, request: web.Request, query: "_Query") -> Callable[[Client], bool]:
        """What the query asks for, as one question."""
        kind, active, conflict = query.kind(), query.flag("active"), query.flag("conflict")
        responsible = request.query.get("responsible")
        contacts: list[str] = []
        if (phone := request.query.get("phone")) is not None:
            # A `+` in an address means a space, and whoever forgets to write %2B means a plus.
            number = normal("+" + phone[1:] if phone.startswith(" ") else phone, self._region)
            contacts.append(number or "")
        if (mail := request.query.get("mail")) is not None:
            contacts.append(mail.strip().lower())
        tokens = [set(await self._clients.tokens([contact])) for contact in contacts]
        shared = {client for entry in self._clients.book.conflicts() for client in entry.clients} if conflict else set()

        def fits(client: Client) -> bool:
            has = {*client.phones, *client.mails}
            return (
                (kind is None or client.kind == kind)
                and (active is None or client.active == active)
                and (responsible is None or client.responsible == responsible)
                and all(has & wanted for wanted in tokens)
                and (not conflict or client.id in shared)
            )

        return fits

    async def _show(self, request: web.Request) -> web.Response:
        return _json(self._said(await self._present(request)))

    async def _present(self, request: web.Request) -> Entry:
        kept = self._clients.kept(request.match_info["id"])
        if kept is None:
            remedy = "no client has this id"
            raise _Refusal(HTTPStatus.NOT_FOUND, "no_client", [Mistake("id", request.match_info["id"], remedy)])
        return (await self._clients.entries([kept.client]))[0]

    def _said(self, entry: Entry) -> dict[str, Any]:
        kept = self._clients.kept(entry.id)
        assert kept is not None, "an entry is shown from what is kept"
        conflicts = self._clients.book.conflicts(entry.id)
        others = sorted({other for conflict in conflicts for other in conflict.clients} - {entry.id})
        return {
            **{name: getattr(entry, name) for name in FIELDS},
            "revision": kept.revision,
            "created": kept.created,
            "changed": kept.changed,
            "by": kept.by,
            "shares_contacts_with": others,
        }

    # --- writing ---------------------------------------------------------------------------------------------------

    async def _create(self, request: web.Request) -> web.Response:
        body, revision = await _body(request)
        if revision is not None:
            raise _unprocessable([Mistake("revision", revision, "a new client has none; leave it out")])
        entry = self._entry(body)
        if entry.id and self._clients.kept(entry.id) is not None:
            raise _taken(entry.id)
        if not entry.id and (owners := self._clients.book.owners(await self._contacts(entry))):
            # A file may mean the client it finds by a number; a program that says "new" does not.
            remedy = f"these numbers and mails belong to {', '.join(owners)}: change that one, or give this one an id"
            raise _Refusal(HTTPStatus.CONFLICT, "client_known", [Mistake("phones", "***", remedy)])
        return await self._saved(await self._save(entry, 0), HTTPStatus.CREATED)

    async def _contacts(self, entry: Entry) -> list[str]:
        return await self._clients.tokens((*entry.phones, *entry.mails))

    async def _put(self, request: web.Request) -> web.Response:
        client = request.match_info["id"]
        body, revision = await _body(request)
        if not ID.fullmatch(client):
            raise _unprocessable(
                [Mistake("id", client, "write 1 to 64 Latin letters, digits, dots, dashes, underscores")]
            )
        if body.get("id", client) != client:
            raise _unprocessable([Mistake("id", body["id"], f"the address says {client}; an id does not change")])
        saved = await self._save(self._entry({**body, "id": client}), revision)
        return await self._saved(saved, HTTPStatus.CREATED if saved.words == ["created"] else HTTPStatus.OK)

    async def _patch(self, request: web.Request) -> web.Response:
        present = await self._present(request)
        kept = self._clients.kept(present.id)
        body, revision = await _body(request)
        if body.get("id", present.id) != present.id:
            raise _unprocessable([Mistake("id", body["id"], f"the address says {present.id}; an id does not change")])
        # What is not named must be as it was read just now: a change in between is not overwritten unseen.
        seen = revision if revision is not None else kept.revision if kept is not None else None
        whole = {**{name: getattr(present, name) for name in FIELDS}, **body, "id": present.id}
        return await self._saved(await self._save(self._entry(whole), seen), HTTPStatus.OK)

    def _entry(self, body: dict[str, Any]) -> Entry:
        mistakes: list[Mistake] = []
        entry = entry_of(body, "client", self._region, mistakes)
        if entry is None:
            raise _unprocessable(mistakes)
        return entry

    async def _save(self, entry: Entry, expected: int | None) -> Saved:
        saved = await self._clients.save([("client", entry)], BY, expected=expected)
        if saved.mistakes:
            raise _unprocessable(saved.mistakes)
        match saved.words[0]:
            case "outdated" if expected == 0:
                raise _taken(entry.id)
            case "outdated":
                kept = self._clients.kept(entry.id)
                now = f"it has {kept.revision} now; " if kept is not None else ""
                remedy = f"somebody else has changed it: {now}read it again and decide anew"
                raise _Refusal(HTTPStatus.CONFLICT, "outdated", [Mistake("revision", expected, remedy)])
            case "absent":
                raise _Refusal(HTTPStatus.NOT_FOUND, "no_client", [Mistake("id", entry.id, "no client has this id")])
            case _:
                return saved

    async def _saved(self, saved: Saved, status: HTTPStatus) -> web.Response:
        kept = self._clients.kept(saved.ids[0])
        assert kept is not None, "the engine told its observers before it answered"
        response = _json(self._said((await self._clients.entries([kept.client]))[0]), status)
        if status is HTTPStatus.CREATED:
            response.headers["Location"] = f"/api/v1/clients/{saved.ids[0]}"
        return response


class _Query:
    """Reads the query; mistakes are collected and told together."""

    def __init__(self, request: web.Request) -> None:
        self._query = request.query
        known = ("kind", "active", "phone", "mail", "responsible", "conflict", "after", "limit")
        self._mistakes = [
            Mistake(key, value, f"unknown; known are {', '.join(known)}")
            for key, value in request.query.items()
            if key not in known
        ]

    def refuse_mistakes(self) -> None:
        """Raise what was wrong."""
        if self._mistakes:
            raise _unprocessable(self._mistakes)

    def kind(self) -> ClientKind | None:
        """`kind=`"""
        given = self._query.get("kind")
        if given is None or given in set(ClientKind):
            return ClientKind(given) if given is not None else None
        self._mistakes.append(Mistake("kind", given, f"choose one of {', '.join(ClientKind)}"))
        return None

    def flag(self, name: str) -> bool | None:
        """`true` or `false`; None: not asked."""
        given = self._query.get(name)
        if given not in {None, "true", "false"}:
            self._mistakes.append(Mistake(name, given, "give true or false"))
        return None if given is None else given == "true"

    def limit(self) -> int:
        """How many at once."""
        given = self._query.get("limit", str(PAGE))
        if given.isascii() and given.isdecimal() and 1 <= int(given[:6]) <= MOST_PER_PAGE:
            return int(given[:6])
        self._mistakes.append(Mistake("limit", given, f"give a whole number, 1 to {MOST_PER_PAGE}"))
        return PAGE


class _Refusal(Exception):
    """The request is not carried out."""

    def __init__(self, status: HTTPStatus, code: str, mistakes: list[Mistake]) -> None:
        super().__init__(code)
        self.response = _refused(status, code, mistakes)


def _refused(status: HTTPStatus, code: str, mistakes: list[Mistake] | None = None) -> web.Response:
    told = [
        {"key": one.key.removeprefix("client."), "value": one.value, "remedy": one.remedy} for one in mistakes or ()
    ]
    response = _json({"error": code, "mistakes": told}, status)
    if status is HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="hopline"'
    return response


def _unprocessable(mistakes: list[Mistake]) -> _Refusal:
    return _Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "mistakes", mistakes)


def _taken(client: str) -> _Refusal:
    remedy = "there is such a client already: change it with PUT or PATCH, or choose another id"
    return _Refusal(HTTPStatus.CONFLICT, "client_exists", [Mistake("id", client, remedy)])


async def _body(request: web.Request) -> tuple[dict[str, Any], int | None]:
    """The body without its revision, and that."""
    try:
        body = json.loads(await request.read())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise _Refusal(
            HTTPStatus.BAD_REQUEST, "no_json", [Mistake("body", "", f"not readable as JSON: {error}")]
        ) from error
    if not isinstance(body, dict):
        raise _unprocessable([Mistake("body", "", "send one object")])
    revision = body.pop("revision", None)
    if revision is not None and (isinstance(revision, bool) or not isinstance(revision, int) or revision < 1):
        raise _unprocessable([Mistake("revision", revision, "give the number that was read, or leave it out")])
    return body, revision


def _json(body: Any, status: HTTPStatus = HTTPStatus.OK) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(body), status=status, content_type="application/json",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )  # fmt: skip
