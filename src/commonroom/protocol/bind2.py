"""XEP-0386: Bind 2: a resource and what its session needs, in one request, version 1.1.0."""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable
from typing import NamedTuple

from commonroom.protocol.jid import JID
from commonroom.xml.element import Element
from commonroom.xml.names import NS_BIND2

# Octets of what the server puts into a resource: as good as unique among those of an account, and not to be
# guessed by strangers (RFC 6120 §13.10.2).
NAME_BYTES = 9


class BindRequest(NamedTuple):
    """What a client asks for (XEP-0386 §3.2).

    `resources` are names for it, the first that can be one counts; `client` is the installation's id, if it
    has one. `features` are elements of other namespaces.
    """

    resources: tuple[str, ...]
    client: str | None
    features: tuple[Element, ...]


def read_bind(
    element: Element, account: JID, client: str | None, secret: bytes, random: Callable[[int], bytes]
) -> BindRequest:
    """The request, and the resource's name: the tag as it is, and behind it a name of ours (XEP-0386 §3.2.1).

    The same client gets the same name as long as it sends the same tag. Its id is not to be seen in it.
    """
    tag = element.child_text(NS_BIND2, "tag") or ""
    if client is None:
        name = random(NAME_BYTES)
    else:
        name = hmac.digest(secret, f"resource\0{account}\0{client}\0{tag}".encode(), "sha256")[:NAME_BYTES]
    ours = urlsafe_b64encode(name).decode()
    features = tuple(child for child in element.elements() if child.namespace != NS_BIND2)
    return BindRequest((f"{tag}/{ours}", ours) if tag else (ours,), client, features)


def feature(namespaces: Iterable[str]) -> Element:
    """What a stream announces: what can be switched on with a session (XEP-0386 §3.1)."""
    features = [Element(NS_BIND2, "feature", {"var": namespace}) for namespace in namespaces]
    return Element(NS_BIND2, "bind", None, Element(NS_BIND2, "inline", None, *features))


def bound(answers: Iterable[Element]) -> Element:
    """The session is there; what the features answer (XEP-0386 §3.2.1)."""
    return Element(NS_BIND2, "bound", None, *answers)
