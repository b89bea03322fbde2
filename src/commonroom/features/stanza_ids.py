"""XEP-0359: Unique and Stable Stanza IDs: nobody gives messages our ids."""

from functools import partial

from commonroom.core.feature import Feature, Xep, on_message
from commonroom.core.message import Received, Sent
from commonroom.core.user import User
from commonroom.protocol.stanza import Message
from commonroom.protocol.stanza_ids import claims_id_by
from commonroom.xml.names import NS_STANZA_IDS


class StanzaIds(Feature):
    """Strips ids that claim to be given by our domains or their accounts (XEP-0359 §3, rule 2).

    Those that others give, and the origin-id, stay (rule 3). The archive gives ours.
    """

    xep = Xep("0359", "0.7.0")
    disco = (NS_STANZA_IDS,)
    account_disco = (NS_STANZA_IDS,)

    def __init__(self, domains: frozenset[str]) -> None:
        self._is_forged = partial(claims_id_by, domains=domains)

    @on_message(Sent.LIMIT)
    @on_message(Received.LIMIT, rooms=False)
    def strip(self, message: Message, user: User) -> None:
        """Before anybody keeps or copies the message."""
        for child in message.children:  # nearly never there, so no list is made to find out
            # An origin-id is nearly always there, so it must not look like one to strip.
            if (
                not isinstance(child, str)
                and child.name == "stanza-id"
                and child.namespace == NS_STANZA_IDS
                and self._is_forged(child)  # those of a room are not, and its copies share their text
            ):
                message.remove(self._is_forged)
                return
