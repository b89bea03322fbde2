"""RFC 6120 §7: resources are bound to accounts, and leave again."""

from collections.abc import Awaitable, Callable
from enum import Enum
from typing import NamedTuple

from commonroom.core.moments import Moment, Moments, tell, tell_all
from commonroom.core.presence import Presences
from commonroom.core.questions import Questions
from commonroom.core.session import ClientStream, Session, Spawn, Submit
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
        presences: Presences,
        questions: Questions,
        moments: Moments,
        submit: Submit,
        spawn: Spawn,
        policy: SessionPolicy,
        random_resource: Callable[[], str],
    ) -> None:
        self._users = users
        self._presences = presences
        self._questions = questions
        self._moments = moments
        self._submit = submit
        self._spawn = spawn
        self._policy = policy
        self._random_resource = random_resource
        self._leaving: dict[JID, Session] = {}  # closed, while what their clients sent is still handled

    async def open(self, account: JID, resource: str | None, stream: ClientStream) -> Session:
        """Bind a resource (RFC 6120 §7.6, §7.7); None lets the server name it.

        Raises StanzaError: bad-request, conflict, not-allowed, resource-constraint.
        """
        user = await self._users.load(account)
        if user is None:
            raise not_allowed("this account is gone")
        if user.disabled:  # since it logged in a moment ago
            raise not_allowed("this account is disabled")
        jid = self._settle(user, self._wanted(account, resource))
        if len(user.sessions) >= self._policy.sessions_per_account:
            raise resource_constraint("this account has too many sessions; close one of them")
        self._users.keep(user)
        self._hasten(jid)
        session = Session(jid, user, stream, self._submit, self._spawn)
        user.add(session)
        self._in_order(session, tell(self._moments[Moment.BOUND], session))
        return session

    def _wanted(self, account: JID, resource: str | None) -> JID:
        try:
            return account.with_resource(resource or self._random_resource())
        except InvalidJID as error:
            raise bad_request(str(error)) from None

    def _settle(self, user: User, jid: JID) -> JID:
        """The policy for a resource that is bound already (RFC 6120 §7.7.2.2)."""
        there = user.sessions.get(jid.resource or "")
        if there is None:
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
        """The stream is over: nothing is delivered here from now on; what the client sent before is handled
        first, then others hear that it left."""
        if session.closed:
            return
        session.closed = True
        session.user.remove(session)
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
        moments = self._presences.session_closed(session)
        self._users.release(session.user)
        return tell_all((*moments, Moment.CLOSED), self._moments, session)

    def _in_order(self, session: Session, waiting: Awaitable[None] | None) -> None:
        if waiting is not None:
            session.after(waiting)
