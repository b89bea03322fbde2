"""RFC 6125, RFC 6120 §13.7, XEP-0178: whose certificate proves what."""

from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from commonroom.federation.certificates import Authorities, Presented, asn_1_string, describe, names
from commonroom.net.certificates import SRV_NAME, XMPP_ADDRESS, CertificateError
from tests.lab.authority import BOTH, DAY, SERVER, Authority, Issued, other_name, self_signed

DOMAIN = "example.net"
SRV, XMPP = SRV_NAME.dotted_string, XMPP_ADDRESS.dotted_string
IA5, UTF8 = 0x16, 0x0C


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def trusted(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Authorities:
    return Authorities(authority.write(tmp_path_factory.mktemp("ca") / "ca.pem"))


def why(trusted: Authorities, issued: Issued, domain: str = DOMAIN) -> str | None:
    return Presented(trusted, issued.chain).distrust(domain)


# Who vouches for it


def test_nobody_is_proved_by_nothing(trusted: Authorities):
    assert Presented(trusted, []).distrust(DOMAIN) == "it presented none"


def test_a_certificate_that_signs_itself_is_told(trusted: Authorities):
    assert why(trusted, self_signed(DOMAIN)) == "it is self-signed: nobody vouches for it"


def test_an_expired_one_is_told_with_its_date(trusted: Authorities, authority: Authority):
    issued = authority.issue(DOMAIN, end=timedelta(hours=-1))
    assert why(trusted, issued) == f"it expired on {issued.certificate.not_valid_after_utc:%Y-%m-%d}"


def test_one_from_tomorrow_is_told(trusted: Authorities, authority: Authority):
    assert "valid only from" in (why(trusted, authority.issue(DOMAIN, begin=DAY, end=2 * DAY)) or "")


def test_an_unknown_authority_is_named(trusted: Authorities):
    stranger = Authority("Others")
    assert "Others" in (why(trusted, stranger.issue(DOMAIN)) or "")
    whole = stranger.issue(DOMAIN)
    assert "not among the trusted authorities" in (why(trusted, whole) or "")
    with_root = Issued((*whole.chain, stranger.root), whole.key)
    assert why(trusted, with_root) == "it leads to Others, which is not among the trusted authorities"


def test_missing_certificates_above_are_guessed_at(trusted: Authorities, authority: Authority):
    whole = authority.issue(DOMAIN)
    alone = Issued(whole.chain[:1], whole.key)
    assert "does not send the certificates above its own" in (why(trusted, alone) or "")


def test_a_certificate_of_ordinary_people_is_no_authority(trusted: Authorities, authority: Authority):
    """Who has a certificate cannot make others (basicConstraints)."""
    mine = authority.issue("evil.example")
    forger = Authority("forger", depth=0)
    forger._signer, forger._signer_name = mine.key, mine.certificate.subject
    forged = forger.issue(DOMAIN)
    assert why(trusted, Issued((*forged.chain, *mine.chain), forged.key)) is not None


def test_a_certificate_itself_can_be_trusted(tmp_path: Path):
    issued = self_signed(DOMAIN)
    issued.write(tmp_path / "c.pem", tmp_path / "k.pem")
    assert why(Authorities(tmp_path / "c.pem"), issued) is None


def test_a_file_without_certificates_is_refused(tmp_path: Path):
    (tmp_path / "empty.pem").write_text("nothing")
    with pytest.raises(CertificateError, match=r"federation\.authorities"):
        Authorities(tmp_path / "empty.pem")


# What it is for


@pytest.mark.parametrize("uses", [BOTH, SERVER, (ExtendedKeyUsageOID.CLIENT_AUTH,), None])
def test_xep0178_3_one_for_servers_alone_does_on_both_sides(
    trusted: Authorities, authority: Authority, uses: tuple[x509.ObjectIdentifier, ...] | None
):
    assert why(trusted, authority.issue(DOMAIN, uses=uses)) is None


def test_one_for_mail_does_not(trusted: Authorities, authority: Authority):
    issued = authority.issue(DOMAIN, uses=(ExtendedKeyUsageOID.EMAIL_PROTECTION,))
    assert why(trusted, issued) == "it was not issued for TLS (extendedKeyUsage)"


# Whom it names


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("example.net", "example.net"),
        ("EXAMPLE.net", "example.net"),
        ("*.example.net", "rooms.example.net"),
        ("xn--bcher-kva.example", "bücher.example"),
        (other_name(SRV, IA5, "_xmpp-server.example.net"), "example.net"),
        (other_name(SRV, IA5, "_xmpp-server.xn--bcher-kva.example"), "bücher.example"),
        (other_name(XMPP, UTF8, "example.net"), "example.net"),
        (other_name(XMPP, UTF8, "bücher.example"), "bücher.example"),
    ],
)
def test_rfc6125_6_4_names_that_are_the_domain(
    trusted: Authorities, authority: Authority, name: str | x509.GeneralName, domain: str
):
    assert why(trusted, authority.issue(name), domain) is None


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("example.com", "example.net"),
        ("net", "example.net"),
        ("example.net.evil.example", "example.net"),
        ("*.example.net", "example.net"),
        ("*.example.net", "a.b.example.net"),
        ("r*.example.net", "rooms.example.net"),
        ("*.*.example.net", "a.b.example.net"),
        ("rooms.*.net", "rooms.example.net"),
        ("*", "example.net"),
        (other_name(SRV, IA5, "_xmpp-client.example.net"), "example.net"),
        (other_name(SRV, IA5, "_sip.example.net"), "example.net"),
        (other_name(SRV, UTF8, "_xmpp-server.example.net"), "example.net"),
        (other_name(XMPP, UTF8, "juliet@example.net"), "example.net"),
        (other_name(XMPP, UTF8, "example.net/resource"), "example.net"),
        (other_name(XMPP, IA5, "example.net"), "example.net"),
        (other_name("1.2.3.4", UTF8, "example.net"), "example.net"),
        (other_name(XMPP, UTF8, "example.net\0.evil.example"), "example.net"),
        (x509.UniformResourceIdentifier("xmpp:example.net"), "example.net"),
        (x509.RFC822Name("juliet@example.net"), "example.net"),
    ],
)
def test_rfc6125_6_4_names_that_are_not(
    trusted: Authorities, authority: Authority, name: str | x509.GeneralName, domain: str
):
    assert "not for" in (why(trusted, authority.issue(name), domain) or "")


def test_rfc6120_13_7_1_2_1_the_common_name_does_not_count(trusted: Authorities, authority: Authority):
    issued = authority.issue(common_name=DOMAIN)
    assert why(trusted, issued) == "it is for no domain at all, not for example.net"


@pytest.mark.parametrize(
    "der",
    [b"", b"\x0c", b"\x0c\x05abc", b"\x0c\x80", b"\x0c\x84\xff\xff\xff\xff", b"\x0c\x01\xff", b"\x16\x01a"],
)
def test_what_is_no_such_asn_1_string_is_nothing(der: bytes):
    assert asn_1_string(der, UTF8) == ""


def test_it_is_described_for_people(authority: Authority):
    text = describe(authority.issue("a.example", "b.example").certificate)
    assert text.startswith("for a.example, b.example, by Test Authority below, until 20")


def test_a_long_list_of_names_is_cut(authority: Authority):
    issued = authority.issue(*(f"d{number}.example" for number in range(9)))
    assert str(names(issued.certificate)).endswith("and 4 more")
