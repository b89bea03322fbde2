"""RFC 6120 §10.4: the Destination of all domains that nobody here owns."""

from collections.abc import Awaitable, Callable

from commonroom.federation.keeping import Keeping
from commonroom.federation.outgoing import Outgoing, is_untold
from commonroom.federation.policy import Policies
from commonroom.protocol.dialback import Pair
from commonroom.protocol.errors import StanzaError, not_allowed
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Stanza


class Elsewhere:
    """Takes each stanza at once, into the queue of its pair of domains; what fails later goes back."""

    def __init__(
        self, outgoing: Outgoing, policies: Policies, keeping: Keeping, is_ours: Callable[[str], bool]
    ) -> None:
        self._outgoing = outgoing
        self._keeping = keeping
        self._policies = policies
        self._is_ours = is_ours

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        """Send it to the server of its domain. Raises StanzaError if that cannot be."""
        if not self._is_ours(sender.domain):
            return None  # we are no relay
        refused = self._policies.of(to.domain).refused
        try:
            if refused is not None:
                raise not_allowed(refused)
            kept = self._keeping.keep(stanza)
            if kept is not None:
                stanza = kept
                self._outgoing.send(stanza, Pair(sender.domain, to.domain))
        except StanzaError:
            self._keeping.settle(stanza)
            if not is_untold(stanza):
                raise
        return None
