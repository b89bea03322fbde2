"""XEP-0077: In-Band Registration, closed: accounts come from the institution."""

from commonroom.core.feature import Feature, Scope, Xep, on_iq
from commonroom.protocol.errors import StanzaError, not_allowed
from commonroom.protocol.stanza import Iq
from commonroom.xml.element import Element
from commonroom.xml.names import NS_REGISTER

NS_OOB = "jabber:x:oob"


class ClosedRegistration(Feature):
    """Says where accounts come from and where passwords are changed, in the operator's words.

    `instructions` and `password_page` (a URL) may be empty.
    """

    xep = Xep("0077", "2.4")

    def __init__(self, instructions: str, password_page: str) -> None:
        self._instructions = instructions
        self._password_page = password_page

    @on_iq("get", NS_REGISTER, "query", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def explain(self, iq: Iq, at: object) -> Element:
        """Registered already; here is where to go for the rest (XEP-0077 §3.1, §5)."""
        query = Element(NS_REGISTER, "query", None, Element(NS_REGISTER, "registered"))
        assert iq.sender is not None
        query.append(Element(NS_REGISTER, "username", None, iq.sender.local or ""))
        query.append(Element(NS_REGISTER, "instructions", None, self._instructions))
        if self._password_page:
            query.append(Element(NS_OOB, "x", None, Element(NS_OOB, "url", None, self._password_page)))
        return query

    @on_iq("set", NS_REGISTER, "query", to=(Scope.SERVER, Scope.OWN_ACCOUNT))
    def refuse(self, iq: Iq, at: object) -> None:
        """No password is changed and no account removed from here (XEP-0077 §3.2, §3.3)."""
        raise closed(
            self._password_page and f"passwords are changed at {self._password_page}", self._instructions
        )


def closed(*reasons: str) -> StanzaError:
    """The refusal of registration, with the first reason that the operator gave."""
    return not_allowed(next((reason for reason in reasons if reason), None))
