"""RFC 7622 §3.2, §3.3, §3.4, RFC 8264 and RFC 8265: the parts of addresses."""

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from commonroom.protocol.precis import (
    InvalidJID,
    enforce_domain,
    enforce_local,
    enforce_resource,
    prepare_domain,
    prepare_local,
    prepare_resource,
)

UNASSIGNED = "\u0378"
NEVER_ALLOWED = {
    "NUL": "\x00",
    "newline": "\n",
    "DELETE": "\x7f",
    "a C1 control": "\x85",
    "a lone surrogate": "\ud800",
    "a noncharacter": "\ufffe",
    "private use": "\ue000",
    "unassigned": UNASSIGNED,
    "SOFT HYPHEN": "\u00ad",
    "RIGHT-TO-LEFT OVERRIDE": "\u202e",
    "ZERO WIDTH JOINER out of context": "\u200d",
    "BYTE ORDER MARK": "\ufeff",
}


@pytest.mark.parametrize("prepare", [prepare_local, prepare_domain, prepare_resource])
@pytest.mark.parametrize("code_point", NEVER_ALLOWED.values(), ids=NEVER_ALLOWED)
def test_rfc8264_8_what_is_disallowed_in_all_classes_is_refused_in_all_parts(prepare, code_point):
    for text in (code_point, f"a{code_point}", f"{code_point}a", f"é{code_point}a"):
        with pytest.raises(InvalidJID):
            prepare(text)


# The localpart


@pytest.mark.parametrize("char", "\"&'/:<>@")
def test_rfc7622_3_3_1_excluded_characters_are_refused(char):
    with pytest.raises(InvalidJID):
        prepare_local(f"foo{char}bar")


@pytest.mark.parametrize("char", "\uff02\uff06\uff07\uff0f\uff1a\uff1c\uff1e\uff20")
def test_rfc7622_3_3_1_excluded_characters_are_refused_after_mapping(char):
    with pytest.raises(InvalidJID):
        prepare_local(f"foo{char}bar")


@pytest.mark.parametrize(
    "text",
    ["foo bar", "", "henry\u2163", "\u221e", "\u265a", "\u3000", "\u00a0", "ﬁ", "x\u00b2"],
    ids=ascii,
)
def test_rfc8265_3_6_table_2_strings_that_violate_the_userpart_rules(text):
    with pytest.raises(InvalidJID):
        prepare_local(text)


@pytest.mark.parametrize("text", ["aא", "אa", "1א", "א٣3", "א!a"], ids=ascii)
def test_rfc8265_3_3_1_mixed_directions_are_refused_by_the_bidi_rule(text):
    with pytest.raises(InvalidJID):
        prepare_local(text)


@pytest.mark.parametrize(
    "text", ["a" * 1024, "é" * 512, "漢" * 342, "a" * 1_000_000, "é" * 1_000_000], ids=len
)
def test_rfc7622_3_3_a_localpart_of_more_than_1023_octets_is_refused(text):
    with pytest.raises(InvalidJID):
        prepare_local(text)


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("a" * 1023, "a" * 1023),
        ("é" * 511, "é" * 511),
        ("\uff21" * 1023, "a" * 1023),
        ("u\u0308\u0304" * 511, "\u01d6" * 511),
    ],
    ids=["ASCII", "two octets each", "three octets each until mapped", "five octets each until composed"],
)
def test_rfc7622_3_3_the_limit_of_1023_octets_is_enforced_after_mapping(text, local):
    assert prepare_local(text) == local


@pytest.mark.parametrize(
    ("text", "local"),
    [
        ("fussball", "fussball"),
        ("fu\u00dfball", "fu\u00dfball"),
        ("\u03c0", "\u03c0"),
        ("\u03a3", "\u03c3"),
        ("\u03c3", "\u03c3"),
        ("\u03c2", "\u03c2"),
    ],
    ids=ascii,
)
def test_rfc8265_3_6_table_1_legal_userparts(text, local):
    assert prepare_local(text) == local


def test_rfc7622_3_5_a_capital_sigma_is_never_mapped_to_the_final_one():
    assert prepare_local("\u0391\u03a3") == "\u03b1\u03c3"
    assert prepare_domain("\u0391\u03a3.example") == "\u03b1\u03c3.example"


def test_rfc8265_3_3_1_width_case_and_normalization_are_mapped():
    assert prepare_local("\uff2auliet") == "juliet"
    assert prepare_local("JULIET") == "juliet"
    assert prepare_local("e\u0301") == "\u00e9"
    assert prepare_local("\uff76\uff9e") == "\u30ac"


