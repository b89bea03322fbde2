"""The HTTP skin, without sockets: requests in, responses out."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from commonroom.admin.api import AdminApi
from commonroom.admin.desk import Call, Caller, Desk, Way
from commonroom.admin.operations import operations
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import EVERYTHING, Scope
from commonroom.admin.tokens import add_token
from commonroom.net.http.exchange import Peer, Request, Response
from tests.admin.registries import NOW, done, registry

SOCKET = Peer("", 1, 0, 0)
TCP = Peer("127.0.0.1")
JSON = {"content-type": "application/json"}
ALL = Caller(Way.SOCKET, "uid 0 (root)", EVERYTHING)


class Door:
    """An API over stores in memory."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now
        self.calls: list[Call] = []
        self.refused: list[Peer] = []
        self.slept: list[float] = []
        self.registry = registry(now=lambda: self.now)
        desk = Desk(operations(), {Registry: self.registry}, self._note)
        self.api = AdminApi(
            desk,
            self.registry,
            {"/health": lambda: Response(200, b"alive\n")},
            {"/metrics": (Scope.METRICS_READ, lambda: Response(200, b"metrics\n"))},
            self.refused.append,
            self._sleep,
        )

    async def _note(self, call: Call) -> None:
        self.calls.append(call)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def token(self, *scopes: Scope, days: int | None = None) -> str:
        made: str = asyncio.run(self._token(scopes, days)).token
        return made

    async def _token(self, scopes: tuple[Scope, ...], days: int | None) -> Any:
        return await add_token(self.registry, ALL, f"t{len(scopes)}", scopes, days)

    def ask(
        self,
        path: str,
        body: Any = None,
        method: str = "POST",
        peer: Peer = SOCKET,
        headers: Mapping[str, str] = JSON,
    ) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        response = done(self.api.answer(Request(method, path, "", headers, data, peer)))
        return response.status, json.loads(response.body)

    def with_token(self, token: str, path: str, body: Any = None, method: str = "POST") -> tuple[int, Any]:
        return self.ask(path, body, method, TCP, {**JSON, "authorization": f"Bearer {token}"})


@pytest.mark.parametrize(
    ("path", "body", "method", "headers", "status"),
    [
        ("/", {}, "POST", JSON, 404),
        ("/v1/user/explode", {}, "POST", JSON, 404),
        ("/v1/../v1/user/list", {}, "POST", JSON, 404),
        ("/v1/user/list", {}, "GET", JSON, 405),
        ("/v1/user/list", {}, "DELETE", JSON, 405),
        ("/v1", {}, "POST", JSON, 405),
        ("/health", {}, "POST", JSON, 405),
        ("/v1/user/list", {}, "POST", {}, 415),
        ("/v1/user/list", b"{", "POST", JSON, 400),
        ("/v1/user/list", b"\xff", "POST", JSON, 400),
        ("/v1/user/list", [], "POST", JSON, 400),
        ("/v1/user/list", b"[" * 100_000, "POST", JSON, 400),
        ("/v1/user/list", b'{"limit": ' + b"9" * 10_000 + b"}", "POST", JSON, 400),
        ("/v1/user/list", {"limit": "1"}, "POST", JSON, 400),
        ("/v1/user/list", {"\ud800": 1}, "POST", JSON, 400),
        ("/v1/user/show", {"address": "nobody@example.org"}, "POST", JSON, 404),
        ("/v1/user/show", {"address": "alice@example.net"}, "POST", JSON, 400),
        ("/v1/session/list", {}, "POST", JSON, 409),
        ("/v1/user/list", {}, "POST", {**JSON, "origin": "https://evil.example"}, 403),
    ],
)
def test_a_request_that_cannot_be_is_refused(
    path: str, body: Any, method: str, headers: Mapping[str, str], status: int
) -> None:
    found, answer = Door().ask(path, body, method, headers=headers)
    assert found == status
    assert answer["error"]["text"]


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer"}, {"authorization": "Bearer x"}, {"authorization": "Basic cm9vdDp4"}],
)
def test_without_a_token_that_counts_nothing_is_done(headers: Mapping[str, str]) -> None:
    door = Door()
    assert door.ask("/v1/user/list", peer=TCP, headers={**JSON, **headers})[0] == 401
    assert (door.refused, door.slept, door.calls) == ([TCP], [1.0], [])


