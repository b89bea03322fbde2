"""XEP-0114: the connections of components, and the domains that they own."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from commonroom.core.arrivals import Arrivals, Enter, Spawn
from commonroom.core.components import Components
from commonroom.core.questions import Timer
from commonroom.net.connection import Connection
from commonroom.net.limits import Pause
from commonroom.protocol.component import ComponentStream
from commonroom.protocol.errors import StreamCondition, StreamError, resource_constraint, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Presence, PresenceType, Stanza
from commonroom.xml.parser import Limits

log = logging.getLogger(__name__)

# Seconds from connecting to the handshake.
DEADLINE = 30.0
# Bytes that a component has not read yet; while there are more, senders are told.
CONGESTED = 1024 * 1024


class ComponentDomain:
    """A Destination: a domain that the components which are connected for it own, the first of them."""

    def __init__(self, name: str, secret: str, components: Components) -> None:
        self.name = name
        self.secret = secret
        self.connections: list[ComponentConnection] = []
        self._components = components

    def receive(self, stanza: Stanza, sender: JID, to: JID) -> Awaitable[None] | None:
        """Give it to the component. Raises service-unavailable while none is connected."""
        if self.connections:
            self.connections[0].send(stanza)
        elif not isinstance(stanza, Presence) or stanza.type not in (
            PresenceType.PROBE,
            PresenceType.UNAVAILABLE,
        ):
            raise service_unavailable(f"{self.name} is not connected now")
        return None

    def add(self, connection: "ComponentConnection") -> None:
        """It takes its place behind those that were there before."""
        self.connections.append(connection)
        for stanza in self._components.greeting(self.name):
            connection.offer(stanza)
        if self.connections[0] is connection:
            self._components.arrived(self.name, connection.offer)

    def remove(self, connection: "ComponentConnection") -> bool:
        """The next one takes over, if it was the first; False if it was not there."""
        if connection not in self.connections:
            return False
        was_first = self.connections[0] is connection
        self.connections.remove(connection)
        if not self.connections:
            self._components.left(self.name)
        elif was_first:
            self._components.arrived(self.name, self.connections[0].offer)
        return True


@dataclass(slots=True)
class ComponentService:
    """What all components share."""

    domains: Mapping[str, ComponentDomain]
    before: Limits
    after: Limits
    enter: Enter
    route: Callable[[Stanza], Awaitable[None] | None]
    spawn: Spawn
    later: Callable[[float, Callable[[], None]], Timer]
    random: Callable[[int], bytes]
    connected: set["ComponentConnection"] = field(default_factory=set)


class ComponentConnection:
    """The handler of one component's connection, and the host of its stream."""

    _connection: Connection
    _deadline: Timer

    def __init__(self, service: ComponentService) -> None:
        self._service = service
        self._stream = ComponentStream(self, service.before, service.after, service.random)
        self._arrivals: Arrivals | None = None
        self._sending = Sending()
        self._written = 0  # bytes
        self._is_congested = False

    # The connection's handler

    def connected(self, connection: Connection) -> None:
        """There is somebody."""
        self._connection = connection
        self._service.connected.add(self)
        self._deadline = self._service.later(DEADLINE, self._too_late)
        self._arrivals = Arrivals(
            self._service.enter,
            self._service.spawn,
            partial(connection.pause, Pause.PARKED),
            partial(connection.resume, Pause.PARKED),
        )

    def receive(self, data: bytes) -> None:
        """Bytes from the component."""
        self._stream.receive(data)

    def secured(self) -> None:
        """There is no TLS here."""

    def lost(self, reason: str) -> None:
        """It is gone; the next one takes over."""
        self._stream.lost()
        self._service.connected.discard(self)
        self._deadline.cancel()
        self._leave(reason)
        self._hand_on()

    def _too_late(self) -> None:
        error = StreamError(StreamCondition.CONNECTION_TIMEOUT, "the handshake took too long")
        self.offended(str(error))
        self._stream.fail(error)

    # The stream's host

    def write(self, text: str) -> None:
        """Send to the component."""
        self._written += len(text) if text.isascii() else len(text.encode())
        if not self._connection.write(text):
            self._stream.lost()

    def start_tls(self) -> None:
        """The protocol has none."""

    def close(self) -> None:
        """The stream has said its last word."""
        self._connection.close()
        self._connection.resume(Pause.PARKED)
        self._leave("closed")

    def take(self, stanza: Stanza) -> None:
        """From the component, to anybody."""
        if self._arrivals is not None:
            self._arrivals.take(stanza)

    def answer(self, answer: Stanza | None) -> None:
        """What it sent was no stanza."""
        waiting = None if answer is None else self._service.route(answer)
        if waiting is not None:
            self._service.spawn(_finish(waiting))

    def asked(self) -> None:
        """XEP-0198 is not for components."""

    def acknowledged(self, handled: int) -> None:
        """Nor is this."""

    def unmanaged(self) -> None:
        """Nor this."""

    def offended(self, reason: str) -> None:
        """It is refused, or ends for what it did."""
        facts = {"domain": self._stream.claimed, "address": self._connection.address[0], "reason": reason}
        log.warning("component refused", extra=facts)

    def secret(self, domain: str) -> str | None:
        """What it has to know."""
        found = self._service.domains.get(domain)
        return None if found is None else found.secret

    def connected_as(self, domain: str) -> None:
        """It has shown that it knows the secret."""
        self._deadline.cancel()
        log.info("component connected", extra={"domain": domain, "address": self._connection.address[0]})
        self._service.domains[domain].add(self)

    # What its domain sends

    def send(self, stanza: Stanza) -> None:
        """Raises resource-constraint when the component does not read what it is sent."""
        if not self.offer(stanza):
            raise resource_constraint("the component does not read what it is sent")
        self._sending.add(stanza, self._written, self._connection.bytes_sent)

    def offer(self, stanza: Stanza) -> bool:
        """Send it, unless the component does not read what it is sent. When it is gone, nobody needs it."""
        unsent = self._connection.unsent
        if unsent > CONGESTED:
            if not self._is_congested:  # once, not for each
                facts = {"domain": self._stream.domain, "bytes": unsent}
                log.warning("a component does not read what it is sent", extra=facts)
            self._is_congested = True
            return False
        self._is_congested = False
        self.write(stanza.xml())
        return True

    def fail(self, error: StreamError) -> None:
        """End the stream."""
        self._stream.fail(error)

    def _leave(self, reason: str) -> None:
        name = self._stream.domain
        domain = None if name is None else self._service.domains[name]
        if domain is not None and domain.remove(self):
            facts = {"domain": name, "reason": reason, "left": len(domain.connections)}
            log.info("component disconnected", extra=facts)

    def _hand_on(self) -> None:
        """What did not leave here goes to the next one, or back to its sender with the reason."""
        for stanza in self._sending.left(self._connection.bytes_sent):
            waiting = self._service.route(stanza)
            if waiting is not None:
                self._service.spawn(_finish(waiting))


class Sending:
    """The stanzas that the system may not have taken yet, in order, each with where its last byte is."""

    def __init__(self) -> None:
        self._stanzas: deque[tuple[int, Stanza]] = deque()

    def add(self, stanza: Stanza, end: int, taken: int) -> None:
        """One more is written, when so many bytes were taken."""
        self._forget(taken)
        self._stanzas.append((end, stanza))

    def left(self, taken: int) -> list[Stanza]:
        """Those of which bytes are left behind the last that was taken."""
        self._forget(taken)
        return [stanza for _, stanza in self._stanzas]

    def _forget(self, taken: int) -> None:
        while self._stanzas and self._stanzas[0][0] <= taken:
            self._stanzas.popleft()


async def _finish(waiting: Awaitable[None]) -> None:
    await waiting
