"""slixmpp logs in: STARTTLS and direct TLS, every mechanism, and what must not work."""

import ssl
from collections.abc import Callable

import pytest

from .people import Person
from .slix import LoginError

MECHANISMS = ("PLAIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512")
BOUND_MECHANISMS = ("SCRAM-SHA-1-PLUS", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512-PLUS")

Needs = Callable[[str], None]
direct_and_starttls = pytest.mark.parametrize("direct_tls", [False, True], ids=["starttls", "direct-tls"])


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_slixmpp_is_not_authorized_with_a_wrong_password(mechanism: str, needs: Needs, romeo: Person) -> None:
    needs(mechanism)
    with pytest.raises(LoginError, match=r"^not-authorized$"):
        romeo.login(password="arise-fair-sun", mechanism=mechanism)


@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_slixmpp_is_not_authorized_without_an_account(mechanism: str, needs: Needs, nobody: Person) -> None:
    needs(mechanism)
    with pytest.raises(LoginError, match=r"^not-authorized$"):
        nobody.login(mechanism=mechanism)


@direct_and_starttls
def test_slixmpp_refuses_a_certificate_it_was_not_given(direct_tls: bool, romeo: Person) -> None:
    """The other tests verify the certificate, or this would not fail."""
    with pytest.raises(LoginError, match="CERTIFICATE_VERIFY_FAILED"):
        romeo.login(direct_tls=direct_tls, trusts_server=False)


@direct_and_starttls
@pytest.mark.parametrize("mechanism", MECHANISMS)
def test_slixmpp_logs_in(mechanism: str, direct_tls: bool, needs: Needs, romeo: Person) -> None:
    needs(mechanism)
    client = romeo.login("garden", mechanism=mechanism, direct_tls=direct_tls)
    assert client.jid == f"{romeo.jid}/garden"


@pytest.mark.parametrize("mechanism", BOUND_MECHANISMS)
def test_slixmpp_logs_in_bound_to_its_channel(mechanism: str, needs: Needs, romeo: Person) -> None:
    """Up to TLS 1.2, where Python's ssl can bind; slixmpp then uses tls-unique (RFC 5929 §3)."""
    needs(mechanism)
    client = romeo.login("garden", mechanism=mechanism, newest_tls=ssl.TLSVersion.TLSv1_2)
    assert client.jid == f"{romeo.jid}/garden"


@pytest.mark.parametrize("newest_tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_slixmpp_logs_in_with_the_mechanism_it_likes_best(newest_tls: ssl.TLSVersion, romeo: Person) -> None:
    client = romeo.login("garden", mechanism=None, newest_tls=newest_tls)
    assert client.jid == f"{romeo.jid}/garden"


def test_slixmpp_gets_a_resource_from_the_server_when_it_asks_for_none(romeo: Person) -> None:
    """RFC 6120 §7.6: two clients that leave the choice to the server get different resources."""
    one, other = romeo.login(""), romeo.login("")
    assert one.bare_jid == other.bare_jid == romeo.jid
    assert len({one.jid, other.jid, romeo.jid}) == 3
