"""XEP-0474: what a stream offered is signed by SCRAM."""

from base64 import b64decode, b64encode
from dataclasses import replace
from hashlib import sha1, sha256

import pytest

from commonroom.protocol.sasl import Success
from commonroom.protocol.sasl.downgrade import protection
from commonroom.protocol.sasl.scram import Scram
from commonroom.protocol.sasl.scram_keys import derive_keys
from tests.protocol.sasl.peer import attributes, challenged, client_final, make_context
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


NONCES = "r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6a09117a6-ac50-4f2f-93f1-93799c2bddf6"


@pytest.mark.parametrize(
    ("data", "said", "final", "signature"),
    [
        (  # XEP-0388 §2.5; its proof and signature are not of these messages: RFC 5802 §3 makes these of them
            b64decode("cD10bHMtZXhwb3J0ZXIsLMcoQvOdBDePd4OswlmAWV3dg1a1Wh1tYPTBwVid10VU")[16:],
            "s=QSXCR+Q6sek8bf92,i=4096",
            f"c=cD10bHMtZXhwb3J0ZXIsLMcoQvOdBDePd4OswlmAWV3dg1a1Wh1tYPTBwVid10VU,{NONCES},"
            "p=+8UyrQAeVIqsH2YovGeGTRx6zBM=",
            b"v=GRqYg0SPMGrqPRk5HfMz9nGHq94=",
        ),
        (  # XEP-0474 §6.3
            b"THIS IS FAKE CB DATA",
            "s=QSXCR+Q6sek8bf92,i=4096,h=G6k/rBLDqgOhRRaCuuatSDFkJ08=",
            f"c=cD10bHMtZXhwb3J0ZXIsLFRISVMgSVMgRkFLRSBDQiBEQVRB,{NONCES},"
            "x=19C6532F-1CF4-4A27-A18D-DC9CEA41BBB3,p=M/SIDjT+dfcxUh89jZEypRvFxB4=",
            b"v=MQrMPvv7yv4x4Cq4W4Ih25EqS2c=",
        ),
    ],
    ids=["XEP-0388", "XEP-0474"],
)
def test_xep0474_6_3_the_exchanges_of_the_examples_byte_for_byte(data, said, final, signature):
    bindings = {"tls-exporter": lambda: data, "tls-server-end-point": lambda: b"x"}
    context = make_context(offered=("SCRAM-SHA-1-PLUS", "SCRAM-SHA-1"), channel_bindings=bindings)
    if ",h=" in said:
        context = replace(context, protection=protection(context.offered, context.channel_bindings))
    exchange = Scram("SHA-1", context, "a09117a6-ac50-4f2f-93f1-93799c2bddf6", bound=True)
    first = b"p=tls-exporter,,n=user,r=12C4CD5C-E38E-4A98-8F6D-15C38F51CCC6"
    keys = derive_keys("pencil", "SHA-1", b64decode("QSXCR+Q6sek8bf92"), 4096)
    assert challenged(exchange, first, keys) == f"{NONCES},{said}"
    assert exchange.receive(final.encode()) == Success("user", signature)
