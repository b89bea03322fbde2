"""XEP-0115: Entity Capabilities: the verification string."""

import base64
import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from commonroom.protocol.dataforms import form_fields
from commonroom.xml.element import Element

NS_CAPS = "http://jabber.org/protocol/caps"


class Identity(NamedTuple):
    """Who an entity says it is (XEP-0030 §3.1)."""

    category: str
    type: str
    language: str = ""
    name: str = ""


def verification_string(
    identities: Iterable[Identity], features: Iterable[str], forms: Iterable[Element]
) -> str:
    """Hash what disco#info says, in the one order in which everybody does (XEP-0115 §5.1)."""
    parts = ["/".join(identity) for identity in sorted(identities, key=lambda i: _octets(*i[:3]))]
    parts += sorted(features, key=_octets)
    for fields in sorted((form_fields(form) for form in forms), key=lambda f: _octets(*f["FORM_TYPE"])):
        parts += fields.pop("FORM_TYPE")
        for var in sorted(fields, key=_octets):
            parts += [var, *sorted(fields[var], key=_octets)]
    text = "".join(part + "<" for part in parts)
    return base64.b64encode(hashlib.sha1(text.encode(), usedforsecurity=False).digest()).decode()


def _octets(*texts: str) -> tuple[bytes, ...]:
    """The collation i;octet (XEP-0115 §5.1)."""
    return tuple(text.encode() for text in texts)
