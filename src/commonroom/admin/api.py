"""The HTTP skin: the same over the admin socket, whose file's permissions guard it, and TCP, with tokens.

`GET /v1` lists what one may ask for; `POST /v1/session/kick` asks, with an object of arguments. The answer is
`{"result": …}`, or `{"error": {"kind": …, "text": …}}`.
"""

import json
import logging
import pwd
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from commonroom.admin.desk import Caller, Desk, Way
from commonroom.admin.encoding import plain
from commonroom.admin.errors import AdminError
from commonroom.admin.operation import BASE, Argument, Operation
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import EVERYTHING, Scope
from commonroom.admin.tokens import caller_of
from commonroom.net.http.exchange import Peer, Request, Response
from commonroom.storage.errors import StorageError

log = logging.getLogger(__name__)

STATUS = {
    "bad-argument": 400,
    "not-allowed": 403,
    "not-found": 404,
    "exists": 409,
    "not-running": 409,
    "unavailable": 503,
}
OTHERWISE = 422
BEARER = {"www-authenticate": 'Bearer realm="commonroom"'}
WRONG_TOKEN_DELAY = 1.0  # seconds: for the log's sake; nobody guesses 256 bits

Page = Callable[[], Response]


class AdminApi:
    """`public` are pages for anybody, by path; `pages` those for holders of a scope.

    `refused` hears of each token that does not count; `sleep` waits so many seconds.
    """

    def __init__(
        self,
        desk: Desk,
        registry: Registry,
        public: Mapping[str, Page],
        pages: Mapping[str, tuple[Scope, Page]],
        refused: Callable[[Peer], None],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._desk = desk
        self._registry = registry
        self._public = public
        self._pages = pages
        self._refused = refused
        self._sleep = sleep

    async def answer(self, request: Request) -> Response:
        """One request; what goes wrong in here is logged, and told in no detail."""
        try:
            return await self._answer(request)
        except StorageError as error:
            return _error(503, "unavailable", f"{error}; try again later")
        except Exception:
            log.exception("a request failed", extra={"path": request.path[:200]})
            return _error(500, "failed", "this is a fault of the server; its log says more")

    async def _answer(self, request: Request) -> Response:
        if "origin" in request.headers:
            return _error(403, "not-allowed", "this is not for pages in a browser")
        if request.path in self._public:
            return _page(request, self._public[request.path])
        caller = await self._caller(request)
        if caller is None:
            return _error(401, "not-allowed", "send a token that counts: Authorization: Bearer …", BEARER)
        if request.path in self._pages:
            scope, page = self._pages[request.path]
            if scope not in caller.scopes:
                return _error(403, "not-allowed", f"this needs the scope {scope}")
            return _page(request, page)
        if request.path == BASE:
            return self._list(request, caller)
        return await self._operate(request, caller)

    async def _caller(self, request: Request) -> Caller | None:
        if request.peer.is_local:
            return Caller(Way.SOCKET, _user(request.peer), EVERYTHING)
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        token = None
        if scheme.lower() == "bearer":
            token = await caller_of(self._registry, secret.strip())
        if token is None:
            self._refused(request.peer)
            await self._sleep(WRONG_TOKEN_DELAY)
            return None
        return Caller(Way.API, f"token {token.name}", frozenset(_scopes(token.scopes)))

    def _list(self, request: Request, caller: Caller) -> Response:
        if request.method != "GET":
            return _error(405, "bad-argument", "GET lists; POST goes to an operation", {"allow": "GET"})
        return _json(200, {"operations": [described(each) for each in self._desk.allowed(caller)]})

    async def _operate(self, request: Request, caller: Caller) -> Response:
        name = request.path.removeprefix(f"{BASE}/").replace("/", " ")
        if not request.path.startswith(f"{BASE}/"):
            return _error(404, "not-found", f"there is nothing here; {BASE} lists what can be asked for")
        if request.method != "POST":
            return _error(405, "bad-argument", "an operation is a POST", {"allow": "POST"})
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            return _error(415, "bad-argument", "send application/json")
        arguments = _object(request.body)
        if arguments is None:
            return _error(400, "bad-argument", "send an object of JSON, with the arguments by name")
        try:
            result = await self._desk.call(name, arguments, caller)
        except AdminError as error:
            return _error(STATUS.get(error.kind, OTHERWISE), error.kind, str(error))
        return _json(200, {"result": plain(result)})


def described(operation: Operation) -> dict[str, Any]:
    """An operation, for programs."""
    return {
        "name": operation.name,
        "path": operation.path,
        "scope": operation.scope.value,
        "summary": operation.summary,
        "arguments": [_argument(each) for each in operation.arguments],
    }


def _argument(argument: Argument) -> dict[str, Any]:
    return {
        "name": argument.name,
        "type": getattr(argument.type, "__name__", str(argument.type)),
        "required": argument.is_required,
        "help": argument.help,
    }


def _user(peer: Peer) -> str:
    try:
        name = pwd.getpwuid(peer.uid).pw_name
    except KeyError:
        name = "?"
    return f"uid {peer.uid} ({name})"


def _scopes(names: tuple[str, ...]) -> list[Scope]:
    """Those that this program knows."""
    known = {scope.value: scope for scope in Scope}
    return [known[name] for name in names if name in known]


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _page(request: Request, page: Page) -> Response:
    if request.method != "GET":
        return _error(405, "bad-argument", "this is a page", {"allow": "GET"})
    return page()


def _json(status: int, value: Any, headers: Mapping[str, str] | None = None) -> Response:
    body = json.dumps(value, ensure_ascii=False).encode() + b"\n"
    return Response(status, body, "application/json", headers or {})


def _error(status: int, kind: str, text: str, headers: Mapping[str, str] | None = None) -> Response:
    return _json(status, {"error": {"kind": kind, "text": text}}, headers)
