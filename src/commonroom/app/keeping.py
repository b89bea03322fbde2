"""What is kept for other servers, put together: where it is, and who hears when it cannot be sent."""

from datetime import datetime, timedelta
from functools import partial

from commonroom.app.composition import Core
from commonroom.config import Settings
from commonroom.core.local import LocalDomain
from commonroom.core.session import Session
from commonroom.federation.keeping import Keeping, Listeners
from commonroom.protocol.jid import JID
from commonroom.storage.interfaces import Stores
from commonroom.storage.memory import Memory, memory_stores


def build_keeping(settings: Settings, core: Core, stores: Stores) -> Keeping:
    """For a service."""
    return Keeping(
        stores.outbound,
        stores.writes,
        core.next_id,
        lambda: datetime.now().astimezone(),
        core.router.tell,
        Listeners(partial(_is_person, core), partial(_listener, core)),
        timedelta(seconds=settings.federation.keep_trying),
    )


def keeping_nothing() -> Keeping:
    """For a command, which sends nothing."""
    stores = memory_stores(Memory())
    return Keeping(
        stores.outbound,
        stores.writes,
        lambda: 0,
        lambda: datetime.now().astimezone(),
        lambda _: None,
        Listeners(lambda _: False, lambda _: None),
        timedelta(0),
    )


def _is_person(core: Core, sender: JID) -> bool:
    """Rooms and components have no clients."""
    return sender.resource is not None and isinstance(core.router.domains.get(sender.domain), LocalDomain)


def _listener(core: Core, sender: JID) -> JID | None:
    """The client that sent it, or another of the same account."""
    user = core.users.find(sender.bare)
    if user is None:
        return None
    for session in (user.sessions.get(sender.resource or ""), *user.most_available):
        if isinstance(session, Session) and not core.resumption.waits_for(session):
            return session.jid
    return None