def test_a_token_ends() -> None:
    door = Door()
    token = door.token(Scope.ACCOUNTS_READ, days=1)
    assert door.with_token(token, "/v1/user/list")[0] == 200
    door.now = door.now.replace(day=door.now.day + 1)
    assert door.with_token(token, "/v1/user/list")[0] == 401


def test_a_token_that_was_removed_counts_no_more() -> None:
    door = Door()
    token = door.token(Scope.ACCOUNTS_READ)
    assert door.ask("/v1/token/remove", {"name": "t1"}) == (200, {"result": None})
    assert door.with_token(token, "/v1/user/list")[0] == 401


def test_a_token_may_do_what_its_scopes_say_and_sees_nothing_else() -> None:
    door = Door()
    token = door.token(Scope.ACCOUNTS_READ)
    assert door.with_token(token, "/v1/user/list") == (200, {"result": {"accounts": [], "next": None}})
    status, answer = door.with_token(token, "/v1/user/remove", {"address": "alice@example.org"})
    assert (status, answer["error"]["kind"]) == (403, "not-allowed")
    assert door.with_token(token, "/metrics", method="GET")[0] == 403
    _, listed = door.with_token(token, "/v1", method="GET")
    assert {each["scope"] for each in listed["operations"]} == {"accounts:read"}


def test_nobody_gives_a_token_what_they_lack() -> None:
    door = Door()
    token = door.token(Scope.TOKENS_WRITE)
    wish = {"name": "more", "scopes": ["accounts:write"]}
    assert door.with_token(token, "/v1/token/add", wish)[0] == 403
    assert door.with_token(token, "/v1/token/add", {"name": "same", "scopes": ["tokens:write"]})[0] == 200


@pytest.mark.parametrize(
    "wish",
    [
        {"name": "", "scopes": ["metrics:read"]},
        {"name": "a b", "scopes": ["metrics:read"]},
        {"name": "a", "scopes": []},
        {"name": "a", "scopes": ["everything"]},
        {"name": "a", "scopes": ["metrics:read"], "days": 0},
        {"name": "a", "scopes": ["metrics:read"], "days": 10**9},
    ],
)
def test_a_token_that_cannot_be_is_refused(wish: Mapping[str, Any]) -> None:
    assert Door().ask("/v1/token/add", wish)[0] == 400


def test_a_token_is_told_once_and_only_its_digest_is_kept() -> None:
    door = Door()
    token = door.token(Scope.METRICS_READ)
    (kept,) = done(door.registry.stores.tokens.load())
    assert token not in repr(kept)
    assert token not in json.dumps(door.ask("/v1/token/list")[1])
    assert door.ask("/v1/token/add", {"name": "t1", "scopes": ["metrics:read"]})[0] == 409


def test_what_was_done_is_answered_and_recorded_with_who_asked() -> None:
    door = Door()
    wish = {"address": "alice@example.org", "password": "secret"}
    assert door.ask("/v1/user/add", wish) == (200, {"result": "alice@example.org"})
    _, answer = door.ask("/v1/user/show", {"address": "alice@example.org"})
    assert answer["result"]["hashes"] == {"SHA-256": 4096}
    first, _ = door.calls
    assert (first.caller.way, first.caller.name) == (Way.SOCKET, "uid 0 (root)")
    assert "secret" not in repr(first)


def test_a_fault_of_ours_is_told_in_no_detail(caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    broken = replace(door.registry, stores=None)  # type: ignore[arg-type]  # as a bug might have it
    door.api._desk._subjects = {Registry: broken}
    status, answer = door.ask("/v1/user/list")
    assert (status, answer["error"]["kind"]) == (500, "failed")
    assert "NoneType" not in json.dumps(answer)
    assert "a request failed" in caplog.text
