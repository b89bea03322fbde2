"""RFC 7622: XMPP addresses."""

import copy
import pickle

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commonroom.protocol import jid as module
from commonroom.protocol.jid import JID, InvalidJID

TABLE_2 = {
    "16 quotation marks in localpart": '"juliet"@example.com',
    "17 space in localpart": "foo bar@example.com",
    # 18, a leading space in the resourcepart, is withdrawn by the verified erratum 4560.
    "19 zero-length localpart and resourcepart": "@example.com/",
    "20 ROMAN NUMERAL FOUR": "henry\u2163@example.com",
    "21 BLACK CHESS KING": "\u265a@example.com",
    "22 a localpart without a domainpart": "juliet@",
    "23 a resourcepart without a domainpart": "/foobar",
}

TABLE_1 = {
    "1 bare": ("juliet@example.com", "juliet", "example.com", None),
    "2 full": ("juliet@example.com/foo", "juliet", "example.com", "foo"),
    "3 single space": ("juliet@example.com/foo bar", "juliet", "example.com", "foo bar"),
    "4 at sign": ("juliet@example.com/foo@bar", "juliet", "example.com", "foo@bar"),
    "5 escaped space": ("foo\\20bar@example.com", "foo\\20bar", "example.com", None),
    "6 bare": ("fussball@example.com", "fussball", "example.com", None),
    "7 sharp s": ("fu\u00dfball@example.com", "fu\u00dfball", "example.com", None),
    "8 pi": ("\u03c0@example.com", "\u03c0", "example.com", None),
    "9 capital sigma": ("\u03a3@example.com/foo", "\u03c3", "example.com", "foo"),
    "10 sigma": ("\u03c3@example.com/foo", "\u03c3", "example.com", "foo"),
    "11 final sigma": ("\u03c2@example.com/foo", "\u03c2", "example.com", "foo"),
    "12 black chess king": ("king@example.com/\u265a", "king", "example.com", "\u265a"),
    "13 domain": ("example.com", None, "example.com", None),
    "14 domain and resource": ("example.com/foobar", None, "example.com", "foobar"),
    "15 at sign after slash": ("a.example.com/b@example.net", None, "a.example.com", "b@example.net"),
}


@pytest.mark.parametrize("text", TABLE_2.values(), ids=TABLE_2)
def test_rfc7622_3_5_table_2_strings_that_violate_the_rules(text):
    with pytest.raises(InvalidJID):
        JID.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@",
        "/",
        "@/",
        "@example.com",
        "example.com/",
        "juliet@example.com/",
        "juliet@/foo",
        "@/foo",
        "a@b@c",
    ],
)
def test_rfc7622_3_1_no_part_may_be_empty_and_no_second_at_sign_may_follow(text):
    with pytest.raises(InvalidJID):
        JID.parse(text)


@pytest.mark.parametrize("text", ["juliet\uff20example.com", "example.com\uff0ffoo"])
def test_rfc7622_3_1_separators_are_matched_before_mapping(text):
    with pytest.raises(InvalidJID):
        JID.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 1024 + "@example.com",
        "a@" + "b" * 254,
        "example.com/" + "r" * 1024,
        "a" * 5_000_000,
        "/" * 5_000_000,
    ],
    ids=["localpart", "domainpart", "resourcepart", "huge domainpart", "huge resourcepart"],
)
def test_rfc7622_3_1_long_parts_are_refused_and_not_remembered(text):
    before = module._parse_cached.cache_info().currsize
    with pytest.raises(InvalidJID):
        JID.parse(text)
    assert module._parse_cached.cache_info().currsize == before


@pytest.mark.parametrize("parts", [("", "example.com", None), (None, "", None), (None, "example.com", "")])
def test_rfc7622_3_1_parts_that_are_given_may_not_be_empty_either(parts):
    with pytest.raises(InvalidJID):
        JID.of(*parts)
    with pytest.raises(InvalidJID):
        JID.parse("example.com").with_resource("")


def test_rfc7622_4_what_is_refused_is_not_remembered():
    JID.parse("example.com")
    before = module._parse_cached.cache_info().currsize
    for text in ("foo bar@example.com", "example.com/\x01", "exam_ple.com"):
        with pytest.raises(InvalidJID):
            JID.parse(text)
    assert module._parse_cached.cache_info().currsize == before


def test_rfc7622_3_1_long_addresses_are_valid_but_not_remembered():
    text = "a" * 1023 + "@" + "b" * 63 + "/" + "c" * 1023
    before = module._parse_cached.cache_info().currsize
    assert JID.parse(text) == text
    assert module._parse_cached.cache_info().currsize == before


def test_addresses_cannot_be_made_unchecked_or_changed():
    with pytest.raises(TypeError):
        JID("Juliet@example.com")
    jid = JID.parse("juliet@example.com/balcony")
    for name in ("local", "domain", "resource", "bare", "_bare", "other"):
        with pytest.raises(AttributeError):
            setattr(jid, name, "nurse")
    assert not hasattr(jid, "__dict__")


@pytest.mark.parametrize(("text", "local", "domain", "resource"), TABLE_1.values(), ids=TABLE_1)
def test_rfc7622_3_5_table_1_legal_jids(text, local, domain, resource):
    jid = JID.parse(text)
    assert (jid.local, jid.domain, jid.resource) == (local, domain, resource)
    assert jid == text.replace("\u03a3", "\u03c3")
    assert jid == JID.of(local, domain, resource)


