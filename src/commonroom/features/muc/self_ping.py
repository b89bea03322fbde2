"""XEP-0410: MUC Self-Ping: the room itself says whether a client is still inside, version 1.1.0."""

from commonroom.features.muc.occupant import Occupant
from commonroom.protocol.stanza import Iq, IqType
from commonroom.xml.names import NS_PING


def is_ping(iq: Iq) -> bool:
    """Whether it asks for nothing but a sign of life."""
    return iq.type is IqType.GET and iq.request().namespace == NS_PING


def is_self_ping(asker: Occupant, target: Occupant, iq: Iq) -> bool:
    """Whether an occupant pings the own nickname: that is answered here (XEP-0410 §3.3)."""
    return asker is target and is_ping(iq)
