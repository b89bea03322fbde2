"""RFC 5802 §5: what is refused in a client-first-message, and of its host."""

import pytest

from commonroom.protocol.sasl import Exchange, Failure, SaslCondition, WantsKeys, start
from commonroom.protocol.sasl.scram_keys import ScramKeys
from tests.protocol.sasl.peer import challenged, keys_of, make_context

FIRST = b"n,,n=juliet,r=fyko+d2lbbFgONRv9qkxdawL"
BOUND_FIRST = FIRST.replace(b"n,", b"p=tls-exporter,", 1)
MALFORMED = Failure(SaslCondition.MALFORMED_REQUEST)
MALFORMED_LATER = Failure(SaslCondition.MALFORMED_REQUEST, "juliet")
# For the binding: nothing of the account was looked at.
UNBOUND = Failure(SaslCondition.MALFORMED_REQUEST, "juliet", is_attempt=False)
DOWNGRADED = Failure(SaslCondition.NOT_AUTHORIZED, "juliet", is_attempt=False)
INVALID_AUTHZID = Failure(SaslCondition.INVALID_AUTHZID, "juliet")


@pytest.fixture
def exchange() -> Exchange:
    return start("SCRAM-SHA-256", make_context())


@pytest.fixture
def bound_exchange() -> Exchange:
    return start("SCRAM-SHA-256-PLUS", make_context())


@pytest.fixture
def keys() -> ScramKeys:
    return keys_of("pencil", "SHA-256")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"=",
        b"n",
        b"n,,",
        b"n,n=juliet,r=abc",
        b"n,,r=abc",
        b"n,,n=juliet",
        b"n,,n=juliet,",
        b"n,,n=juliet,r=abc,",
        b"n,,r=abc,n=juliet",
        b"n,,n=juliet,n=romeo,r=abc",
        b"n,,x=1,n=juliet,r=abc",
        b"n,,juliet,r=abc",
        b"n,,N=juliet,R=abc",
        b"n,,n=juliet,r=abc,r=abc",
        b"n,,n=juliet,r=abc,c=biws",
        b"n,,n=juliet,r=abc,xy=1",
        b"n,,n=juliet,r=abc,1=1",
        b"n,,n=juliet,r=abc,x=",
        b"n,,n=juliet,r=abc,x=\0",
        b"n,juliet@example.com,n=juliet,r=abc",
        b"n,a=,n=juliet,r=abc",
        b" n,,n=juliet,r=abc",
        b"n,,n=juliet,r=abc\n",
        b"c=biws,r=abc,p=AAAA",
    ],
)
def test_rfc5802_7_attributes_missing_unknown_or_out_of_order_are_malformed(
    exchange: Exchange, message: bytes
) -> None:
    assert exchange.receive(message) == MALFORMED


@pytest.mark.parametrize(
    "flag", [b"", b"N", b"x", b"ny", b"p", b"p=", b"p=tls exporter", b"p=t\xc3\xa9", b"F,n"]
)
@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"])
def test_rfc5802_5_a_message_that_does_not_start_with_a_known_flag_is_malformed(
    name: str, flag: bytes
) -> None:
    assert start(name, make_context()).receive(FIRST.replace(b"n", flag, 1)) == MALFORMED


@pytest.mark.parametrize(
    "username", [b"=", b"=2", b"=2c", b"=3d", b"=3E", b"a=b", b"==2C", b"=2C=", b"", b"\0"]
)
def test_rfc5802_5_1_a_user_name_with_a_bad_escape_or_nothing_in_it_is_malformed(
    exchange: Exchange, username: bytes
) -> None:
    assert exchange.receive(b"n,,n=" + username + b",r=abc") == MALFORMED


@pytest.mark.parametrize("nonce", [b"", b" ", b"a b", b"a\tb", b"a\x7fb", b"\xc3\xa9", b"a\0b"])
def test_rfc5802_5_1_a_nonce_that_is_not_printable_ascii_is_malformed(
    exchange: Exchange, nonce: bytes
) -> None:
    assert exchange.receive(b"n,,n=juliet,r=" + nonce) == MALFORMED


