"""XEP-0386: sessions that begin with all that their clients asked for, before anything is sent to them."""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from commonroom.core.clients import Clients
from commonroom.core.feature import Tables
from commonroom.core.session import ClientStream, Session
from commonroom.core.sessions import Sessions
from commonroom.core.users import Users
from commonroom.protocol.bind2 import BindRequest
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element

log = logging.getLogger(__name__)

Answer = Callable[[Session | StanzaError, tuple[Element, ...]], None]
"""Hears of the session, or why there is none, and what the client is to be told of it."""


class Opening:
    """The stream of a session whose client was not told of it yet: what it is sent waits."""

    def __init__(self, stream: ClientStream, close: Callable[[Session], None]) -> None:
        self._stream = stream
        self._close = close
        self._held: list[str] = []
        self.session: Session | None = None

    @property
    def closed(self) -> bool:
        """Whether the client has gone."""
        return self._stream.closed

    def write(self, xml: str) -> None:
        """Behind what the client is told first."""
        self._held.append(xml)

    def fail(self, error: StreamError) -> None:
        """It ends before it began."""
        if self.session is not None:
            self._close(self.session)
        self._stream.fail(error)

    def give_up(self) -> None:
        """Nobody can have taken it over: its name was told to nobody."""

    def pause(self) -> None:
        """It reads nothing yet."""

    def resume(self) -> None:
        """It reads nothing yet."""

    def release(self) -> None:
        """Send what waited."""
        for xml in self._held:
            if not self._stream.closed:
                self._stream.write(xml)


class Bind2:
    """Opens sessions for requests of this kind. `start` runs a coroutine under an owner."""

    def __init__(
        self,
        users: Users,
        sessions: Sessions,
        tables: Tables,
        clients: Clients,
        start: Callable[[Coroutine[Any, Any, None]], Awaitable[None]],
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._handlers = tables.bind
        self._listeners = tables.bound
        self._start = start
        self._clients = clients

    def bind(
        self, account: JID, revision: int, request: BindRequest, stream: ClientStream, answer: Answer
    ) -> None:
        """Open a session for an account whose client has logged in; `revision` as for `Sessions.open`."""
        self._start(self._bind(account, revision, request, stream, answer))

    async def _bind(
        self, account: JID, revision: int, request: BindRequest, stream: ClientStream, answer: Answer
    ) -> None:
        self._end_earlier(account, request.client)
        opening = Opening(stream, self._sessions.close)
        try:
            session = await self._open(account, revision, _resource(account, request), opening)
        except StanzaError as error:
            answer(error, ())
            return
        except StorageError:
            stream.fail(StreamError(StreamCondition.INTERNAL_SERVER_ERROR, "the account cannot be read now"))
            return
        opening.session = session
        if request.client is not None:
            self._clients.note(session, request.client)
        answers = self._enable(session, request)
        answers += await self._describe(session)
        if session.closed:  # something ended it meanwhile, and its stream
            return
        session.attach(stream)
        answer(session, tuple(answers))
        opening.release()

    def _end_earlier(self, account: JID, client: str | None) -> None:
        """The same installation has one session (XEP-0386 §3.2): the former one's connection must be dead."""
        user = self._users.find(account)
        if user is None or client is None:
            return
        for session in self._clients.sessions(user, client):
            session.end(StreamError(StreamCondition.CONFLICT, "the client has a new connection"))

    async def _open(self, account: JID, revision: int, resource: str, opening: Opening) -> Session:
        session = self._sessions.open_now(account, revision, resource, opening)
        if session is None:
            session = await self._sessions.open(account, revision, resource, opening)
        return session

    def _enable(self, session: Session, request: BindRequest) -> list[Element]:
        """What is not known is not answered (XEP-0386 §3.2)."""
        answers = []
        for element in request.features:
            handler = self._handlers.get((element.namespace, element.name))
            answer = None if handler is None else handler(element, session)
            if answer is not None:
                answers.append(answer)
        return answers

    async def _describe(self, session: Session) -> list[Element]:
        """What one cannot find out the client can do without."""
        told = []
        for listener in self._listeners:
            try:
                answer = listener(session)
                element = answer if isinstance(answer, Element) or answer is None else await answer
            except Exception:
                log.exception("a handler failed", extra={"jid": session.jid})
                continue
            if element is not None:
                told.append(element)
        return told


def _resource(account: JID, request: BindRequest) -> str:
    """The first name that can be one; the last always can (XEP-0386 §3.2.1)."""
    for name in request.resources[:-1]:
        with suppress(InvalidJID):
            account.with_resource(name)
            return name
    return request.resources[-1]
