"""A client's connection: joins the socket, the stream and the session, and watches the clock."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from commonroom.accounts.interfaces import Accounts
from commonroom.accounts.throttle import Throttle
from commonroom.core.iq import NoAnswer, Questions, Timer
from commonroom.core.session import Session, Spawn
from commonroom.core.sessions import Sessions
from commonroom.net.connection import Connection
from commonroom.net.tls import ChannelBinding, TlsContexts
from commonroom.protocol.c2s import ServerStream, StreamSettings
from commonroom.protocol.errors import StanzaError, StreamCondition, StreamError
from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import SaslCondition
from commonroom.protocol.stanza import Iq
from commonroom.storage.errors import StorageError
from commonroom.xml.element import Element
from commonroom.xml.names import NS_PING

log = logging.getLogger(__name__)

CHANNEL_BINDINGS: tuple[ChannelBinding, ...] = ("tls-exporter", "tls-server-end-point")


@dataclass(frozen=True, slots=True)
class ClientLimits:
    """Times in seconds; see `[c2s]` in docs/configuration.md."""

    login_timeout: float
    idle_ping_after: float
    idle_ping_timeout: float
    stanzas_per_second: float
    stanza_burst: float


@dataclass(frozen=True, slots=True)
class ClientService:
    """What all client connections share. `later` calls a function after so many seconds of `clock`."""

    stream_settings: StreamSettings
    limits: ClientLimits
    tls: TlsContexts
    accounts: Accounts
    throttle: Throttle
    sessions: Sessions
    questions: Questions
    spawn: Spawn
    sleep: Callable[[float], object]
    later: Callable[[float, Callable[[], None]], Timer]
    clock: Callable[[], float]
    connected: set["ClientConnection"]
