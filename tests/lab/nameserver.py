"""A DNS server of the tests' own, which serves what they put into it, over UDP and TCP."""

import socket
import socketserver
import struct
import threading
from collections import Counter
from typing import Any, Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

TTL = 60
Records = dict[tuple[str, str], dns.rrset.RRset]


class Nameserver:
    """Between `start` and `close` it answers at `address`. `silent` names get no answer, `broken` SERVFAIL.

    `validated` sets the bit that says so (AD); `asked` counts questions by name and kind.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, records: Records | None = None) -> None:
        self.records: Records = {} if records is None else records
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.validated = False
        self.asked: Counter[tuple[str, str]] = Counter()
        self.put("localhost", "A", "127.0.0.1")
        self._udp, self._tcp = _both(host, port, self)
        self.address: tuple[str, int] = self._udp.server_address[:2]
        self._threads = [threading.Thread(target=each.serve_forever) for each in (self._udp, self._tcp)]

    def start(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def close(self) -> None:
        for server in (self._udp, self._tcp):
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join()

    def put(self, name: str, kind: str, *values: str, ttl: int = TTL) -> None:
        """Serve these values, as a zone file writes them, and no others of the kind."""
        full = f"{name.lower().rstrip('.')}."
        self.records[full, kind] = dns.rrset.from_text(full, ttl, "IN", kind, *values)

    def service(
        self, domain: str, port: int, address: str = "127.0.0.1", direct: int | None = None, host: str = ""
    ) -> None:
        """The domain's server is at this address; `direct` is its port for direct TLS.

        The host is named like its address, unless a test wants another name: ejabberd has the system look up
        hosts, which knows such names without asking anybody.
        """
        host = host or address
        self.put(host, "A", address)
        self.put(f"_xmpp-server._tcp.{domain}", "SRV", f"10 0 {port} {host}.")
        if direct is not None:
            self.put(f"_xmpps-server._tcp.{domain}", "SRV", f"5 0 {direct} {host}.")

    def remove(self, name: str, kind: str) -> None:
        self.records.pop((f"{name.lower().rstrip('.')}.", kind), None)

    def exists(self, name: str) -> bool:
        """Whether there is anything of that name, or below it (RFC 8020)."""
        return any(known == name or known.endswith(f".{name}") for known, _ in self.records)

    def answer(self, wire: bytes) -> bytes | None:
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name, kind = question.name.to_text().lower(), dns.rdatatype.to_text(question.rdtype)
        self.asked[name.rstrip("."), kind] += 1
        if name.rstrip(".") in self.silent:
            return None
        response = dns.message.make_response(query, recursion_available=True)
        response.flags |= dns.flags.AA
        if self.validated:
            response.flags |= dns.flags.AD
        found = self.records.get((name, kind))
        if name.rstrip(".") in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif found is not None:
            response.answer.append(found)
        elif not self.exists(name):
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response.to_wire()


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    nameserver: Nameserver


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    nameserver: Nameserver


class _Datagram(socketserver.BaseRequestHandler):
    server: _Udp

    def handle(self) -> None:
        wire, sock = self.request
        answer = self.server.nameserver.answer(wire)
        if answer is not None:
            sock.sendto(answer, self.client_address)


class _Stream(socketserver.StreamRequestHandler):
    server: _Tcp

    def handle(self) -> None:
        head = self.rfile.read(2)
        if len(head) < 2:
            return
        answer = self.server.nameserver.answer(self.rfile.read(struct.unpack("!H", head)[0]))
        if answer is not None:
            self.wfile.write(struct.pack("!H", len(answer)) + answer)


def _both(host: str, port: int, nameserver: Nameserver) -> tuple[Any, Any]:
    """Both on one port, which is free for both."""
    for _ in range(50):
        udp = _Udp((host, port), _Datagram)
        try:
            tcp = _Tcp((host, udp.server_address[1]), _Stream)
        except OSError:
            udp.server_close()
            continue
        udp.nameserver = tcp.nameserver = nameserver
        return udp, tcp
    raise AssertionError("no port is free for UDP and TCP")


def free_port(host: str = "127.0.0.1") -> int:
    with socket.create_server((host, 0)) as sock:
        return int(sock.getsockname()[1])
