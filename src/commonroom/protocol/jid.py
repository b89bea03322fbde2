"""RFC 7622: XMPP addresses."""

from functools import lru_cache
from typing import Any, NoReturn

from commonroom.protocol.precis import InvalidJID, prepare_domain, prepare_local, prepare_resource
from commonroom.xml.serializer import escape_attribute

__all__ = ["JID", "InvalidJID"]

# A full cache takes 7 MiB with addresses of common length. Long ones are made anew each time, so that a
# stranger can make it 18 MiB at most. To make one anew costs 0.9 µs; that rosters share the addresses of
# their contacts saves more.
_CACHED = 16384
_LONGEST_CACHED = 128


class JID(str):
    """A valid address in its one normalised form (RFC 7622 §3). It cannot be changed.

    The string itself is that form: hashing, equality and dict look-ups run in C, and equal strings are
    equal addresses (§3.2.3, §3.3, §3.4). `local` and `resource` are None where the address has none;
    `escaped` is the address as an attribute's value where XML needs it to differ, else None.
    """

    __slots__ = ("_bare", "domain", "escaped", "local", "resource")

    _bare: "JID | None"
    local: str | None
    domain: str
    escaped: str | None
    resource: str | None

    def __new__(cls, *parts: object) -> "JID":
        """Refuse: there is no address that was not checked."""
        raise TypeError("use JID.parse or JID.of")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: the cache hands the same object to everybody."""
        raise AttributeError(f"{name} of an address cannot be changed")

    def __reduce__(self) -> tuple[Any, ...]:
        return JID.parse, (str(self),)

    @staticmethod
    def parse(text: str) -> "JID":
        """Split an address and normalise its parts (RFC 7622 §3.1, §3.2); raises InvalidJID."""
        if type(text) is JID:
            return text
        return _parse_cached(text) if len(text) <= _LONGEST_CACHED else _parse(text)

    @staticmethod
    def of(local: str | None, domain: str, resource: str | None = None) -> "JID":
        """Normalise the parts and join them (RFC 7622 §3.1); raises InvalidJID."""
        bare = _bare_jid(None if local is None else prepare_local(local), prepare_domain(domain))
        return bare if resource is None else bare.with_resource(resource)

    def with_resource(self, resource: str) -> "JID":
        """The same account or service at a resource (RFC 7622 §3.4); raises InvalidJID."""
        return _full_jid(self.bare, prepare_resource(resource))

    @property
    def bare(self) -> "JID":
        """The address without its resource; itself, if it has none."""
        # Not a reference to itself: that would leave every address to the cycle collector.
        return self._bare or self

    @property
    def is_bare(self) -> bool:
        """Whether the address has no resource."""
        return self.resource is None


def _parse(text: str) -> JID:
    # The separators are found before anything is mapped, which could make new ones (RFC 7622 §3.1);
    # the first "/" counts before the first "@" (§3.2).
    bare, slash, resource = text.partition("/")
    if slash:
        return _full_jid(JID.parse(bare), prepare_resource(resource))
    local, at, domain = text.partition("@")
    if at:
        return _bare_jid(prepare_local(local), prepare_domain(domain))
    return _bare_jid(None, prepare_domain(text))


# An exception is not cached: what is refused leaves nothing behind.
_parse_cached = lru_cache(maxsize=_CACHED)(_parse)


def _bare_jid(local: str | None, domain: str) -> JID:
    return _jid(domain if local is None else f"{local}@{domain}", None, local, domain, None)


def _full_jid(bare: JID, resource: str) -> JID:
    return _jid(f"{bare}/{resource}", bare, bare.local, bare.domain, resource)


def _jid(text: str, bare: JID | None, local: str | None, domain: str, resource: str | None) -> JID:
    jid = str.__new__(JID, text)
    keep = object.__setattr__
    keep(jid, "_bare", bare)
    keep(jid, "escaped", None if (escaped := escape_attribute(text)) == text else escaped)
    keep(jid, "local", local)
    keep(jid, "domain", domain)
    keep(jid, "resource", resource)
    return jid
