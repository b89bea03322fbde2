"""XEP-0157, XEP-0128: Contact Addresses for XMPP Services."""

from collections.abc import Mapping

from commonroom.core.feature import Feature, Xep
from commonroom.protocol.dataforms import result_form
from commonroom.xml.element import Element

FORM_TYPE = "http://jabber.org/network/serverinfo"


class Contact(Feature):
    """Tells whom to turn to, in the server's disco#info (XEP-0157 §3, XEP-0128 §2).

    `addresses` maps a role (admin, abuse …) to its URIs; roles without any are left out.
    """

    xep = Xep("0157", "1.1.1")

    def __init__(self, addresses: Mapping[str, tuple[str, ...]]) -> None:
        self._forms = contact_form(addresses)

    def disco_forms(self) -> tuple[Element, ...]:
        return self._forms


def contact_form(addresses: Mapping[str, tuple[str, ...]]) -> tuple[Element, ...]:
    """What goes with a service's disco#info; nothing, if there are no addresses."""
    fields = {f"{role}-addresses": uris for role, uris in addresses.items() if uris}
    return (result_form(FORM_TYPE, fields),) if fields else ()
