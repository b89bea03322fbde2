"""XEP-0012: Last Activity."""

from collections.abc import Callable
from datetime import datetime

from commonroom.core.feature import Feature, Scope, Xep, on_iq, on_session
from commonroom.core.local import LocalDomain
from commonroom.core.moments import Moment
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.errors import item_not_found, service_unavailable
from commonroom.protocol.stanza import Iq, Presence
from commonroom.storage.interfaces import LastActivityStore, Writes
from commonroom.storage.records import LastActivity as Stored
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT

NS_LAST = "jabber:iq:last"


class LastActivity(Feature):
    """Tells subscribers when an account was last online, and anybody how long the server has been up.

    `now` gives an aware datetime.
    """

    xep = Xep("0012", "2.0")
    disco = (NS_LAST,)
    account_disco = (NS_LAST,)

    def __init__(self, store: LastActivityStore, writes: Writes, now: Callable[[], datetime]) -> None:
        self._store = store
        self._writes = writes
        self._now = now
        self._started = now()

    @on_iq("get", NS_LAST, "query", to=Scope.SERVER)
    def uptime(self, iq: Iq, domain: LocalDomain) -> Element:
        """Seconds since the server started (XEP-0012 §5)."""
        return self._seconds_since(self._started)

    @on_iq("get", NS_LAST, "query", to=Scope.OWN_ACCOUNT)
    def own(self, iq: Iq, session: Session) -> Element:
        """Whoever asks is online."""
        return self._seconds_since(self._now())

    @on_iq("get", NS_LAST, "query", to=Scope.ACCOUNT)
    async def last_online(self, iq: Iq, user: User) -> Element:
        """Seconds since the last resource left; 0 while one is connected (XEP-0012 §3)."""
        assert iq.sender is not None
        if not user.shows_presence_to(iq.sender):
            # Deviation: not forbidden (XEP-0012 §3), because that would tell strangers that the account
            # exists: a missing one gives service-unavailable (RFC 6121 §8.5.1).
            raise service_unavailable()
        if user.sessions:
            return self._seconds_since(self._now())
        await self._writes.flushed()  # who left a moment ago may still be on the way to the disk
        stored = await self._store.get(user.jid)
        if stored is None:
            raise item_not_found("never online")
        return self._seconds_since(stored.at, stored.status)

    def _seconds_since(self, at: datetime, status: str = "") -> Element:
        seconds = max(0, int((self._now() - at).total_seconds()))
        query = Element(NS_LAST, "query", {"seconds": str(seconds)})
        return query.append(status) if status else query

    @on_session(Moment.CLOSED)
    def note(self, session: Session) -> None:
        """The last resource that leaves is when the account was last online."""
        if not session.user.sessions:
            self._store.put(session.user.jid, Stored(self._now(), _status(session.farewell)))


def _status(farewell: Presence | None) -> str:
    """What the client said when it left (XEP-0012 §3)."""
    status = None if farewell is None else farewell.child(NS_CLIENT, "status")
    return "" if status is None else status.text()
