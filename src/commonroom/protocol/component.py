"""XEP-0114: Jabber Component Protocol: the server's side of a component's stream, version 1.6."""

import hashlib
import hmac
from collections.abc import Callable
from typing import Protocol

from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.s2s import PeerHost, PeerStream, is_stanza, read_addresses
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_PRIVILEGE, NS_STREAMS
from commonroom.xml.parser import Limits, StreamHeader, StreamParser
from commonroom.xml.serializer import escape_attribute

NS_COMPONENT = "jabber:component:accept"


class ComponentHost(PeerHost, Protocol):
    """What the stream asks of those around it."""

    def secret(self, domain: str) -> str | None:
        """What a component of this domain has to know; None if there is none of that name."""

    def connected_as(self, domain: str) -> None:
        """It has shown that it knows the secret."""


class ComponentStream(PeerStream):
    """It speaks for one domain, of which it has shown that it knows the secret (XEP-0114 §3)."""

    __slots__ = ("_claimed", "_random", "_stream_id", "_trusted_limits", "domain")
    _host: ComponentHost
    content_namespace = NS_COMPONENT

    def __init__(
        self, host: ComponentHost, before: Limits, after: Limits, random: Callable[[int], bytes]
    ) -> None:
        super().__init__(host, before)
        self._trusted_limits = after
        self._random = random
        self._claimed = ""
        self._stream_id = ""
        self.domain: str | None = None  # once it is whom it claims to be
        self._on_element = self._handshake

    @property
    def claimed(self) -> str:
        """Whom it said to be, if anybody."""
        return self._claimed

    def _begin_stream(self) -> None:
        """A request that it wraps must be in jabber:client by itself (XEP-0356 §6.3): the parser changes
        nothing."""
        self._parser = StreamParser(self._limits)
        self._is_open = False

    def _on_header(self, raw: StreamHeader) -> None:
        if raw.namespace != NS_STREAMS or raw.default_namespace != NS_COMPONENT:
            raise StreamError(StreamCondition.INVALID_NAMESPACE, f"this port is for {NS_COMPONENT}")
        try:
            domain = JID.parse(raw.attributes.get("to", "")).domain
        except InvalidJID:
            domain = ""
        self._claimed = domain
        if self._host.secret(domain) is None:
            raise StreamError(StreamCondition.HOST_UNKNOWN, "there is no component of that name")
        self._open()

    def _open(self) -> None:
        self._stream_id = self._random(16).hex()
        self._is_open = True
        self._host.write(
            f"<?xml version='1.0'?><stream:stream from='{escape_attribute(self._claimed)}'"
            f" id='{self._stream_id}' xmlns='{NS_COMPONENT}' xmlns:stream='{NS_STREAMS}'>"
        )

    def _handshake(self, element: Element) -> None:
        _to_content(element)
        secret = self._host.secret(self._claimed)
        if (element.namespace, element.name) != (NS_CLIENT, "handshake") or secret is None:
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "show first that you know the secret")
        right = hashlib.sha1((self._stream_id + secret).encode()).hexdigest()
        if not hmac.compare_digest(right.encode(), element.text().strip().encode()):
            raise StreamError(StreamCondition.NOT_AUTHORIZED, "this is not the secret")
        self.domain = self._claimed
        self._allow(self._trusted_limits)
        self._on_element = self._stanza
        self._host.write("<handshake/>")
        self._host.connected_as(self.domain)

    def _stanza(self, element: Element) -> None:
        """From anybody at its domain, to anybody (XEP-0114 §3)."""
        _to_content(element)
        if not is_stanza(element):
            raise StreamError(StreamCondition.UNSUPPORTED_STANZA_TYPE, f"<{element.name}/> is no stanza")
        sender, _ = read_addresses(element)
        if sender.domain != self.domain:
            raise StreamError(StreamCondition.INVALID_FROM, f"you are {self.domain}")
        self._give(element, sender)


def _to_content(element: Element) -> None:
    """Inside of the service content is in jabber:client, whatever stream it came by (RFC 6120 §4.8.2).

    Recursive: the parser bounds the depth.
    """
    if element.namespace == NS_COMPONENT:
        element.namespace = NS_CLIENT
    for child in element.children:
        if not isinstance(child, str) and (child.namespace, child.name) != (NS_PRIVILEGE, "privileged_iq"):
            _to_content(child)
