"""RFC 4422, RFC 6120 §6: which mechanisms are offered, and which may be started."""

import pytest

from commonroom.protocol.sasl import (
    MECHANISMS,
    Failure,
    SaslCondition,
    WantsKeys,
    WantsPasswordCheck,
    offered,
    start,
)
from tests.protocol.sasl.peer import SCRAM_MECHANISMS, UNBOUND_MECHANISMS, make_context

TYPES = ("tls-exporter", "tls-server-end-point")


@pytest.mark.parametrize("name", ["", "CRAM-MD5", "plain", "SCRAM-SHA-1-PLUS ", "SCRAM-MD5", "EXTERNAL"])
@pytest.mark.parametrize("data", [None, b"", b"n,,n=juliet,r=abc"])
def test_rfc6120_6_5_7_a_mechanism_that_is_not_supported_is_refused(name: str, data: bytes | None) -> None:
    assert start(name, make_context()).receive(data) == Failure(SaslCondition.INVALID_MECHANISM, None)


@pytest.mark.parametrize("name", SCRAM_MECHANISMS)
def test_rfc6120_6_5_7_a_mechanism_that_was_not_offered_is_refused(name: str) -> None:
    context = make_context(offered=tuple(other for other in SCRAM_MECHANISMS if other != name))
    assert start(name, context).receive(b"n,,n=juliet,r=abc") == Failure(SaslCondition.INVALID_MECHANISM)


@pytest.mark.parametrize("names", [(), ("PLAIN",)])
def test_rfc6120_6_5_4_plain_without_encryption_is_refused_even_if_it_was_offered(
    names: tuple[str, ...],
) -> None:
    exchange = start("PLAIN", make_context(encrypted=False, offered=names))
    assert exchange.receive(b"\0juliet\0pencil") == Failure(SaslCondition.ENCRYPTION_REQUIRED)


def test_a_refused_exchange_asks_for_nothing_and_stays_refused() -> None:
    exchange = start("CRAM-MD5", make_context())
    assert exchange.receive(None) == exchange.receive(b"again") == Failure(SaslCondition.INVALID_MECHANISM)
    with pytest.raises(RuntimeError):
        exchange.keys(None)
    with pytest.raises(RuntimeError):
        exchange.checked(True)


def test_rfc6120_13_8_3_plain_is_not_offered_without_encryption() -> None:
    assert "PLAIN" not in offered(False, TYPES, tuple(MECHANISMS))


def test_rfc5802_6_only_the_unbound_variants_are_offered_without_a_channel_binding() -> None:
    assert offered(True, (), tuple(MECHANISMS)) == UNBOUND_MECHANISMS


def test_rfc5802_6_both_variants_are_offered_with_one_strongest_first() -> None:
    assert offered(True, TYPES[1:], tuple(reversed(MECHANISMS))) == (*SCRAM_MECHANISMS, "PLAIN")


def test_rfc5802_6_the_bound_variant_alone_can_be_the_policy() -> None:
    assert offered(True, TYPES, ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS")) == (
        "SCRAM-SHA-256-PLUS",
        "SCRAM-SHA-1-PLUS",
    )


def test_only_what_is_configured_and_can_be_spoken_is_offered() -> None:
    assert offered(True, TYPES, ("GSSAPI", "PLAIN", "SCRAM-SHA-256")) == ("SCRAM-SHA-256", "PLAIN")
    assert offered(True, TYPES, ()) == ()


@pytest.mark.parametrize("name", SCRAM_MECHANISMS)
def test_rfc5802_4_the_mechanism_name_names_the_hash(name: str) -> None:
    flag = b"p=tls-exporter" if name.endswith("-PLUS") else b"n"
    outcome = start(name, make_context()).receive(flag + b",,n=juliet,r=abc")
    assert outcome == WantsKeys("juliet", name.removeprefix("SCRAM-").removesuffix("-PLUS"))


@pytest.mark.parametrize("name", MECHANISMS)
def test_rfc4422_3_1_mechanism_names_have_at_most_20_characters(name: str) -> None:
    assert len(name) <= 20


def test_rfc6120_6_5_every_condition_has_its_name() -> None:
    assert {condition.value for condition in SaslCondition} == {
        "aborted",
        "account-disabled",
        "credentials-expired",
        "encryption-required",
        "incorrect-encoding",
        "invalid-authzid",
        "invalid-mechanism",
        "malformed-request",
        "mechanism-too-weak",
        "not-authorized",
        "temporary-auth-failure",
    }


def test_no_secret_shows_in_a_representation() -> None:
    assert "pencil" not in repr(WantsPasswordCheck("juliet", "pencil"))
    assert "juliet" in repr(WantsPasswordCheck("juliet", "pencil"))
    assert "a secret of the server" not in repr(make_context())