def test_rfc8264_7_code_points_are_judged_after_they_are_mapped():
    assert prepare_local("\N{KELVIN SIGN}evin") == "kevin"
    assert prepare_local("\u1112\u1161\u11ab") == "\ud55c"


def test_rfc8265_3_3_1_one_direction_passes_the_bidi_rule():
    assert prepare_local("\u05d0\u05d1\u05d2") == "\u05d0\u05d1\u05d2"
    assert prepare_local("\u05d01") == "\u05d01"


# The resourcepart


@pytest.mark.parametrize(
    "text", ["", "a" * 1024, "é" * 512, "漢" * 342, "a" * 1_000_000, "é" * 1_000_000], ids=len
)
def test_rfc7622_3_4_a_resourcepart_of_no_or_of_more_than_1023_octets_is_refused(text):
    with pytest.raises(InvalidJID):
        prepare_resource(text)


@pytest.mark.parametrize(
    ("text", "resource"),
    [
        ("a" * 1023, "a" * 1023),
        ("e\u0301" * 511, "\u00e9" * 511),
        (" foo ", " foo "),
        ("a\u3000b\u00a0c", "a b c"),
        ("\uff21", "\uff21"),
        ("\u265a", "\u265a"),
        ("henry\u2163", "henry\u2163"),
        ("aא", "aא"),
        ("<&\"'@/:>", "<&\"'@/:>"),
    ],
    ids=[
        "1023 octets",
        "1022 octets after composition",
        "spaces",
        "other spaces",
        "width is kept",
        "symbol",
        "compatibility",
        "both directions",
        "what the localpart excludes",
    ],
)
def test_rfc8265_4_2_2_resources_are_opaque_strings(text, resource):
    assert prepare_resource(text) == resource


# The domainpart


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "example..com",
        ".example.com",
        "example.com..",
        "example.com\u3002",
        "-a.example",
        "a-.example",
        "ab--c.example",
        "foo_bar.example",
        "foo bar.example",
        "exa@mple.com",
        "example.com:5222",
        "a" * 64,
        "ü" * 60,
        ".".join(["a" * 49] * 5 + ["abcd"]),
        ".".join(["".join(chr(0x4E00 + 997 * n) for n in range(15))] * 6),
        "a." * 3000,
        "ü" * 1_000_000,
        "\u0301a",
        "\u2163.example",
        "\u265a.example",
        "exam\u2488com",
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_rfc7622_3_2_1_what_is_neither_an_ldh_label_nor_a_u_label_is_refused(text):
    with pytest.raises(InvalidJID):
        prepare_domain(text)


@pytest.mark.parametrize(
    "text",
    [
        "xn--",
        "xn--a",
        "xn--a-",
        "xn--abc-",
        "xn--99999999999",
        "xn--0",
        "xn--Xs",
        "xn--zca\u00df",
        "xn--mlab",
    ],
)
def test_rfc7622_3_2_1_a_fake_a_label_is_refused(text):
    with pytest.raises(InvalidJID):
        prepare_domain(text)


