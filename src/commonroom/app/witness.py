"""Sees what becomes of connections: records it, and counts."""

from collections.abc import Mapping

from commonroom.app.composition import Core
from commonroom.audit.tags import Tag
from commonroom.net.c2s import ClientService
from commonroom.net.seen import Event
from commonroom.protocol.jid import JID

TAGS = {
    Event.LOGGED_IN: Tag.LOGIN_SUCCEEDED,
    Event.LOGIN_FAILED: Tag.LOGIN_FAILED,
    Event.SESSION_RESUMED: Tag.SESSION_RESUMED,
    Event.SESSION_WAITS: Tag.SESSION_LOST,
}


class Witnessed:
    """What happened since the start, and how things stand."""

    def __init__(self, core: Core, clients: ClientService) -> None:
        self._core = core
        self._clients = clients
        self.events = dict.fromkeys(Event, 0)
        clients.witness = self.note

    def note(self, event: Event, account: JID | None, address: str, facts: Mapping[str, str]) -> None:
        """An event of a connection; when a session has ended is recorded where all sessions end."""
        self.events[event] += 1
        tag = TAGS.get(event)
        if tag is not None:
            self._core.audit.record(tag, account, None, address, facts)

    def counters(self) -> Mapping[str, int]:
        """What only grows."""
        return {
            "messages": self._core.router.messages,
            "logins": self.events[Event.LOGGED_IN],
            "failed logins": self.events[Event.LOGIN_FAILED],
        }

    def levels(self) -> Mapping[str, int]:
        """What comes and goes."""
        users = self._core.users.online()
        return {
            "connections": len(self._clients.connected),
            "sessions": sum(len(user.sessions) for user in users),
            "accounts": len(users),
        }
