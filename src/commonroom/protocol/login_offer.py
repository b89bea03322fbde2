"""RFC 6120 §6.4.1, XEP-0388 §2.1: what a stream offers before its client is logged in, in both profiles."""

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from commonroom.protocol import bind2, fast
from commonroom.protocol.sasl import offered
from commonroom.protocol.sasl.downgrade import protection
from commonroom.protocol.sasl.hashed_token import mechanisms as token_mechanisms
from commonroom.protocol.sasl.negotiation import announcement
from commonroom.protocol.stream_management import FEATURE as MANAGEMENT
from commonroom.protocol.upgrade_names import announced
from commonroom.xml.element import Element
from commonroom.xml.names import NS_CLIENT, NS_SASL2
from commonroom.xml.serializer import serialize


class LoginOffer(NamedTuple):
    """The mechanisms of SASL, and those for tokens; tasks (XEP-0480); how all of it is announced.

    `protection` is a digest of what SCRAM protects, for each hash (XEP-0474 §6.1).
    """

    mechanisms: tuple[str, ...]
    fast: tuple[str, ...]
    upgrades: tuple[str, ...]
    protection: Mapping[str, str]
    announcement: str


def login_offer(
    configured: Collection[str],
    channel_bindings: tuple[str, ...],
    inline: Iterable[str],
    with_tokens: bool,
    upgrades: tuple[str, ...] = (),
    certified: bool = False,
) -> LoginOffer:
    """What to offer on an encrypted connection. `inline`: what can be switched on with a resource."""
    names = offered(True, channel_bindings, tuple(configured), certified)
    tokens = token_mechanisms(channel_bindings) if with_tokens else ()
    is_bound = any(name.endswith("-PLUS") for name in names)
    text = announcement(names, channel_bindings)
    features = [MANAGEMENT, bind2.feature(inline)]
    if tokens:
        features.append(fast.feature(tokens))
    text += serialize(_authentication(names, features, upgrades), NS_CLIENT)
    return LoginOffer(names, tokens, upgrades, protection(names, channel_bindings if is_bound else ()), text)


def _authentication(names: Iterable[str], inline: Iterable[Element], upgrades: Iterable[str]) -> Element:
    """What SASL2 announces (XEP-0388 §2.1, XEP-0480 §2.1)."""
    mechanisms = [Element(NS_SASL2, "mechanism", None, name) for name in names]
    features = Element(NS_SASL2, "inline", None, *inline)
    return Element(NS_SASL2, "authentication", None, *mechanisms, features, *announced(upgrades))
