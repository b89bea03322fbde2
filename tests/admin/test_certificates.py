"""Operations on certificates, and DNS records."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from commonroom.admin.certificates import check, dns_records, request, self_signed, show_certificates
from commonroom.admin.errors import AdminError, BadAddress, BadArgument
from commonroom.app.certificates import expiries, warn_now
from commonroom.config import ListenAddress, Settings
from commonroom.config.c2s import C2s
from commonroom.config.components import Component, Components
from commonroom.config.federation import Federation
from commonroom.config.tls import DomainTls, Tls
from commonroom.net.certificate_facts import facts, verdict
from commonroom.net.certificates import CertificateError, Severity, create_self_signed
from tests.admin.registries import DOMAINS, done, registry

NOW = datetime.now(UTC)
OFFICE = registry(now=lambda: NOW)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(domains=DOMAINS, state=tmp_path)


def authority(path: Path, domain: str, days: int = 90) -> Path:
    """A certificate for a domain that an authority of ours signed; gives the authority's list."""
    key, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Our authority")])
    root = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=200))
        .not_valid_after(NOW + timedelta(days=900))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    leaf = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(2)
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(leaf.public_bytes(Encoding.PEM))
    secret = own.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.with_name("key.pem").write_bytes(secret)
    path.with_name("key.pem").chmod(0o600)
    bundle = path.with_name("authorities.pem")
    bundle.write_bytes(root.public_bytes(Encoding.PEM))
    return bundle


def _usage(signs: bool) -> x509.KeyUsage:
    rest = dict.fromkeys(
        (
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ),
        False,
    )
    return x509.KeyUsage(key_cert_sign=signs, **rest)


def test_what_cannot_be_read_is_told(settings: Settings) -> None:
    with pytest.raises(AdminError, match="there is no such file"):
        done(show_certificates(settings, OFFICE))
    (advice,) = done(check(settings, OFFICE))
    assert advice.severity is Severity.ERROR


def test_a_domain_that_is_not_served_has_no_certificate(settings: Settings) -> None:
    for operation in (self_signed, request):
        with pytest.raises(BadAddress, match="is not served here"):
            done(operation(settings, OFFICE, "example.net"))
    assert list(settings.state.iterdir()) == []


@pytest.mark.parametrize("days", [0, 36_501, 1_000_000_000])
def test_a_time_that_no_certificate_has_is_refused(settings: Settings, days: int) -> None:
    with pytest.raises(BadArgument, match="days: write a number from 1 to 36500"):
        done(self_signed(settings, OFFICE, days=days))
    assert list(settings.state.iterdir()) == []


def test_nothing_is_written_over(settings: Settings) -> None:
    done(self_signed(settings, OFFICE))
    before = (settings.state / "certificate.pem").read_bytes()
    with pytest.raises(AdminError, match="exists already"):
        done(self_signed(settings, OFFICE))
    assert (settings.state / "certificate.pem").read_bytes() == before


def test_a_key_that_is_none_makes_no_request(settings: Settings) -> None:
    (settings.state / "key.pem").write_text("nothing")
    with pytest.raises(AdminError, match="this is not a key in PEM form"):
        done(request(settings, OFFICE))


def test_rfc6120_13_7_1_2_1_every_form_of_every_name_is_there_the_rooms_as_well(settings: Settings) -> None:
    done(self_signed(settings, OFFICE))
    (shown,) = done(show_certificates(settings, OFFICE))
    hosts = {name for domain in DOMAINS for name in (domain, f"group.{domain}")}
    assert set(shown.dns) == set(shown.xmpp) == hosts
    assert set(shown.srv) == {f"_xmpp-{side}.{host}" for side in ("client", "server") for host in hosts}
    assert (shown.key, shown.days_left, set(shown.used_for)) == ("EC, secp256r1", 364, hosts)
    assert shown.used_for[: len(DOMAINS)] == DOMAINS
    found = done(check(settings, OFFICE))
    assert {advice.severity for advice in found} == {Severity.NOTE}
    told = " ".join(advice.text for advice in found)
    assert "its key is EC, secp256r1; it ends on " in told
    for host in hosts:
        assert f"it names {host} (DNS, SRVName, XmppAddr)" in told


@pytest.mark.parametrize("is_federated", [False, True])
def test_rfc6120_13_7_1_2_1_domains_that_are_missing_are_told_of_rooms_and_components_too(
    settings: Settings, is_federated: bool
) -> None:
    components = Components(domains={"irc.example.net": Component("a long secret")})
    wanted = replace(
        settings, components=components, federation=replace(settings.federation, enabled=is_federated)
    )
    create_self_signed(settings.state / "certificate.pem", settings.state / "key.pem", DOMAINS[:1], NOW)
    found = {advice.text: advice.severity for advice in done(check(wanted, OFFICE))}
    severity = {
        host: found[text]
        for text in found
        for host in [text.partition("does not name ")[2].partition(",")[0]]
    }
    elsewhere = Severity.WARNING if is_federated else Severity.NOTE
    assert severity[DOMAINS[1]] is Severity.WARNING
    assert severity[f"group.{DOMAINS[0]}"] is severity["irc.example.net"] is elsewhere
    assert any(f"not for {DOMAINS[1]}" in text for text, each in found.items() if each is Severity.ERROR)


def test_rfc6120_13_7_1_2_1_a_wildcard_stands_for_rooms_and_dns_names_are_enough(settings: Settings) -> None:
    authority(settings.state / "certificate.pem", "*.example.org")
    wanted = replace(settings, domains=("chat.example.org",), rooms=replace(settings.rooms, enabled=False))
    told = " ".join(advice.text for advice in done(check(wanted, OFFICE)))
    assert "it names chat.example.org (DNS); SRVName and XmppAddr would do as well" in told