@pytest.mark.parametrize("bad", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80"])
@pytest.mark.parametrize("message", [b"n,,n=%s,r=abc", b"n,a=%s,n=juliet,r=abc", b"n,,n=juliet,r=abc,x=%s"])
def test_rfc5802_7_a_message_that_is_not_utf_8_is_malformed(
    exchange: Exchange, message: bytes, bad: bytes
) -> None:
    assert exchange.receive(message % bad) == MALFORMED


@pytest.mark.parametrize("message", [b"n,,m=1,n=juliet,r=abc", b"n,,n=juliet,r=abc,m=1"])
def test_rfc5802_5_1_a_mandatory_extension_fails(exchange: Exchange, message: bytes) -> None:
    assert exchange.receive(message) == MALFORMED


@pytest.mark.parametrize("data", [None, b"", FIRST])
def test_a_message_while_keys_are_looked_up_ends_the_exchange(
    exchange: Exchange, keys: ScramKeys, data: bytes | None
) -> None:
    exchange.receive(FIRST)
    assert exchange.receive(data) == MALFORMED_LATER
    with pytest.raises(RuntimeError):
        exchange.keys(keys)


def test_a_message_of_more_than_8192_octets_is_malformed(exchange: Exchange) -> None:
    assert exchange.receive(FIRST.ljust(8193, b"x")) == MALFORMED


@pytest.mark.parametrize("flag", [b"n", b"y"])
def test_rfc5802_6_a_bound_mechanism_without_the_binding_is_malformed(
    bound_exchange: Exchange, flag: bytes
) -> None:
    assert bound_exchange.receive(FIRST.replace(b"n", flag, 1)) == UNBOUND


def test_rfc5802_6_a_binding_in_an_unbound_mechanism_is_malformed(exchange: Exchange) -> None:
    assert exchange.receive(BOUND_FIRST) == UNBOUND


@pytest.mark.parametrize("name", ["SCRAM-SHA-256", "SCRAM-SHA-1", "SCRAM-SHA-512"])
def test_rfc5802_6_a_client_that_missed_the_offered_binding_is_refused(name: str) -> None:
    assert start(name, make_context()).receive(FIRST.replace(b"n", b"y", 1)) == DOWNGRADED


@pytest.mark.parametrize("binding_type", [b"tls-unique", b"TLS-EXPORTER", b"tls-exporter."])
def test_rfc5802_6_a_binding_type_that_is_not_supported_is_refused(
    bound_exchange: Exchange, binding_type: bytes
) -> None:
    assert bound_exchange.receive(BOUND_FIRST.replace(b"tls-exporter", binding_type)) == DOWNGRADED


def test_rfc5802_7_a_binding_without_data_is_a_bug_of_the_host_and_binds_nothing() -> None:
    exchange = start("SCRAM-SHA-256-PLUS", make_context(channel_bindings={"tls-exporter": lambda: b""}))
    with pytest.raises(ValueError, match="tls-exporter"):
        exchange.receive(BOUND_FIRST)
    assert exchange.receive(BOUND_FIRST) == MALFORMED


@pytest.mark.parametrize(
    "authzid",
    [b"romeo@example.com", b"juliet@example.org", b"juliet", b"juliet@example.com/x", b"=", b"=2c", b"a=b@c"],
)
def test_rfc6120_6_5_6_an_identity_that_is_not_ones_own_or_badly_written_is_refused(
    exchange: Exchange, authzid: bytes
) -> None:
    assert exchange.receive(FIRST.replace(b",,", b",a=" + authzid + b",")) == INVALID_AUTHZID


def test_rfc5802_5_1_an_identity_is_escaped_like_a_user_name(exchange: Exchange) -> None:
    first = b"n,a=a=b@example.com,n=a=3Db,r=abc"
    assert exchange.receive(first) == Failure(SaslCondition.INVALID_AUTHZID, "a=b")
    escaped = start("SCRAM-SHA-256", make_context()).receive(first.replace(b"a=a=b", b"a=a=3Db"))
    assert escaped == WantsKeys("a=b", "SHA-256")


def test_keys_for_another_hash_are_a_bug_of_the_host(exchange: Exchange) -> None:
    exchange.receive(FIRST)
    with pytest.raises(ValueError, match="SHA-1"):
        exchange.keys(keys_of(hash_name="SHA-1"))


def test_keys_that_were_not_asked_for_are_a_bug_of_the_host(exchange: Exchange, keys: ScramKeys) -> None:
    with pytest.raises(RuntimeError):
        exchange.keys(keys)
    challenged(exchange, FIRST, keys)
    with pytest.raises(RuntimeError):
        exchange.keys(keys)
    with pytest.raises(RuntimeError):
        exchange.checked(True)
