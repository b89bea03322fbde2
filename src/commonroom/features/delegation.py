"""XEP-0355: Namespace Delegation: who is told of it, and what is not delegated."""

from commonroom.core.components import Outlet
from commonroom.core.delegations import Delegations
from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.core.local import LocalDomain
from commonroom.protocol.delegation import advertised
from commonroom.protocol.errors import feature_not_implemented, forbidden
from commonroom.protocol.jid import JID
from commonroom.protocol.stanza import Iq, Message, Stanza
from commonroom.xml.names import NS_DELEGATION


class NamespaceDelegation(Feature):
    """Tells components what they manage: what the operator has written, and nothing else (XEP-0355 §9)."""

    xep = Xep("0355", "0.5")
    disco = (NS_DELEGATION,)

    def __init__(self, delegations: Delegations) -> None:
        self._delegations = delegations

    @on_iq("get", NS_DELEGATION, "query", to=Scope.SERVER)
    def refuse(self, iq: Iq, domain: LocalDomain) -> None:
        """Whoever wants to manage something for one account: there is no client mode here (XEP-0355 §9).

        The namespace of delegation itself is never delegated (XEP-0355 §8).
        """
        wanted = [each.get("namespace") for each in iq.request().elements() if each.name == "delegate"]
        if NS_DELEGATION in wanted:
            raise forbidden("this namespace is nobody else's")
        raise feature_not_implemented()

    # Components come and go

    def greeting(self, domain: str) -> list[Stanza]:
        """Which namespaces it manages, for each domain (XEP-0355 §4.2)."""
        entity = JID.of(None, domain)
        greetings: list[Stanza] = []
        for name, managed in sorted(self._delegations.table.items()):
            its = [delegation for delegation in managed.values() if delegation.entity == entity]
            if its:
                told = advertised(its)
                greetings.append(
                    Message(to=entity, sender=JID.of(None, name), id="delegations", children=[told])
                )
        return greetings

    def arrived(self, domain: str, outlet: Outlet) -> None:
        """It is asked what it can do (XEP-0355 §7.2)."""
        self._delegations.arrived(JID.of(None, domain))

    def left(self, domain: str) -> None:
        """What it can do is not to be had any more."""
        self._delegations.left(JID.of(None, domain))