def test_rfc7622_3_5_example_18_a_leading_space_is_allowed_as_erratum_4560_says():
    assert JID.parse("juliet@example.com/ foo").resource == " foo"


def test_rfc7622_3_5_examples_6_7_9_10_11_which_of_them_match():
    assert JID.parse("fussball@example.com") != JID.parse("fu\u00dfball@example.com")
    assert JID.parse("\u03a3@example.com/foo") == JID.parse("\u03c3@example.com/foo")
    assert JID.parse("\u03c3@example.com/foo") != JID.parse("\u03c2@example.com/foo")


def test_rfc7622_3_2_the_first_slash_counts_before_the_first_at_sign():
    jid = JID.parse("mercutio@example.net//@//")
    assert (jid.local, jid.domain, jid.resource) == ("mercutio", "example.net", "/@//")


def test_rfc7622_3_2_3_addresses_are_compared_after_normalisation():
    jid = JID.parse("JULIET@xn--fuball-cta.EXAMPLE./Balcony")
    assert jid == "juliet@fußball.example/Balcony"
    assert {str(jid): 1}[jid] == 1
    assert hash(jid) == hash(str(jid))


def test_rfc6120_1_4_bare_addresses():
    full, bare, service = (JID.parse(text) for text in ("a@example.com/r", "a@example.com", "example.com"))
    assert full.bare == bare
    assert full.bare.local is full.local
    assert bare.bare is bare
    assert service.bare is service
    assert (full.is_bare, bare.is_bare, service.is_bare) == (False, True, True)
    assert JID.parse("example.com/r").bare == service


def test_rfc7622_3_4_another_resource_of_the_same_account():
    full = JID.parse("juliet@example.com/balcony")
    assert full.with_resource("chamber") == "juliet@example.com/chamber"
    assert full.bare.with_resource("e\u0301") == "juliet@example.com/\u00e9"
    assert full.with_resource("chamber").bare is full.bare
    with pytest.raises(InvalidJID):
        full.with_resource("\x00")


def test_parsing_gives_the_same_object_again():
    jid = JID.parse("juliet@example.com/balcony")
    assert JID.parse("juliet@example.com/balcony") is jid
    assert JID.parse(jid) is jid
    assert JID.parse("juliet@example.com/chamber").bare is jid.bare
    assert JID.parse("juliet@twice.example").domain is JID.parse("romeo@twice.example").domain


@pytest.mark.parametrize(
    "text", ["juliet@example.com/balcony", "juliet@example.com", "example.com", "example.com/r"]
)
def test_addresses_survive_copying_and_pickling(text):
    jid = JID.parse(text)
    pickled = (
        pickle.loads(pickle.dumps(jid, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)
    )
    for twin in (copy.copy(jid), copy.deepcopy(jid), copy.deepcopy([jid])[0], *pickled):
        assert type(twin) is JID
        assert (twin, twin.local, twin.domain, twin.resource) == (jid, jid.local, jid.domain, jid.resource)


def test_an_address_is_text_like_any_other():
    jid = JID.parse("juliet@example.com")
    assert type(str(jid)) is str
    assert f"<{jid}>" == "<juliet@example.com>"
    assert "".join([jid, "/", "r"]) == "juliet@example.com/r"
    assert sorted([jid, JID.parse("example.com")]) == ["example.com", "juliet@example.com"]


def parsed(text):
    """The address, or that it is none."""
    try:
        return JID.parse(text)
    except InvalidJID:
        return None


ODD = (
    'aZ@/.[]:"-ßΣςİKΩא٣ア。ﬁ♚ \u3000\u0301\u200d\u094d\u1100\u1161'
    "\uff76\uff9e\uff0e\uff20\uff0f\uff21\u13a0\uab70"
)
odd = st.text(st.sampled_from(ODD), max_size=12)
part = st.text("abZ09-.", min_size=1, max_size=8) | odd
address = (
    st.builds("{}@{}/{}".format, part, part, part) | st.builds("{}@{}".format, part, part) | odd | st.text()
)


@settings(max_examples=400, deadline=None)
@given(address)
@example("\u13a0\u13a1.example")
@example("\u13a0@\u13a0.example/\u13a0")
def test_rfc7622_3_2_3_the_normal_form_is_its_own_normal_form(text):
    jid = parsed(text)
    if jid is not None:
        again = JID.parse(str(jid))
        assert (again, again.local, again.domain, again.resource) == (
            jid,
            jid.local,
            jid.domain,
            jid.resource,
        )


@settings(max_examples=300, deadline=None)
@given(st.none() | part, part, st.none() | part)
def test_rfc7622_3_1_the_normal_form_tells_its_parts(local, domain, resource):
    try:
        jid = JID.of(local, domain, resource)
    except InvalidJID:
        return
    again = JID.parse(str(jid))
    assert (again.local, again.domain, again.resource) == (jid.local, jid.domain, jid.resource)


@settings(max_examples=100, deadline=None)
@given(address)
def test_rfc7622_3_1_the_parts_of_an_address_make_the_address(text):
    jid = parsed(text)
    if jid is not None:
        assert JID.of(jid.local, jid.domain, jid.resource) == jid
        assert jid.bare == JID.of(jid.local, jid.domain)
