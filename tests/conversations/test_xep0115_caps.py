"""XEP-0115: Entity Capabilities: the two examples of §5, and what the order of things must not change."""

import itertools

from commonroom.protocol.caps import Identity, verification_string
from commonroom.protocol.dataforms import NS_DATA, result_form
from commonroom.xml.element import Element

FEATURES = [
    "http://jabber.org/protocol/caps",
    "http://jabber.org/protocol/disco#info",
    "http://jabber.org/protocol/disco#items",
    "http://jabber.org/protocol/muc",
]
IDENTITIES = [
    Identity("client", "pc", "en", "Psi 0.11"),
    Identity("client", "pc", "el", "\u03a8 0.11"),
]
FORM = result_form(
    "urn:xmpp:dataforms:softwareinfo",
    {
        "ip_version": ("ipv4", "ipv6"),
        "os": ("Mac",),
        "os_version": ("10.5.1",),
        "software": ("Psi",),
        "software_version": ("0.11",),
    },
)


def test_xep0115_5_2_the_simple_example():
    identity = Identity("client", "pc", name="Exodus 0.9.1")
    assert verification_string([identity], FEATURES, []) == "QgayPKawpkPSDYmwT/WM94uAlu0="


def test_xep0115_5_3_the_complex_example():
    assert verification_string(IDENTITIES, FEATURES, [FORM]) == "q07IKJEyjvHSyhy//CH0CxmKi8w="


def test_xep0115_5_1_the_order_in_which_things_are_said_does_not_matter():
    fields = FORM.elements()
    other = Element(NS_DATA, "x", {"type": "result"}, *reversed(fields))
    for field in other.elements():
        field.children.reverse()
    for features in itertools.permutations(FEATURES):
        found = verification_string(reversed(IDENTITIES), features, [other])
        assert found == "q07IKJEyjvHSyhy//CH0CxmKi8w="


def test_xep0115_5_1_forms_are_sorted_by_their_type():
    forms = [result_form(f"urn:{name}", {"x": (name,)}) for name in "bca"]
    found = {verification_string(IDENTITIES, FEATURES, order) for order in itertools.permutations(forms)}
    assert len(found) == 1


def test_xep0115_5_1_sorting_is_by_octets():
    """Not by code points as UTF-16 has them: U+FF5E comes before U+1F600 in UTF-8."""
    features = ["\U0001f600", "\uff5e", "a", "Z"]
    expected = verification_string([Identity("a", "b")], ["Z", "a", "\uff5e", "\U0001f600"], [])
    assert verification_string([Identity("a", "b")], features, []) == expected
