"""RFC 4616: PLAIN."""

import pytest

from commonroom.protocol.sasl import (
    Challenge,
    Exchange,
    Failure,
    SaslCondition,
    Success,
    WantsPasswordCheck,
    start,
)
from tests.protocol.sasl.peer import make_context


@pytest.fixture
def exchange() -> Exchange:
    return start("PLAIN", make_context())


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"juliet",
        b"\0juliet",
        b"juliet\0pencil",
        b"\0juliet\0pencil\0",
        b"\0juliet\0pen\0cil",
        b"\0\0juliet\0pencil",
        b"\0\0pencil",
        b"\0juliet\0",
        b"\0\0",
    ],
)
def test_rfc4616_2_a_message_that_is_not_three_parts_two_of_them_full_is_malformed(
    exchange: Exchange, message: bytes
) -> None:
    assert exchange.receive(message) == Failure(SaslCondition.MALFORMED_REQUEST)


@pytest.mark.parametrize("bad", [b"\xff", b"\xc3", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
@pytest.mark.parametrize("message", [b"%s\0juliet\0pencil", b"\0juliet%s\0pencil", b"\0juliet\0pencil%s"])
def test_rfc4616_2_a_message_that_is_not_utf_8_is_malformed(
    exchange: Exchange, message: bytes, bad: bytes
) -> None:
    assert exchange.receive(message % bad) == Failure(SaslCondition.MALFORMED_REQUEST)


def test_a_message_of_more_than_8192_octets_is_malformed(exchange: Exchange) -> None:
    assert exchange.receive(b"\0juliet\0".ljust(8193, b"x")) == Failure(SaslCondition.MALFORMED_REQUEST)


@pytest.mark.parametrize(
    "authzid",
    [
        b"romeo@example.com",
        b"juliet@example.org",
        b"juliet",
        b"example.com",
        b"juliet@example.com/balcony",
        b"juliet@example.com@example.com",
        b" ",
    ],
)
def test_rfc6120_6_3_8_an_identity_other_than_the_own_bare_address_is_refused(
    exchange: Exchange, authzid: bytes
) -> None:
    assert exchange.receive(authzid + b"\0juliet\0pencil") == Failure(SaslCondition.INVALID_AUTHZID, "juliet")


def test_rfc6120_6_3_8_a_user_name_that_makes_no_address_has_no_identity(exchange: Exchange) -> None:
    outcome = exchange.receive(b"juliet@example.com\0juliet@example.com\0pencil")
    assert outcome == Failure(SaslCondition.INVALID_AUTHZID, "juliet@example.com")


def test_rfc6120_6_5_10_a_wrong_password_is_not_authorized(exchange: Exchange) -> None:
    exchange.receive(b"\0juliet\0pen")
    assert exchange.checked(False) == Failure(SaslCondition.NOT_AUTHORIZED, "juliet")


@pytest.mark.parametrize("data", [None, b"", b"\0juliet\0pencil"])
def test_rfc4616_2_a_second_message_is_malformed_and_ends_the_exchange(
    exchange: Exchange, data: bytes | None
) -> None:
    exchange.receive(b"\0juliet\0pen")
    assert exchange.receive(data) == Failure(SaslCondition.MALFORMED_REQUEST, "juliet")
    with pytest.raises(RuntimeError):
        exchange.checked(True)


@pytest.mark.parametrize("data", [None, b"", b"\0juliet\0pencil"])
def test_rfc4616_2_nothing_follows_the_outcome(exchange: Exchange, data: bytes | None) -> None:
    exchange.receive(b"malformed")
    assert exchange.receive(data) == Failure(SaslCondition.MALFORMED_REQUEST)


def test_an_answer_to_a_question_that_was_not_asked_is_a_bug_of_the_host(exchange: Exchange) -> None:
    with pytest.raises(RuntimeError):
        exchange.checked(True)
    exchange.receive(b"\0juliet\0pencil")
    with pytest.raises(RuntimeError):
        exchange.keys(None)
    exchange.checked(True)
    with pytest.raises(RuntimeError):
        exchange.checked(True)


def test_rfc4422_5_without_an_initial_response_the_first_challenge_is_empty(exchange: Exchange) -> None:
    assert exchange.receive(None) == Challenge(b"")
    assert exchange.receive(b"\0juliet\0pencil") == WantsPasswordCheck("juliet", "pencil")


def test_rfc6120_6_4_2_an_empty_initial_response_is_a_response(exchange: Exchange) -> None:
    assert exchange.receive(b"") == Failure(SaslCondition.MALFORMED_REQUEST)


def test_rfc4616_2_the_right_password_succeeds_without_additional_data(exchange: Exchange) -> None:
    assert exchange.receive(b"\0juliet\0pencil") == WantsPasswordCheck("juliet", "pencil")
    assert exchange.checked(True) == Success("juliet", None)


@pytest.mark.parametrize("authzid", [b"juliet@example.com", b"Juliet@Example.COM"])
def test_rfc6120_6_3_8_the_own_bare_address_is_accepted_however_it_is_spelt(
    exchange: Exchange, authzid: bytes
) -> None:
    assert exchange.receive(authzid + b"\0juliet\0pencil") == WantsPasswordCheck("juliet", "pencil")


def test_rfc4616_2_each_part_may_have_255_octets_of_utf_8(exchange: Exchange) -> None:
    name, password = "ü" * 127 + "u", "€" * 85
    outcome = exchange.receive(f"{name}@example.com\0{name}\0{password}".encode())
    assert outcome == WantsPasswordCheck(name, password)
