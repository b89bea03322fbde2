"""SASL with the clients of others: scramp, and slixmpp's own SASL."""

import pytest
from scramp import ScramClient
from slixmpp.util.sasl.mechanisms import PLAIN, SCRAM

from commonroom.protocol.sasl import (
    Challenge,
    Exchange,
    Failure,
    Success,
    WantsKeys,
    WantsPasswordCheck,
    offered,
    start,
)
from commonroom.protocol.sasl.scram_keys import derive_keys
from tests.protocol.sasl.peer import BINDINGS, SALT, SCRAM_MECHANISMS, make_context

PASSWORD = "Jack of ♦s"
# scramp refuses fewer than 4096; slixmpp's PBKDF2 is in Python, and slow.
SCRAMP_ITERATIONS, SLIXMPP_ITERATIONS = 4096, 8


def server_first(exchange: Exchange, client_first: bytes, iterations: int) -> bytes:
    wanted = exchange.receive(client_first)
    assert isinstance(wanted, WantsKeys)
    challenge = exchange.keys(derive_keys(PASSWORD, wanted.hash_name, SALT, iterations))
    assert isinstance(challenge, Challenge)
    return challenge.data


def scramp_client(name: str, password: str = PASSWORD, data: bytes | None = None) -> ScramClient:
    # It knows no tls-exporter.
    binding = ("tls-server-end-point", data or BINDINGS["tls-server-end-point"]())
    return ScramClient(
        [name], "jos\u00e9", password, channel_binding=binding if name.endswith("-PLUS") else None
    )


def slixmpp_client(name: str, password: str = PASSWORD, data: bytes | None = None) -> SCRAM:
    bound = name.endswith("-PLUS")
    credentials = {
        "username": b"a,b=c",
        "password": password.encode(),
        "authzid": b"",
        "channel_binding": (data or BINDINGS["tls-exporter"]()) if bound else b"",
    }
    settings = {
        "encrypted": True,
        "unencrypted_scram": False,
        "binding_proposed": True,
        "tls_version": "TLSv1.3",
    }
    return SCRAM(name, credentials, settings)


@pytest.mark.parametrize("name", SCRAM_MECHANISMS)
def test_scramp_with_a_wrong_password_is_refused(name: str) -> None:
    client, exchange = scramp_client(name, "pencil"), start(name, make_context())
    client.set_server_first(
        server_first(exchange, client.get_client_first().encode(), SCRAMP_ITERATIONS).decode()
    )
    assert isinstance(exchange.receive(client.get_client_final().encode()), Failure)


@pytest.mark.parametrize("name", [name for name in SCRAM_MECHANISMS if name.endswith("-PLUS")])
def test_scramp_on_another_channel_is_refused(name: str) -> None:
    client, exchange = scramp_client(name, data=b"another certificate"), start(name, make_context())
    client.set_server_first(
        server_first(exchange, client.get_client_first().encode(), SCRAMP_ITERATIONS).decode()
    )
    assert isinstance(exchange.receive(client.get_client_final().encode()), Failure)


@pytest.mark.parametrize("name", [name for name in SCRAM_MECHANISMS if name.endswith("-PLUS")])
def test_slixmpp_on_another_channel_is_refused(name: str) -> None:
    client, exchange = slixmpp_client(name, data=b"another channel"), start(name, make_context())
    final = client.process(server_first(exchange, client.process(), SLIXMPP_ITERATIONS))
    assert isinstance(exchange.receive(final), Failure)


@pytest.mark.parametrize("name", SCRAM_MECHANISMS)
def test_scramp_logs_in_and_accepts_our_signature(name: str) -> None:
    client, exchange = scramp_client(name), start(name, make_context())
    client.set_server_first(
        server_first(exchange, client.get_client_first().encode(), SCRAMP_ITERATIONS).decode()
    )
    outcome = exchange.receive(client.get_client_final().encode())
    assert isinstance(outcome, Success)
    assert outcome.data is not None
    client.set_server_final(outcome.data.decode())
    assert outcome.username == "jos\u00e9"


@pytest.mark.parametrize("name", SCRAM_MECHANISMS)
def test_slixmpp_logs_in_and_accepts_our_signature(name: str) -> None:
    client, exchange = slixmpp_client(name), start(name, make_context())
    final = client.process(server_first(exchange, client.process(), SLIXMPP_ITERATIONS))
    outcome = exchange.receive(final)
    assert isinstance(outcome, Success)
    assert outcome.data is not None
    assert client.process(outcome.data) == b""
    assert outcome.username == "a,b=c"


def test_scramp_takes_our_strongest_offer() -> None:
    names = offered(True, ("tls-server-end-point",), SCRAM_MECHANISMS)
    client = ScramClient(names, "juliet", PASSWORD, channel_binding=("tls-server-end-point", b"hash"))
    assert client.mechanism_name == names[0]


def test_slixmpp_speaks_plain() -> None:
    credentials = {"username": b"juliet", "password": PASSWORD.encode(), "authzid": b"juliet@example.com"}
    client = PLAIN("PLAIN", credentials, {"encrypted": True, "encrypted_plain": True})
    outcome = start("PLAIN", make_context()).receive(client.process())
    assert outcome == WantsPasswordCheck("juliet", PASSWORD)