@pytest.mark.parametrize("text", ["aא.example", "1a.\u05d0\u05d1", "\u05d0\u05d1.1", "\u05d0-.a"], ids=ascii)
def test_rfc7622_3_2_1_labels_of_mixed_directions_are_refused(text):
    with pytest.raises(InvalidJID):
        prepare_domain(text)


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[]",
        "[::1",
        "::1",
        "[::1]]",
        "[[::1]]",
        "[1.2.3.4]",
        "[::g]",
        "[::1%eth0]",
        "[fe80::1%25]",
        "[v1.a]",
    ],
)
def test_rfc7622_3_1_what_is_not_an_ip_literal_is_refused(text):
    with pytest.raises(InvalidJID):
        prepare_domain(text)


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("example.com", "example.com"),
        ("Example.COM", "example.com"),
        ("localhost", "localhost"),
        ("example.com.", "example.com"),
        ("a" * 63, "a" * 63),
        ("ü" * 56, "ü" * 56),
        (".".join(["a" * 49] * 5 + ["abc"]), ".".join(["a" * 49] * 5 + ["abc"])),
        ("192.0.2.1", "192.0.2.1"),
        ("3com.example", "3com.example"),
    ],
    ids=lambda text: ascii(text)[:40],
)
def test_rfc7622_3_2_names_and_ipv4_addresses(text, domain):
    assert prepare_domain(text) == domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("xn--fuball-cta.example", "fußball.example"),
        ("XN--FUBALL-CTA.example", "fußball.example"),
        ("FUßBALL.example", "fußball.example"),
        ("u\u0308.example", "ü.example"),
        ("\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45\uff0e\uff43\uff4f\uff4d", "example.com"),
        ("例え\u3002テスト", "例え.テスト"),
        ("\u05d0\u05d1.example", "\u05d0\u05d1.example"),
        ("\u13a0\u13a1.example", "\u13a0\u13a1.example"),
        ("\uab70\uab71.example", "\u13a0\u13a1.example"),
        ("xn--f9dt7l.example", "\u13e3\u13b3\u13a9.example"),
    ],
    ids=ascii,
)
def test_rfc7622_3_2_2_names_are_mapped_to_lower_case_u_labels(text, domain):
    assert prepare_domain(text) == domain


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("[::1]", "[::1]"),
        ("[0:0:0:0:0:0:0:1]", "[::1]"),
        ("[2001:DB8::A]", "[2001:db8::a]"),
        ("[2001:db8::a].", "[2001:db8::a]"),
        ("[::FFFF:192.0.2.1]", "[::ffff:192.0.2.1]"),
        ("[::ffff:c000:201]", "[::ffff:192.0.2.1]"),
        ("[fe80::1%25eth0]", "[fe80::1%25eth0]"),
        ("[fe80::1%25a%2Fb]", "[fe80::1%25a%2Fb]"),
    ],
)
def test_rfc7622_3_1_an_ipv6_address_has_one_spelling(text, domain):
    assert prepare_domain(text) == domain


# The short cut and the whole rule are one


def outcome(function, text):
    """The result, or that there is none."""
    try:
        return function(text)
    except InvalidJID:
        return None


ascii_texts = st.text(st.characters(max_codepoint=0x7F), max_size=20)
host_like = st.text("abZ09-.", max_size=20) | st.lists(st.sampled_from(["a", "xn", "--", "-", ".", "0"])).map(
    "".join
)
MAPPABLE = (
    'aZ@/."-ßΣςİKΩẞא٣ア\u30fb。ﬁ♚ \u3000\u0301\u200d\u094d\u1100\u1161\u0378\ud800'
    "\uff76\uff9e\uff0e\uff20\uff21\u13a0\uab70"
)
mappable = st.text(st.sampled_from(MAPPABLE), max_size=20)
texts = ascii_texts | host_like | mappable | st.text(max_size=12)


@settings(max_examples=200, deadline=None)
@given(texts)
@example("a" * 1023)
@example("a" * 1024)
def test_rfc7622_3_3_the_short_cut_for_ascii_localparts_gives_what_the_whole_rule_gives(text):
    assert outcome(prepare_local, text) == outcome(enforce_local, text)


@settings(max_examples=200, deadline=None)
@given(texts)
@example("a" * 1023)
@example("a" * 1024)
def test_rfc7622_3_4_the_short_cut_for_ascii_resourceparts_gives_what_the_whole_rule_gives(text):
    assert outcome(prepare_resource, text) == outcome(enforce_resource, text)


@settings(max_examples=300, deadline=None)
@given(texts)
@example("a" * 63)
@example("a" * 64)
@example(".".join(["a" * 49] * 5 + ["abc"]))
@example(".".join(["a" * 49] * 5 + ["abcd"]))
def test_rfc7622_3_2_the_short_cut_for_ascii_domainparts_gives_what_the_whole_rule_gives(text):
    assert outcome(prepare_domain, text) == outcome(enforce_domain, text)


def test_rfc7622_3_3_the_short_cut_knows_every_ascii_character():
    for code_point in range(0x80):
        for prepare, enforce in (
            (prepare_local, enforce_local),
            (prepare_resource, enforce_resource),
            (prepare_domain, enforce_domain),
        ):
            for text in (chr(code_point), f"a{chr(code_point)}", f"a{chr(code_point)}a"):
                assert outcome(prepare, text) == outcome(enforce, text)


@settings(max_examples=300, deadline=None)
@given(texts)
def test_rfc8264_7_the_rules_are_stable_on_their_own_results(text):
    for prepare in (prepare_local, prepare_domain, prepare_resource):
        once = outcome(prepare, text)
        assert once is None or outcome(prepare, once) == once


def test_rfc8264_9_10_the_code_points_that_the_tests_call_unassigned_are():
    assert unicodedata.category(UNASSIGNED) == "Cn"
