"""XEP-0030 §3.2, §4.2: nodes of the service's own address, beside that of its capabilities."""

from typing import NamedTuple, Protocol

from commonroom.protocol.caps import Identity
from commonroom.protocol.jid import JID
from commonroom.xml.element import Element


class NodeInfo(NamedTuple):
    """Who a node is, and what it can do."""

    identity: Identity
    features: tuple[str, ...]


class Nodes(Protocol):
    """Knows some nodes; None is said of the others. May raise StanzaError."""

    def info(self, node: str, asker: JID) -> NodeInfo | None:
        """What disco#info says of a node."""

    def items(self, node: str, asker: JID, at: JID) -> list[Element] | None:
        """What disco#items lists below a node of the domain `at`."""