COMPONENTS = Components(domains={"irc.example.org": Component(), "gateway.example": Component()})


def test_components_are_named_checked_and_have_records(settings: Settings) -> None:
    done(self_signed(settings, OFFICE))
    beside = replace(settings, components=COMPONENTS, federation=Federation(enabled=True))
    notes = [each.text for each in done(check(beside, OFFICE)) if "does not name" in each.text]
    assert [text.partition("name ")[2].partition(",")[0] for text in notes] == [*COMPONENTS.domains]
    for path in settings.state.glob("*.pem"):
        path.unlink()
    done(self_signed(beside, OFFICE))
    (shown,) = done(show_certificates(beside, OFFICE))
    assert {*shown.dns} > {*COMPONENTS.domains}
    assert not [each for each in done(check(beside, OFFICE)) if "does not name" in each.text]
    records = done(dns_records(beside, None, 60))
    assert all(any(f"_tcp.{name}. " in line for line in records) for name in COMPONENTS.domains)
    assert not any("_xmpp-client._tcp.irc" in line for line in records)


def test_a_request_names_the_same_and_keeps_the_key(settings: Settings) -> None:
    first = done(request(settings, OFFICE))
    key = Path(first.key).read_bytes()
    assert Path(first.key).stat().st_mode & 0o777 == 0o600
    second = x509.load_pem_x509_csr(done(request(settings, OFFICE)).request.encode())
    assert Path(first.key).read_bytes() == key
    names = second.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert set(names.get_values_for_type(x509.DNSName)) >= set(DOMAINS)
    assert len(names.get_values_for_type(x509.OtherName)) == 3 * 2 * len(DOMAINS)
    assert second.is_signature_valid


def test_other_keys_sign_requests_as_well(settings: Settings) -> None:
    made = ed25519.Ed25519PrivateKey.generate()
    pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (settings.state / "key.pem").write_bytes(pem)
    assert "BEGIN CERTIFICATE REQUEST" in done(request(settings, OFFICE)).request


def test_a_domain_with_files_of_its_own(settings: Settings, tmp_path: Path) -> None:
    own = DomainTls(tmp_path / "own.pem", tmp_path / "own-key.pem")
    both = replace(settings, tls=replace(Tls(), domains={DOMAINS[1]: own}))
    assert done(self_signed(both, OFFICE, DOMAINS[1])).certificate == str(own.certificate)
    done(self_signed(both, OFFICE))
    first, second = done(show_certificates(both, OFFICE))
    both_of_them = [(domain, f"group.{domain}") for domain in DOMAINS]
    assert [first.used_for, second.used_for] == both_of_them


def test_what_clients_say_is_tried(tmp_path: Path) -> None:
    bundle = authority(tmp_path / "c.pem", "example.org")
    assert verdict(tmp_path / "c.pem", "example.org", NOW, (bundle,)) == ""
    assert verdict(tmp_path / "c.pem", "example.net", NOW, (bundle,))
    assert verdict(tmp_path / "c.pem", "example.org", NOW + timedelta(days=200), (bundle,))
    assert "has no list" in verdict(tmp_path / "c.pem", "example.org", NOW, (tmp_path / "none",))


def test_a_certificate_that_clients_do_not_trust_is_warned_of(settings: Settings) -> None:
    authority(settings.state / "certificate.pem", DOMAINS[0], days=10)
    found = done(check(replace(settings, domains=DOMAINS[:1]), OFFICE))
    text = " ".join(advice.text for advice in found)
    assert "a client that trusts this machine's authorities will object for example.org" in text
    assert "expires in" in text
    assert "it does not name group.example.org" in text
    assert facts(settings.state / "certificate.pem").issuer == "CN=Our authority"


def test_an_end_that_comes_is_warned_of_in_good_time(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    create_self_signed(settings.state / "certificate.pem", settings.state / "key.pem", DOMAINS, NOW, 30)
    ends = expiries(settings)
    for days, told in ((1, ""), (10, "expires soon"), (31, "has expired")):
        caplog.clear()
        warn_now(ends, NOW + timedelta(days=days))
        assert told in caplog.text
        assert bool(caplog.text) == bool(told)
    (settings.state / "certificate.pem").write_text("torn")
    assert expiries(settings) == {}
    with pytest.raises(CertificateError):
        facts(settings.state / "certificate.pem")


def test_rfc6120_3_2_1_records_for_clients_servers_and_rooms() -> None:
    c2s = replace(C2s(), listen=(ListenAddress("::", 5222),), listen_direct_tls=())
    federation = Federation(enabled=True, listen=(ListenAddress("::", 5269),), listen_direct_tls=())
    settings = Settings(domains=("bücher.example",), c2s=c2s, federation=federation)
    assert done(dns_records(settings, "chat.example.org", 60)) == (
        "_xmpp-client._tcp.xn--bcher-kva.example. 60 IN SRV 5 0 5222 chat.example.org.",
        "_xmpp-server._tcp.xn--bcher-kva.example. 60 IN SRV 5 0 5269 chat.example.org.",
        "_xmpp-server._tcp.group.xn--bcher-kva.example. 60 IN SRV 5 0 5269 chat.example.org.",
    )
    assert done(dns_records(replace(settings, federation=Federation()), None, 60))[1:] == (
        "_xmpp-server._tcp.xn--bcher-kva.example. 60 IN SRV 0 0 0 .",
        "_xmpp-server._tcp.group.xn--bcher-kva.example. 60 IN SRV 0 0 0 .",
    )
