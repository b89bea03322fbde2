"""An authority for people, and the certificates that it and others sign."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

XMPP_ADDRESS = ObjectIdentifier("1.3.6.1.5.5.7.8.5")
DAY = timedelta(days=1)


def utf8_string(text: str) -> bytes:
    """As ASN.1 has it."""
    data = text.encode()
    length = bytes([len(data)]) if len(data) < 128 else bytes([0x81, len(data)])
    return b"\x0c" + length + data


class Authority:
    """`name` is its common name, and that of the file with its certificate."""

    def __init__(self, folder: Path, name: str, above: "Authority | None" = None) -> None:
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = above or self
        builder = _builder(self.name, issuer.name, self.key, timedelta(0), DAY)
        builder = builder.add_extension(x509.BasicConstraints(True, None), True)
        self.certificate = builder.sign(issuer.key, hashes.SHA256())
        self.path = folder / f"{name}.pem"
        self.path.write_bytes(self.certificate.public_bytes(Encoding.PEM))
        self.count = 0

    def certify(
        self,
        *addresses: str,
        usage: ObjectIdentifier | None = ExtendedKeyUsageOID.CLIENT_AUTH,
        begin: timedelta = timedelta(0),
        end: timedelta = DAY,
        email: str | None = None,
        between: tuple["Authority", ...] = (),
        common_name: str = "somebody",
    ) -> Path:
        """A file with a certificate that names these addresses, those between, and the key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        builder = _builder(subject, self.name, key, begin, end)
        names: list[x509.GeneralName] = [x509.OtherName(XMPP_ADDRESS, utf8_string(a)) for a in addresses]
        if email is not None:
            names.append(x509.RFC822Name(email))
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), False)
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), False)
        certificate = builder.sign(self.key, hashes.SHA256())
        self.count += 1
        path = self.folder / f"{self.path.stem}-{self.count}.pem"
        chain = (certificate, *(each.certificate for each in between))
        pem = b"".join(each.public_bytes(Encoding.PEM) for each in chain)
        path.write_bytes(pem + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return path

    def revoke(self, *paths: Path) -> bytes:
        """Its list of the certificates in these files, and of no others."""
        now = datetime.now(UTC)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.name)
        builder = builder.last_update(now).next_update(now + DAY)
        for path in paths:
            serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
            revoked = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(now).build()
            builder = builder.add_revoked_certificate(revoked)
        return builder.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begin: timedelta,
    end: timedelta,
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begin - timedelta(hours=1))
        .not_valid_after(now + end)
    )
