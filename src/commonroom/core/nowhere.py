"""The Destination of all domains that nobody owns."""

from collections.abc import Awaitable

from commonroom.protocol.errors import remote_server_not_found
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType, Stanza


class Nowhere:
    """Tells senders that their stanza went nowhere (RFC 6120 §10.4.3); probes are the server's own."""

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        """Refuse."""
        if isinstance(stanza, Presence) and stanza.type is PresenceType.PROBE:
            return None
        raise remote_server_not_found(f"this service does not reach {to.domain}")
