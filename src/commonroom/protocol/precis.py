"""RFC 7622 §3.2, §3.3, §3.4: the one form of each part of an address, by IDNA2008 and RFC 8265.

Each part has two ways to one result: a regular expression that knows plain ASCII, and the whole rule.
"""

import re
import unicodedata
from functools import lru_cache
from ipaddress import IPv6Address

import idna
from precis_i18n import get_profile


class InvalidJID(ValueError):  # noqa: N818 - it says what the text is
    """Not an address (RFC 7622 §4): the sender is told <jid-malformed/>."""


_MOST_OCTETS = 1023
# Limits hold after mapping, and mapping makes text shorter: normalisation composes at most three code
# points into two octets. Longer text cannot fit, and is refused before anything expensive looks at it.
_MOST_CODE_POINTS = _MOST_OCTETS * 3 // 2
_MOST_IN_DNS = 253

_USERNAME = get_profile("UsernameCaseMapped")
_OPAQUE = get_profile("OpaqueString")

_EXCLUDED_IN_LOCAL = re.compile("[\"&'/:<>@]")
_PLAIN_LOCAL = re.compile("[!#-%(-.0-9;=?A-~]{1,1023}")
_PLAIN_RESOURCE = re.compile("[ -~]{1,1023}")
_LABEL = "(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")

# The one script whose capitals are its folded form: IDNA2008 allows them and not the small letters.
_SMALL_CHEROKEE = re.compile("[\u13f8-\u13fd\uab70-\uabbf]")

# The zone of RFC 6874, which RFC 7622 §3.1 allows after an IPv6 address.
_ZONE = re.compile("(?:[A-Za-z0-9._~-]|%[0-9A-Fa-f]{2})+")
_RIGHT_TO_LEFT = frozenset(("R", "AL", "AN"))


def prepare_local(text: str) -> str:
    """Give the localpart in its one form (RFC 7622 §3.3); raises InvalidJID."""
    return text.lower() if _PLAIN_LOCAL.fullmatch(text) else enforce_local(text)


def prepare_resource(text: str) -> str:
    """Give the resourcepart in its one form (RFC 7622 §3.4); raises InvalidJID."""
    return text if _PLAIN_RESOURCE.fullmatch(text) else enforce_resource(text)


@lru_cache(maxsize=1024)
def prepare_domain(text: str) -> str:
    """Give the domainpart in its one form (RFC 7622 §3.2); raises InvalidJID.

    Few domains have many addresses: the cache lets them share one string, too.
    """
    if len(text) <= _MOST_IN_DNS and _PLAIN_DOMAIN.fullmatch(text):
        return text.lower()
    return enforce_domain(text)


def enforce_local(text: str) -> str:
    """Apply UsernameCaseMapped, then what XMPP excludes as well (RFC 8265 §3.3.3, RFC 7622 §3.3.1).

    Code points are judged after they are mapped (RFC 8264 §7, RFC 7622 §4): KELVIN SIGN is a "k".
    """
    _refuse_long("localpart", text)
    try:
        local = _USERNAME.enforce(_lower(text))
    except UnicodeEncodeError as error:
        raise InvalidJID(f"localpart: {_reason(error)}") from error
    if _EXCLUDED_IN_LOCAL.search(local):
        raise InvalidJID("localpart: none of \" & ' / : < > @ may be in it")
    return _limited("localpart", local)


def enforce_resource(text: str) -> str:
    """Apply OpaqueString (RFC 8265 §4.2.2).

    Spaces may stand at the ends: example 18 of RFC 7622 §3.5 is withdrawn by its verified erratum 4560.
    """
    _refuse_long("resourcepart", text)
    try:
        resource = _OPAQUE.enforce(text)
    except UnicodeEncodeError as error:
        raise InvalidJID(f"resourcepart: {_reason(error)}") from error
    return _limited("resourcepart", resource)


def enforce_domain(text: str) -> str:
    """Map and check a domain name (RFC 7622 §3.2.1, §3.2.2), or an IPv6 address in brackets.

    A-labels become U-labels. The DNS's limits are below those of RFC 7622 §3.2 and imply them.
    """
    _refuse_long("domainpart", text)
    name = text.removesuffix(".")
    if name.startswith("["):
        return _ip_literal(name)
    try:
        labels = [idna.ulabel(label) for label in _mapped_domain(name).split(".")]
        octets = len(b".".join(map(idna.alabel, labels)))
        _check_direction(labels)
    except UnicodeError as error:
        raise InvalidJID(f"domainpart: {error}") from error
    if octets > _MOST_IN_DNS:
        raise InvalidJID(f"domainpart: longer than {_MOST_IN_DNS} octets in the DNS")
    return ".".join(labels)


def _mapped_domain(name: str) -> str:
    """Case, width, normalisation and ideographic full stops, by RFC 5895 as RFC 7622 §3.2.2 points to it."""
    lower = _SMALL_CHEROKEE.sub(lambda letter: letter[0].upper(), _lower(name))
    mapped = unicodedata.normalize("NFC", _USERNAME.width_mapping_rule(lower))
    if len(mapped) > _MOST_IN_DNS:
        raise InvalidJID(f"domainpart: longer than {_MOST_IN_DNS} octets in the DNS")
    return mapped.replace("\N{IDEOGRAPHIC FULL STOP}", ".")


def _lower(text: str) -> str:
    """Lower-case each code point for itself, or a sigma at a word's end would be final (RFC 7622 §3.5)."""
    return "".join(map(str.lower, text))


def _check_direction(labels: list[str]) -> None:
    """A right-to-left label puts the others under the Bidi Rule, too (RFC 5893)."""
    if any(unicodedata.bidirectional(char) in _RIGHT_TO_LEFT for label in labels for char in label):
        for label in labels:
            idna.check_bidi(label, check_ltr=True)


def _ip_literal(text: str) -> str:
    """One spelling for each IPv6 address (RFC 7622 §3.1); IPv4 addresses pass as names do."""
    address, mark, zone = text[1:].removesuffix("]").partition("%25")
    if not text.endswith("]") or "%" in address or (mark and not _ZONE.fullmatch(zone)):
        raise InvalidJID("domainpart: not an IPv6 address in brackets")
    try:
        parsed = IPv6Address(address)
    except ValueError as error:
        raise InvalidJID(f"domainpart: {error}") from error
    mapped = parsed.ipv4_mapped  # str() of these differs between Python 3.12 and 3.13
    return f"[{parsed if mapped is None else f'::ffff:{mapped}'}{mark}{zone}]"


def _refuse_long(part: str, text: str) -> None:
    if len(text) > _MOST_CODE_POINTS:
        raise InvalidJID(f"{part}: longer than {_MOST_OCTETS} octets")


def _limited(part: str, text: str) -> str:
    """The limit is on what the mapping left (RFC 7622 §3.3, §3.4); the profiles refuse empty text."""
    if len(text.encode()) > _MOST_OCTETS:
        raise InvalidJID(f"{part}: longer than {_MOST_OCTETS} octets")
    return text


def _reason(error: UnicodeEncodeError) -> str:
    offender = error.object[error.start : error.end]
    where = f"U+{ord(offender):04X} " if len(offender) == 1 else ""
    return f"{where}{error.reason}"
