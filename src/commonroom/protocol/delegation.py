"""XEP-0355: Namespace Delegation: requests that a component answers instead of the server, in admin mode."""

from collections.abc import Iterable
from typing import NamedTuple

from commonroom.protocol.forward import NS_FORWARD, forwarded
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, IqType
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_DELEGATION, NS_DISCO_INFO, NS_DISCO_ITEMS

# Stand for what is asked of accounts about nodes that the server does not know (XEP-0355 §7.2.4, §7.2.5).
REST_OF_INFO = f"{NS_DELEGATION}:bare:disco#info:*"
REST_OF_ITEMS = f"{NS_DELEGATION}:bare:disco#items:*"
RESTS = {NS_DISCO_INFO: REST_OF_INFO, NS_DISCO_ITEMS: REST_OF_ITEMS}


class Delegation(NamedTuple):
    """A namespace that `entity` manages: the requests whose payload has all of these attributes."""

    namespace: str
    attributes: tuple[str, ...]
    entity: JID

    def fits(self, request: Element) -> bool:
        """Whether a request of the namespace is delegated (XEP-0355 §4.1)."""
        return all(name in request.attributes for name in self.attributes)


class BadAnswerError(Exception):
    """What the component says is no answer to the request; the text says why, for the log."""


def advertised(delegations: Iterable[Delegation]) -> Element:
    """What a component is told that it manages, once it is connected (XEP-0355 §4.2)."""
    told = Element(NS_DELEGATION, "delegation")
    for each in delegations:
        attributes = (Element(NS_DELEGATION, "attribute", {"name": name}) for name in each.attributes)
        told.append(Element(NS_DELEGATION, "delegated", {"namespace": each.namespace}, *attributes))
    return told


def delegated(iq: Iq) -> Element:
    """The request as the component gets it (XEP-0355 §4.3)."""
    return Element(NS_DELEGATION, "delegation", None, forwarded(iq))


def answer_to(request: Iq, reply: Iq) -> Iq:
    """The answer that a component's reply wraps; raises BadAnswerError for whatever else (XEP-0355 §4.3)."""
    if reply.type is not IqType.RESULT:
        raise BadAnswerError("an error")
    delegation = reply.child(NS_DELEGATION, "delegation")
    wrapper = None if delegation is None else delegation.child(NS_FORWARD, "forwarded")
    element = None if wrapper is None else wrapper.child(NS_CLIENT, "iq")
    if element is None:
        raise BadAnswerError("it wraps no iq")
    # Deviation: no 'from' is as good as the right one, because the answers in the examples of XEP-0355
    # §7.2.4 and §7.2.5 have none although the requests have a 'to'.
    expected: dict[str, tuple[str | None, ...]] = {
        "type": (IqType.RESULT.value,),
        "id": (request.id,),
        "to": (request.sender,),
        "from": (None, *_asked(request)),
    }
    for name, values in expected.items():
        if element.get(name) not in values:
            raise BadAnswerError(f"the wrong {name!r}")
    answer = request.result()
    answer.children = element.children
    return answer


def _asked(request: Iq) -> tuple[str, ...]:
    """Whom the request was for; without a `to` that is its sender's account or server (XEP-0355 §4.3)."""
    if request.to is not None:
        return (request.to,)
    return () if request.sender is None else (request.sender.bare, request.sender.domain)


def node_of(namespace: str, bare: bool) -> str:
    """Where a component tells what it can do for the server, or for each account (XEP-0355 §7.2)."""
    return f"{NS_DELEGATION}{':bare:' if bare else '::'}{namespace}"


def belongs_to(feature: str, namespace: str) -> bool:
    """Whether it is announced for this namespace: it is that, or says more of it behind a #."""
    return feature == namespace or feature.startswith(f"{namespace}#")
