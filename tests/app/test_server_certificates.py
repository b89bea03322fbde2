"""RFC 6120 §13.7.2.3: certificates that end, or change, while servers are connected: a running service."""

import signal
import ssl
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import Queue

import pytest
from cryptography import x509

from commonroom.net.certificates import create_self_signed
from tests.attack.client import Ended, online
from tests.attack.peers import EVIL, Federated, Line, Peer, Waiting, context
from tests.attack.server import DOMAIN, OTHER_DOMAIN, free_ports
from tests.lab.authority import Authority, Issued
from tests.lab.site import Site

SECONDS = 8.0
# Of a certificate that expires; to connect takes a part of it.
LIFE = 6


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Federated]:
    site = Site(tmp_path)
    made = Federated(tmp_path, site, free_ports(1)[0])
    made.start()
    yield made
    made.stop()
    site.close()


def until(is_so: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def serial_of(der: bytes | None) -> int:
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


def shown(server: Federated, folder: Path) -> int:
    """The serial number of what a server that connects is shown."""
    with Peer(server, folder, None) as peer:
        peer.encrypt()
        assert isinstance(peer.socket, ssl.SSLSocket)
        return serial_of(peer.socket.getpeercert(True))


def test_a_stream_ends_with_the_certificate_that_opened_it(server: Federated, tmp_path: Path) -> None:
    short = server.site.authority.issue(EVIL, end=timedelta(seconds=LIFE))
    with Peer(server, tmp_path, short) as peer:
        peer.authenticate_as_itself()
        assert peer.error(LIFE + SECONDS) == "reset"
    until(lambda: "certificate of an open stream counts no more" in server.log(), "it is not in the log")
    assert "it expired on" in server.log()


def test_a_stream_ends_when_its_authority_is_not_trusted_any_more(server: Federated, tmp_path: Path) -> None:
    with Peer(server, tmp_path, server.site.authority.issue(EVIL)) as peer:
        peer.authenticate_as_itself()
        other = Authority("Another Authority")
        other.write(server.site.authorities)
        server.signal(signal.SIGHUP)
        assert peer.error(SECONDS) == "reset"
    with Peer(server, tmp_path, other.issue(EVIL)) as peer:
        peer.authenticate_as_itself()


def test_a_stream_stays_when_others_are_trusted_as_well(server: Federated, tmp_path: Path) -> None:
    with Peer(server, tmp_path, server.site.authority.issue(EVIL)) as peer:
        peer.authenticate_as_itself()
        before, other = server.site.authorities.read_bytes(), Authority("Another Authority")
        other.write(server.site.authorities)
        server.site.authorities.write_bytes(before + server.site.authorities.read_bytes())
        with Peer(server, tmp_path, other.issue("other.lab"), "other.lab") as second:  # found by itself
            until(lambda: _lets_in(server, tmp_path, other), "nobody noticed the other authority")
            assert second
        peer.send("<iq type='get' id='i' from='a@evil.lab' to='localhost'><q xmlns='q'/></iq>")
        peer.send("</stream:stream>")
        with pytest.raises(Ended):
            peer.exhaust()
        assert b"reset" not in peer.came


def _lets_in(server: Federated, folder: Path, authority: Authority) -> bool:
    with Peer(server, folder, authority.issue("other.lab"), "other.lab") as peer:
        peer.encrypt()
        return peer.external().tag.endswith("success")


def test_other_servers_are_shown_a_new_certificate_in_both_directions(
    server: Federated, tmp_path: Path
) -> None:
    """Those of the streams that are open stay."""
    seen: Queue[int] = Queue()

    def behave(line: Line) -> None:
        line.encrypt()
        line.open("<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>")
        assert isinstance(line.socket, ssl.SSLSocket)
        seen.put(serial_of(line.socket.getpeercert(True)))
        line.send("</stream:stream>")

    new = tmp_path / "new.pem", tmp_path / "new.key"
    create_self_signed(*new, (DOMAIN, OTHER_DOMAIN), datetime.now(UTC))
    issued = server.site.authority.issue(EVIL)
    with Waiting(tmp_path, issued, behave) as waiting:
        waiting._tls = _demanding(tmp_path, issued, tmp_path / "certificate.pem")
        server.site.publish(EVIL, waiting.port)
        with Peer(server, tmp_path, server.site.authority.issue(EVIL)) as open_before:
            open_before.authenticate_as_itself()
            was = shown(server, tmp_path)
            assert _shown_when_we_connect(server, seen) == was
            waiting._tls = _demanding(tmp_path, issued, new[0])
            new[0].replace(tmp_path / "certificate.pem")
            new[1].replace(tmp_path / "key.pem")
            until(lambda: shown(server, tmp_path) != was, "nobody noticed the new files")
            time.sleep(1.3)  # after which the domain is tried again
            assert _shown_when_we_connect(server, seen) == shown(server, tmp_path)
            open_before.send("<presence/>")
            assert open_before.error() == "improper-addressing"  # it was still there to say so


def _demanding(folder: Path, issued: Issued, certificate: Path) -> ssl.SSLContext:
    """TLS of a server that wants to see this one."""
    made = context(folder, issued, server=True)
    made.verify_mode = ssl.CERT_REQUIRED
    made.load_verify_locations(certificate)
    return made


def _shown_when_we_connect(server: Federated, seen: "Queue[int]") -> int:
    with online(server, "u0") as romeo:
        romeo.send(f"<message to='juliet@{EVIL}' id='m'><body>hi</body></message>")
        return seen.get(timeout=SECONDS)
