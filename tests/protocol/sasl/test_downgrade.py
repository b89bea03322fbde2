"""XEP-0474: what a stream offered is signed by SCRAM."""

from base64 import b64decode, b64encode
from hashlib import sha1, sha256

import pytest

from commonroom.protocol.sasl.downgrade import protection
from tests.protocol.sasl.peer import attributes, client_final
from tests.protocol.streams import Peer, auth, failure, response

OFFERED = sorted(["PLAIN", *(f"SCRAM-SHA-{size}{plus}" for size in (1, 256, 512) for plus in ("", "-PLUS"))])


def server_first(peer: Peer, first: bytes = b"n,,n=juliet,r=abc", mechanism: str = "SCRAM-SHA-256") -> str:
    peer.open()
    (challenge,) = peer.send(auth(mechanism, first))
    return b64decode(challenge.text()).decode()


def test_xep0474_6_2_who_takes_the_digest_out_is_found_out():
    peer = Peer()
    said = server_first(peer)
    assert said.rpartition(",")[2].startswith("h=")
    final = client_final(b"n,,n=juliet,r=abc", said.rpartition(",")[0])
    assert failure(peer.send(response(final))) == "not-authorized"


def test_xep0474_6_2_who_puts_another_in_its_place_is_found_out():
    peer = Peer()
    said = server_first(peer)
    other = protection(["SCRAM-SHA-256"], ())["SHA-256"]
    final = client_final(b"n,,n=juliet,r=abc", f"{said.rpartition(',')[0]},h={other}")
    assert failure(peer.send(response(final))) == "not-authorized"


def test_xep0474_6_1_the_lists_are_sorted_and_joined():
    text = "\x1e".join(OFFERED) + "\x1ftls-exporter\x1etls-server-end-point"
    assert attributes(server_first(Peer()))["h"] == b64encode(sha256(text.encode()).digest()).decode()


def test_xep0474_6_3_the_example():
    example = protection(["SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"], ["tls-server-end-point", "tls-exporter"])
    text = "SCRAM-SHA-1\x1eSCRAM-SHA-1-PLUS\x1ftls-exporter\x1etls-server-end-point"
    assert b64decode(example["SHA-1"]) == sha1(text.encode()).digest()
    assert example["SHA-1"] == "G6k/rBLDqgOhRRaCuuatSDFkJ08="


@pytest.mark.parametrize("changes", [{"bindings": {}}, {"mechanisms": ("SCRAM-SHA-256", "PLAIN")}])
def test_xep0474_6_1_types_that_were_not_announced_are_not_in_it(changes):
    names = [name for name in OFFERED if not name.endswith("-PLUS")]
    if "mechanisms" in changes:
        names = sorted(changes["mechanisms"])
    digest = b64encode(sha256("\x1e".join(names).encode()).digest()).decode()
    assert attributes(server_first(Peer(**changes)))["h"] == digest


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-1", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-512"])
def test_who_checks_nothing_logs_in_as_before(mechanism):
    peer = Peer()
    peer.open()
    assert peer.scram(mechanism).name == "success"
