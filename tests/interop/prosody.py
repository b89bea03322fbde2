"""Prosody as a private reference server: a test that fails with it as well is wrong about the client."""

import shutil
import socket
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .server import ServerUnderTest
from .waiting import wait_until

CONFIGURATION = """
run_as_root = true
pidfile = "{folder}/prosody.pid"
data_path = "{folder}"
log = {{ debug = "*console" }}
interfaces = {{ "{host}" }}
c2s_ports = {{ {starttls_port} }}
c2s_direct_tls_ports = {{ {tls_port} }}
c2s_direct_tls_ssl = {{ key = "{folder}/key.pem", certificate = "{folder}/certificate.pem" }}
ssl = {{ key = "{folder}/key.pem", certificate = "{folder}/certificate.pem" }}
c2s_require_encryption = true
network_settings = {{ nagle = false }}
authentication = "internal_plain"
modules_enabled = {{
    "roster", "saslauth", "tls", "disco", "offline", "posix",
    "time", "version", "ping", "private", "lastactivity", "uptime",
    "smacks", "carbons", "mam",
}}
modules_disabled = {{ "s2s" }}
VirtualHost "{domain}"
"""


class Prosody(ServerUnderTest):
    """Debian's package, run from a folder of its own."""

    lacks: ClassVar[Mapping[str, str]] = {
        "SCRAM-SHA-512": "Prosody 0.12 knows SHA-1 and SHA-256 only",
        "SCRAM-SHA-512-PLUS": "Prosody 0.12 knows SHA-1 and SHA-256 only",
        "durable": "after a kill, Prosody 0.12 did not deliver all that it had acknowledged",
    }

    @property
    def certificate(self) -> Path:
        return self.folder / "certificate.pem"

    def prepare(self) -> None:
        assert shutil.which("prosody"), "the program prosody is not installed"
        write_self_signed(self.domain, self.certificate, self.folder / "key.pem")
        (self.folder / "prosody.cfg.lua").write_text(CONFIGURATION.format_map(self._settings()))
        accounts = self.folder / self.domain / "accounts"
        accounts.mkdir(parents=True)
        for name, password in self.accounts.items():
            (accounts / f"{name}.dat").write_text(f'return {{ ["password"] = "{password}" }};\n')

    def command(self) -> Sequence[str | Path]:
        return ("prosody", "-F", "--config", self.folder / "prosody.cfg.lua")

    def is_ready(self) -> bool:
        return all(self._accepts(port) for port in (self.starttls_port, self.tls_port))

    def stop(self) -> None:
        """Wait until Prosody sleeps first: a signal in the middle of a write makes it lose what follows."""
        wait_until(lambda: self.process_state() == "S", "Prosody to be idle")
        super().stop()

    def _accepts(self, port: int) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex((self.host, port)) == 0

    def _settings(self) -> dict[str, object]:
        return {
            "folder": self.folder,
            "host": self.host,
            "domain": self.domain,
            "starttls_port": self.starttls_port,
            "tls_port": self.tls_port,
        }


def write_self_signed(domain: str, certificate: Path, key: Path) -> None:
    """Make a key and a certificate for the domain (subjectAltName, RFC 6125 §6.4) that signs itself."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, domain)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(name, name, private.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(domain)]), critical=False)
        .sign(private, hashes.SHA256())
    )
    certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
