"""XEP-0220 and XEP-0185: dialback's elements and keys."""

import pytest

from commonroom.protocol.dialback import (
    DialbackKeys,
    Outcome,
    Pair,
    Verification,
    Verified,
    read_key,
    read_outcome,
    read_pair,
    result_answer,
    result_request,
    verify_answer,
    verify_request,
)
from commonroom.protocol.errors import StreamCondition, StreamError
from commonroom.xml.element import Element
from commonroom.xml.parser import parse_fragment

DB = " xmlns:db='jabber:server:dialback'"


def read(text: str) -> Element:
    return parse_fragment(
        text.replace("<db:result", f"<db:result{DB}").replace("<db:verify", f"<db:verify{DB}"), ""
    )


def test_xep0185_3_the_example():
    keys = DialbackKeys(b"s3cr3tf0rd14lb4ck")
    key = keys.make(Pair("example.org", "xmpp.example.com"), "D60000229F")
    assert key == "37c69b1cf07a3f67c04a5ef5902fa5114f2c76fe4a2686482ba5b89323075643"


def test_xep0220_2_1_1_the_example():
    keys = DialbackKeys(b"s3cr3tf0rd14lb4ck")
    key = keys.make(Pair("capulet.example", "montague.example"), "D60000229F")
    assert key == "b4835385f37fe2895af6c196b59097b16862406db80559900d96bf6fa7d23df3"


@pytest.mark.parametrize(
    ("pair", "stream_id"),
    [
        (Pair("example.org", "example.com"), "other"),
        (Pair("example.org", "other.example.com"), "id"),
        (Pair("other.example.org", "example.com"), "id"),
        (Pair("example.com", "example.org"), "id"),
    ],
)
def test_xep0220_2_2_2_a_key_is_for_one_stream_of_one_pair(pair: Pair, stream_id: str):
    keys = DialbackKeys(b"secret")
    key = keys.make(Pair("example.org", "example.com"), "id")
    assert keys.is_ours(Verification(Pair("example.org", "example.com"), "id", key))
    assert not keys.is_ours(Verification(pair, stream_id, key))


def test_a_key_that_is_no_ascii_is_not_ours():
    assert not DialbackKeys(b"secret").is_ours(Verification(Pair("a", "b"), "id", "ключ"))


@pytest.mark.parametrize(
    "missing", ["from='a' ", "to='b' ", "from='a/r' to='b' ", "from='a' to='c@b' ", "from='' to='b' "]
)
def test_xep0220_2_1_1_both_addresses_are_domains(missing: str):
    with pytest.raises(StreamError) as caught:
        read_pair(read(f"<db:result {missing}>key</db:result>"))
    assert caught.value.condition is StreamCondition.IMPROPER_ADDRESSING


def test_domains_are_normalised():
    assert read_pair(read("<db:result from='EXAMPLE.org' to='Bücher.example'/>")) == Pair(
        "example.org", "bücher.example"
    )


def test_a_key_is_read_without_the_blanks_around_it():
    assert read_key(read("<db:result>\n  abc\n</db:result>")) == "abc"


def test_a_key_is_not_endless():
    with pytest.raises(StreamError):
        read_key(read(f"<db:result>{'a' * 2000}</db:result>"))


def test_xep0220_2_5_errors_are_read_with_their_condition():
    text = (
        "<db:result type='error'><error type='cancel'>"
        "<item-not-found xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/>"
        "<text xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'>who?</text></error></db:result>"
    )
    assert read_outcome(read(text)) == Verified(Outcome.ERROR, "item-not-found", "who?")


@pytest.mark.parametrize("inside", ["", "<error/>", "<error xmlns='x'><a/></error>"])
def test_an_error_without_a_condition_is_one(inside: str):
    assert read_outcome(read(f"<db:verify type='error'>{inside}</db:verify>")) == Verified(
        Outcome.ERROR, "undefined-condition"
    )


@pytest.mark.parametrize("kind", ["", " type='maybe'"])
def test_what_has_no_known_type_is_no_answer(kind: str):
    assert read_outcome(read(f"<db:result{kind}/>")) is None


def test_xep0220_2_the_prefix_is_used():
    pair, request = Pair("a.example", "b.example"), Verification(Pair("a.example", "b.example"), "'id'", "k")
    assert result_request(pair, "k") == "<db:result from='a.example' to='b.example'>k</db:result>"
    assert (
        verify_request(request)
        == "<db:verify from='b.example' to='a.example' id='&apos;id&apos;'>k</db:verify>"
    )
    valid, invalid = Verified(Outcome.VALID), Verified(Outcome.INVALID)
    assert result_answer(pair, valid) == "<db:result from='b.example' to='a.example' type='valid'/>"
    assert (
        verify_answer(pair, "7", invalid)
        == "<db:verify from='b.example' to='a.example' id='7' type='invalid'/>"
    )


def test_xep0220_2_5_an_error_is_written_with_its_condition():
    answer = read(result_answer(Pair("a.example", "b.example"), Verified(Outcome.ERROR, "forbidden", "no")))
    assert read_outcome(answer) == Verified(Outcome.ERROR, "forbidden", "no")
