"""RFC 6120 §7: resources are bound to accounts, and leave again."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple

from commonroom.core.feature import Tables
from commonroom.core.handlers import Handlers
from commonroom.core.moments import Moment, tell, tell_all
from commonroom.core.resumption import Resumption
from commonroom.core.session import ClientStream, Session, Submit
from commonroom.core.signs import SignsOfLife
from commonroom.core.surroundings import Surroundings
from commonroom.core.user import User
from commonroom.core.users import Users
from commonroom.protocol.errors import (
    StreamCondition,
    StreamError,
    bad_request,
    conflict,
    not_allowed,
    resource_constraint,
)
from commonroom.protocol.jid import JID, InvalidJID

CHANGED = StreamError(StreamCondition.NOT_AUTHORIZED, "the account was changed; please log in again")


class ConflictPolicy(Enum):
    """What happens when a resource is bound twice (RFC 6120 §7.7.2.2)."""

    RENAME = "rename"
    REFUSE = "refuse"
    REPLACE = "replace"


class SessionPolicy(NamedTuple):
    """How resources are bound."""

    conflict: ConflictPolicy
    sessions_per_account: int


class Sessions:
    """Opens and closes the sessions of all accounts."""

    def __init__(
        self,
        users: Users,
        handlers: Handlers,
        tables: Tables,
        submit: Submit,
        around: Surroundings,
        policy: SessionPolicy,
        resumption: Resumption,
        signs: SignsOfLife,
        hand_on: Callable[[Session], Awaitable[None] | None],
    ) -> None:
        self._users = users
        self._presences = handlers.presences
        self._questions = handlers.questions
        self._moments = tables.session
        self._elements = tables.elements
        self._submit = submit
        self._spawn = around.start
        self._random = around.random
        self._policy = policy
        self._resumption = resumption
        self._signs = signs
        self._unsure = signs.expect  # a new one for each session would take 64 bytes
        self._hand_on = hand_on
        self._leaving: dict[JID, Session] = {}  # closed, while what their clients sent is still handled

    def _random_resource(self) -> str:
        return self._random(12).hex()

    async def open(self, account: JID, revision: int, resource: str | None, stream: ClientStream) -> Session:
        """As `open_now`, for an account that must be read first. Raises StorageError as well."""
        self._users.outdate(account, revision, CHANGED)
        user = await self._users.load(account)
        if user is None:
            raise not_allowed("this account is gone")
        return self._open(user, revision, resource, stream)

    def open_now(
        self, account: JID, revision: int, resource: str | None, stream: ClientStream
    ) -> Session | None:
        """Bind a resource (RFC 6120 §7.6, §7.7); None lets the server name it.

        `revision` is that of the account that logged in. None, if the account is not in memory, or an older
        state of it. Raises StanzaError: bad-request, conflict, not-allowed, resource-constraint.
        """
        user = self._users.find(account)
        if user is None or user.changed < revision:
            return None
        return self._open(user, revision, resource, stream)

    def _open(self, user: User, revision: int, resource: str | None, stream: ClientStream) -> Session:
        if user.disabled:  # since it logged in a moment ago
            raise not_allowed("this account is disabled")
        if user.changed != revision:  # its password, perhaps
            raise not_allowed("this account was changed; please log in again")
        jid = self._settle(user, self._wanted(user.jid, resource))
        is_full = len(user.sessions) >= self._policy.sessions_per_account
        if is_full and not self._resumption.make_room(user):
            raise resource_constraint("this account has too many sessions; close one of them")
        self._users.keep(user)
        self._hasten(jid)
        session = Session(jid, user, stream, self._submit, self._spawn, self._unsure, self._elements)
        user.add(session)
        self._in_order(session, tell(self._moments[Moment.BOUND], session))
        return session

    def _wanted(self, account: JID, resource: str | None) -> JID:
        try:
            return account.with_resource(resource or self._random_resource())
        except InvalidJID as error:
            raise bad_request(str(error)) from None

    def _settle(self, user: User, jid: JID) -> JID:
        """The policy for a resource that is bound already (RFC 6120 §7.7.2.2).

        One whose client is away always gives way: most likely it is that client, which has lost its state.
        """
        there = user.sessions.get(jid.resource or "")
        if there is None:
            return jid
        if isinstance(there, Session) and self._resumption.waits_for(there):
            there.end(StreamError(StreamCondition.CONFLICT, "replaced by a new connection"))
            return jid
        if self._policy.conflict is ConflictPolicy.REFUSE:
            raise conflict("this resource is connected already")
        if self._policy.conflict is ConflictPolicy.RENAME:
            return self._wanted(user.jid, f"{jid.resource} {self._random_resource()}")
        there.end(StreamError(StreamCondition.CONFLICT, "replaced by a new connection"))
        return jid

    def _hasten(self, jid: JID) -> None:
        """Others see the old session of an address leave before they can see the new one."""
        old = self._leaving.get(jid)
        if old is not None:
            moments = self._presences.session_closed(old)
            self._in_order(old, tell_all(moments, self._moments, old))

    def close(self, session: Session) -> None:
        """The stream is over: nothing is delivered here from now on, and what may not have arrived is for
        others. What the client sent before is handled first, then others hear that it left."""
        if session.closed:
            return
        session.closed = True
        session.user.remove(session)
        self._in_order(session, self._hand_on(session))
        session.outbox = (
            None  # its messages know to whom they were delivered: no circle is left to the collector
        )
        if session.is_waiting:
            self._leaving[session.jid] = session
            session.after(self._leave_later(session))
        else:
            self._in_order(session, self._leave(session))

    async def _leave_later(self, session: Session) -> None:
        if self._leaving.get(session.jid) is session:
            del self._leaving[session.jid]
        waiting = self._leave(session)
        if waiting is not None:
            await waiting

    def _leave(self, session: Session) -> Awaitable[None] | None:
        self._questions.session_closed(session)
        self._signs.session_closed(session)
        moments = self._presences.session_closed(session)
        self._users.release(session.user)
        return tell_all((*moments, Moment.CLOSED), self._moments, session)

    def _in_order(self, session: Session, waiting: Awaitable[None] | None) -> None:
        if waiting is not None:
            session.after(waiting)
