"""XEP-0178, RFC 4422 Appendix A: EXTERNAL."""

from dataclasses import replace

import pytest

from commonroom.protocol.jid import JID
from commonroom.protocol.sasl import (
    Challenge,
    Exchange,
    Failure,
    SaslCondition,
    Success,
    WantsAccount,
    offered,
    start,
)
from tests.protocol.sasl.peer import make_context

JULIET, ROMEO, ALIAS = (JID.parse(f"{name}@example.com") for name in ("juliet", "romeo", "jules"))


def resolve(name: JID) -> JID:
    return JULIET if name == ALIAS else name


def exchange(*certified: JID) -> Exchange:
    context = replace(make_context(offered=("EXTERNAL", "PLAIN")), certified=certified, resolve=resolve)
    return start("EXTERNAL", context)


def test_rfc6120_6_3_4_it_is_offered_to_those_with_a_certificate_under_tls() -> None:
    assert offered(True, (), ("PLAIN",), certified=True) == ("EXTERNAL", "PLAIN")
    assert offered(True, (), ("PLAIN",)) == ("PLAIN",)
    assert offered(False, (), ("PLAIN",), certified=True) == ()
    refused = start("EXTERNAL", make_context(encrypted=False, offered=("EXTERNAL",)))
    assert refused.receive(b"") == Failure(SaslCondition.ENCRYPTION_REQUIRED)
    refused = start("EXTERNAL", make_context())
    assert refused.receive(b"") == Failure(SaslCondition.INVALID_MECHANISM)


@pytest.mark.parametrize("message", [b"\xff", b"x" * 8193])
def test_what_is_no_authorization_identity_is_malformed(message: bytes) -> None:
    assert exchange(JULIET).receive(message) == Failure(SaslCondition.MALFORMED_REQUEST)


@pytest.mark.parametrize(
    "authzid", [b"romeo@example.com", b"juliet", b"juliet@example.com/x", b"@", b"\0", b" "]
)
def test_xep0178_2_an_identity_that_the_certificate_does_not_name_is_refused(authzid: bytes) -> None:
    assert exchange(JULIET).receive(authzid) == Failure(SaslCondition.INVALID_AUTHZID)


def test_xep0178_2_of_several_identities_one_must_be_chosen() -> None:
    assert exchange(JULIET, ROMEO).receive(b"") == Failure(SaslCondition.INVALID_AUTHZID)
    assert exchange().receive(b"") == Failure(SaslCondition.INVALID_AUTHZID)
    assert exchange(JULIET, ROMEO).receive(b"romeo@example.com") == WantsAccount("romeo")


def test_xep0178_2_the_only_identity_need_not_be_said() -> None:
    for message in (b"", b"juliet@example.com", b"Juliet@EXAMPLE.com", b"jules@example.com"):
        assert exchange(JULIET).receive(message) == WantsAccount("juliet")


def test_rfc4422_5_without_an_initial_response_it_is_asked_for() -> None:
    asked = exchange(JULIET)
    assert asked.receive(None) == Challenge(b"")
    assert asked.receive(b"") == WantsAccount("juliet")


def test_whether_the_account_is_there_decides() -> None:
    for exists, outcome in (
        (True, Success("juliet", None)),
        (False, Failure(SaslCondition.NOT_AUTHORIZED, "juliet")),
    ):
        asked = exchange(JULIET)
        asked.receive(b"")
        assert asked.found(exists) == outcome
        assert asked.receive(b"") == Failure(SaslCondition.MALFORMED_REQUEST, "juliet")
        with pytest.raises(RuntimeError):
            asked.found(True)
