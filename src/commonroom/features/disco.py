"""XEP-0030, XEP-0115: Service Discovery, and the server's capabilities."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from commonroom.core.delegations import Delegations
from commonroom.core.feature import Feature, Scope, Tables, Xep, on_iq
from commonroom.core.local import LocalDomain
from commonroom.core.nodes import Nodes
from commonroom.core.session import Session
from commonroom.core.user import User
from commonroom.protocol.caps import NS_CAPS, Identity, verification_string
from commonroom.protocol.dataforms import NS_DATA, form_fields
from commonroom.protocol.errors import item_not_found, service_unavailable
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_DISCO_INFO, NS_DISCO_ITEMS

NO_SERVICES: Mapping[str, Sequence[JID]] = MappingProxyType({})

SERVER = Identity("server", "im", name="Common Room")
ACCOUNT = Identity("account", "registered")


class Disco(Feature):
    """Tells who the server and the accounts are, and what they can do; XEP-0115 §6.3 for the server's caps.

    `node` names the software in the capabilities (XEP-0115 §4); `services` are those beside each domain, and
    `nodes` know of further nodes. Of what is delegated, components say what they can (XEP-0355 §7.2).
    """

    xep = Xep("0030", "2.5.0")
    disco = (NS_DISCO_INFO, NS_DISCO_ITEMS, NS_CAPS)
    account_disco = (NS_DISCO_INFO, NS_DISCO_ITEMS)

    def __init__(
        self,
        node: str,
        services: Mapping[str, Sequence[JID]] = NO_SERVICES,
        *nodes: Nodes,
        delegations: Delegations | None = None,
    ) -> None:
        self._node = node
        self._services = services
        self._nodes = nodes
        self._delegations = delegations

    def compiled(self, tables: Tables) -> None:
        self._features = tables.disco
        self._account_features = tables.account_disco
        self._forms = tables.disco_forms
        self._ver = verification_string((SERVER,), self._features, self._forms)

    def stream_features(self) -> tuple[Element, ...]:
        """The server's capabilities, so that clients need not ask (XEP-0115 §6.3).

        Not where components have their part in them: they come and go.
        """
        if self._delegations is not None:
            return ()
        return (Element(NS_CAPS, "c", {"hash": "sha-1", "node": self._node, "ver": self._ver}),)

    @on_iq("get", NS_DISCO_INFO, "query", to=Scope.SERVER)
    def server_info(self, iq: Iq, domain: LocalDomain) -> Element:
        """What the service is and can do (XEP-0030 §3.1), by itself or as the node of its caps; or a node."""
        node = iq.request().get("node")
        if node in (None, f"{self._node}#{self._ver}"):
            return self._nest(_info(node, SERVER, self._features, self._forms), domain.name, bare=False)
        for each in self._nodes:
            found = each.info(node, _asker(iq))
            if found is not None:
                return _info(node, found.identity, found.features, ())
        raise item_not_found()

    @on_iq("get", NS_DISCO_ITEMS, "query", to=Scope.SERVER)
    def server_items(self, iq: Iq, domain: LocalDomain) -> Element:
        """The services beside this one (XEP-0030 §4.1); accounts are nobody's business (§8). Or a node's."""
        node = iq.request().get("node")
        for each in self._nodes:
            found = None if node is None else each.items(node, _asker(iq), domain.name)
            if node is not None and found is not None:
                return Element(NS_DISCO_ITEMS, "query", {"node": node}, *found)
        items = _no_items(iq)
        for service in self._services.get(domain.name.domain, ()):
            items.append(Element(NS_DISCO_ITEMS, "item", {"jid": str(service)}))
        return items

    @on_iq("get", NS_DISCO_INFO, "query", to=Scope.OWN_ACCOUNT)
    def own_info(self, iq: Iq, session: Session) -> Element:
        """What the server does for the account that asks."""
        return self._account_info(iq, session.user)

    @on_iq("get", NS_DISCO_INFO, "query", to=Scope.ACCOUNT)
    def account_info(self, iq: Iq, user: User) -> Element:
        """Only for those who see the account's presence: others get what a missing account gives (§8)."""
        _for_subscribers(iq, user)
        return self._account_info(iq, user)

    @on_iq("get", NS_DISCO_ITEMS, "query", to=Scope.OWN_ACCOUNT)
    def own_items(self, iq: Iq, session: Session) -> Element:
        """The account has no items so far."""
        return _no_items(iq)

    @on_iq("get", NS_DISCO_ITEMS, "query", to=Scope.ACCOUNT)
    def account_items(self, iq: Iq, user: User) -> Element:
        """As for `account_info`."""
        # Deviation: strangers get an error, not an empty list (XEP-0030 §8), because a missing account gives
        # that error, too (RFC 6121 §8.5.1).
        _for_subscribers(iq, user)
        return _no_items(iq)

    def _account_info(self, iq: Iq, user: User) -> Element:
        if iq.request().get("node") is not None:
            raise item_not_found()
        return self._nest(_info(None, ACCOUNT, self._account_features, ()), user.jid, bare=True)

    def _nest(self, info: Element, at: JID, bare: bool) -> Element:
        """Components speak for what they manage, and the server does not (XEP-0355 §7.2.1, §7.2.3)."""
        delegations = self._delegations
        if delegations is None:
            return info
        ours = [e for e in info.elements() if not delegations.hides(at.domain, _announced(e))]
        theirs = [*delegations.nested(at.domain, bare)]
        known = {e.get("var") for e in ours if e.name == "feature"}
        features = sorted({feature for each in theirs for feature in each.features} - known)
        info.children = [
            *ours,
            *(identity for each in theirs for identity in each.identities),
            *(Element(NS_DISCO_INFO, "feature", {"var": feature}) for feature in features),
            *(form for each in theirs for form in each.forms),
        ]
        return info


def _announced(element: Element) -> str:
    """What a feature is, or what a form is about (XEP-0128 §2)."""
    if element.namespace == NS_DATA:
        return form_fields(element)["FORM_TYPE"][0]
    return element.get("var") or ""


def _asker(iq: Iq) -> JID:
    assert iq.sender is not None
    return iq.sender


def _for_subscribers(iq: Iq, user: User) -> None:
    assert iq.sender is not None
    if not user.shows_presence_to(iq.sender):
        raise service_unavailable()


def _info(
    node: str | None, identity: Identity, features: tuple[str, ...], forms: tuple[Element, ...]
) -> Element:
    query = Element(NS_DISCO_INFO, "query", None if node is None else {"node": node})
    attributes = {"category": identity.category, "type": identity.type}
    if identity.name:
        attributes["name"] = identity.name
    query.append(Element(NS_DISCO_INFO, "identity", attributes))
    for feature in features:
        query.append(Element(NS_DISCO_INFO, "feature", {"var": feature}))
    for form in forms:
        query.append(form)
    return query


def _no_items(iq: Iq) -> Element:
    node = iq.request().get("node")
    if node is not None:
        raise item_not_found()
    return Element(NS_DISCO_ITEMS, "query")
