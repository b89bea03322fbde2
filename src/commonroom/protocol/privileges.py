"""XEP-0356: Privileged Entity: what a component may be allowed, as tables, and what it wraps."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from commonroom.protocol.errors import bad_request, forbidden
from commonroom.protocol.forward import NS_FORWARD, forwarded
from commonroom.protocol.jid import JID, InvalidJID
from commonroom.protocol.stanza import Iq, IqType, Message, Stanza, read_iq, read_message
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_PRIVILEGE


class Access(Enum):
    """To rosters, and to a namespace of requests (XEP-0356 §4.1, §6.1)."""

    NONE = "none"
    GET = "get"
    SET = "set"
    BOTH = "both"


class PresenceAccess(Enum):
    """Whose presence is shown (XEP-0356 §7.1, §7.4)."""

    NONE = "none"
    MANAGED_ENTITY = "managed_entity"
    ROSTER = "roster"


# Which requests an access lets pass.
REQUESTS: Mapping[Access, frozenset[IqType]] = {
    Access.NONE: frozenset(),
    Access.GET: frozenset((IqType.GET,)),
    Access.SET: frozenset((IqType.SET,)),
    Access.BOTH: frozenset((IqType.GET, IqType.SET)),
}
# With which access to rosters there may be pushes (XEP-0356 §4.1).
PUSHES = frozenset((Access.GET, Access.BOTH))


@dataclass(frozen=True, slots=True)
class Grant:
    """What the component `entity` may do with the accounts of `domains`; by itself nothing."""

    entity: JID
    domains: frozenset[str] = frozenset()
    roster: Access = Access.NONE
    push: bool = False
    message: bool = False
    iq: Mapping[str, Access] = field(default_factory=dict)
    presence: PresenceAccess = PresenceAccess.NONE

    def manages(self, account: JID | None) -> bool:
        """Whether this is the bare address of an account (or of none) that it manages."""
        return account is not None and account.is_bare and account.domain in self.domains

    def check_roster(self, iq: Iq) -> None:
        """Whether it may ask this of the account's roster; raises forbidden (XEP-0356 §4.3)."""
        if not self.manages(iq.to) or iq.type not in REQUESTS[self.roster]:
            raise forbidden("the operator has not allowed that")


def advertised(grant: Grant) -> Element | None:
    """What a component is told that it may do, once it is connected (XEP-0356 §4.2, §5.2, §6.2, §7.2)."""
    told = Element(NS_PRIVILEGE, "privilege")
    if grant.roster is not Access.NONE:
        push = {"push": str(grant.push).lower()}
        told.append(_perm("roster", {"type": grant.roster.value} | push))
    if grant.message:
        told.append(_perm("message", {"type": "outgoing"}))
    namespaces = [
        Element(NS_PRIVILEGE, "namespace", {"ns": namespace, "type": access.value})
        for namespace, access in grant.iq.items()
        if access is not Access.NONE
    ]
    if namespaces:
        told.append(_perm("iq", {}, *namespaces))
    if grant.presence is not PresenceAccess.NONE:
        told.append(_perm("presence", {"type": grant.presence.value}))
    return told if told.children else None


def _perm(access: str, more: dict[str, str], *inside: Element) -> Element:
    return Element(NS_PRIVILEGE, "perm", {"access": access} | more, *inside)


def outgoing(message: Message, grant: Grant) -> Message:
    """The message that is wrapped in one to the server, with its sender (XEP-0356 §5.1, §5.3).

    Raises forbidden, and bad-request for what wraps no message.
    """
    assert message.to is not None
    if not grant.message or not grant.manages(message.to):
        raise forbidden("the operator has not allowed messages in the name of others")
    privilege = message.child(NS_PRIVILEGE, "privilege")
    wrapper = None if privilege is None else privilege.child(NS_FORWARD, "forwarded")
    element = None if wrapper is None else wrapper.child(NS_CLIENT, "message")
    if element is None:
        raise bad_request("a <privilege/> wraps a <forwarded/> with a message of jabber:client")
    sender = _address(element.get("from"))
    if not grant.manages(sender) or sender is None or sender.domain != message.to.domain:
        raise forbidden("'from' must be the bare address of an account of this server")
    wrapped = read_message(element)
    wrapped.sender = sender
    return wrapped


def encapsulated(iq: Iq, grant: Grant) -> Iq:
    """The request that is wrapped in one to the account that is to make it (XEP-0356 §6.3).

    Raises forbidden, and bad-request for what wraps none.
    """
    account = iq.to
    if account is None or account.local is None or not grant.manages(account):
        raise forbidden("'to' must be the bare address of an account of this server")
    elements = iq.request().elements()
    if len(elements) != 1 or elements[0].name != "iq":
        raise bad_request("a <privileged_iq/> wraps one iq")
    element = elements[0]
    if element.namespace != NS_CLIENT:
        raise forbidden(f"what is wrapped must be of the namespace {NS_CLIENT}")
    sender = element.get("from")
    if sender is not None and _address(sender) != account:
        raise forbidden("'from' must be absent, or be whom the request is addressed to")
    if element.get("type") != iq.type.value:
        raise forbidden("both must be of the same type")
    wrapped = read_iq(element)
    access = grant.iq.get(wrapped.request().namespace, Access.NONE)
    if wrapped.type not in REQUESTS[access]:
        raise forbidden("the operator has not allowed such requests in the name of others")
    wrapped.sender = account
    return wrapped


def wrapped_answer(answer: Stanza) -> Element:
    """What the component gets of the answer to such a request (XEP-0356 §6.3)."""
    return Element(NS_PRIVILEGE, "privilege", None, forwarded(answer))


def _address(text: str | None) -> JID | None:
    try:
        return None if text is None else JID.parse(text)
    except InvalidJID:
        return None
