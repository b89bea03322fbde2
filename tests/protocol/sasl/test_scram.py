"""RFC 5802, RFC 7677: SCRAM from the client-final-message on, and whole exchanges."""

from base64 import b64encode

import pytest

from commonroom.protocol.sasl import (
    Challenge,
    Exchange,
    Failure,
    SaslCondition,
    Success,
    WantsKeys,
    start,
)
from commonroom.protocol.sasl.scram import Scram, _Challenged
from commonroom.protocol.sasl.scram_keys import ScramKeys, derive_keys
from tests.protocol.sasl.peer import (
    BINDINGS,
    SCRAM_MECHANISMS,
    UNBOUND_MECHANISMS,
    attributes,
    challenged,
    client_final,
    keys_of,
    logged_in,
    make_context,
)

FIRST = b"n,,n=juliet,r=fyko+d2lbbFgONRv9qkxdawL"
BOUND_FIRST = FIRST.replace(b"n,", b"p=tls-exporter,", 1)
BOUND_INPUT = b"p=tls-exporter,," + BINDINGS["tls-exporter"]()
MALFORMED = Failure(SaslCondition.MALFORMED_REQUEST)
MALFORMED_LATER = Failure(SaslCondition.MALFORMED_REQUEST, "juliet")
NOT_AUTHORIZED = Failure(SaslCondition.NOT_AUTHORIZED, "juliet")


@pytest.fixture
def exchange() -> Exchange:
    return start("SCRAM-SHA-256", make_context())


@pytest.fixture
def bound_exchange() -> Exchange:
    return start("SCRAM-SHA-256-PLUS", make_context())


@pytest.fixture
def keys() -> ScramKeys:
    return keys_of("pencil", "SHA-256")


# The client-final-message


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("c=biws,", ""),
        (",r=", ",s="),
        (",p=", ",q="),
        ("c=biws,r=fyko", "r=fyko,c=biws"),
        ("c=biws", "c=biw"),
        ("c=biws", "c=bi=="),
        ("c=biws", "c=bi ws"),
        ("c=biws", "c=biws="),
        ("c=biws", "c=b-_s"),
        ("c=biws", "c=biws,m=1"),
        ("c=biws", "m=1,c=biws"),
        ("c=biws", "c=biws,x=1"),
        (",p=", ",m=1,p="),
        (",p=", ",c=biws,p="),
        (",p=", ",x=,p="),
        (",p=", ",p"),
        (",p=", ",p=!"),
        (",p=", ",p=A"),
        (",p=", ",p=====,p="),
        ("=", ""),
    ],
)
def test_rfc5802_7_a_final_message_of_another_form_is_malformed(
    exchange: Exchange, keys: ScramKeys, old: str, new: str
) -> None:
    final = client_final(FIRST, challenged(exchange, FIRST, keys)).decode()
    assert old in final
    assert exchange.receive(final.replace(old, new).encode()) == MALFORMED_LATER


def test_rfc5802_7_nothing_follows_the_proof(exchange: Exchange, keys: ScramKeys) -> None:
    final = client_final(FIRST, challenged(exchange, FIRST, keys))
    assert exchange.receive(final + b",x=1") == MALFORMED_LATER


def test_rfc5802_2_1_a_proof_that_is_not_canonical_base_64_is_malformed(
    exchange: Exchange, keys: ScramKeys
) -> None:
    final = client_final(FIRST, challenged(exchange, FIRST, keys))
    canonical = "AEIMQUYcgkosw048"
    assert final[-1:] == b"="
    assert final[-2:-1].decode() in canonical
    assert exchange.receive(final[:-2] + chr(final[-2] + 1).encode() + b"=") == MALFORMED_LATER


@pytest.mark.parametrize("data", [None, b"", FIRST, b"\xff", b"c=biws,r=abc,p="])
def test_a_final_message_missing_empty_or_out_of_order_is_refused(
    exchange: Exchange, keys: ScramKeys, data: bytes | None
) -> None:
    challenged(exchange, FIRST, keys)
    assert isinstance(exchange.receive(data), Failure)
    assert exchange.receive(data) == MALFORMED


def test_a_final_message_of_more_than_8192_octets_is_malformed(exchange: Exchange, keys: ScramKeys) -> None:
    assert logged_in(exchange, FIRST, keys, extensions=",x=" + "x" * 8192) == MALFORMED_LATER


@pytest.mark.parametrize("nonce", ["fyko+d2lbbFgONRv9qkxdawL", "x", "AAECAwQFBgcICQoLDA0ODxAR"])
def test_rfc5802_5_1_another_nonce_is_refused(exchange: Exchange, keys: ScramKeys, nonce: str) -> None:
    assert logged_in(exchange, FIRST, keys, nonce=nonce) == NOT_AUTHORIZED


@pytest.mark.parametrize(
    "binding", [b"", b"y,,", b"n,", b"n,,n", b"n,a=juliet@example.com,", BOUND_INPUT, b"p=tls-exporter,,"]
)
def test_rfc5802_6_another_header_in_c_is_refused(
    exchange: Exchange, keys: ScramKeys, binding: bytes
) -> None:
    assert logged_in(exchange, FIRST, keys, binding=binding) == NOT_AUTHORIZED


@pytest.mark.parametrize(
    "binding",
    [
        b"n,,",
        b"y,,",
        b"p=tls-exporter,,",
        BOUND_INPUT[:-1],
        BOUND_INPUT + b"\0",
        BOUND_INPUT.replace(b"\x01", b"\x02"),
        b"p=tls-exporter,," + BINDINGS["tls-server-end-point"](),
        b"p=tls-server-end-point,," + BINDINGS["tls-server-end-point"](),
    ],
)
def test_rfc5802_6_other_binding_data_in_c_is_refused(
    bound_exchange: Exchange, keys: ScramKeys, binding: bytes
) -> None:
    assert logged_in(bound_exchange, BOUND_FIRST, keys, binding=binding) == NOT_AUTHORIZED


def test_rfc6120_6_5_10_a_wrong_password_is_not_authorized(exchange: Exchange, keys: ScramKeys) -> None:
    assert logged_in(exchange, FIRST, keys, password="pen") == NOT_AUTHORIZED


@pytest.mark.parametrize("proof", [b"", b"short", bytes(20), bytes(31), bytes(32), bytes(33), bytes(64)])
def test_rfc6120_6_5_10_a_proof_of_any_length_that_proves_nothing_is_not_authorized(
    exchange: Exchange, keys: ScramKeys, proof: bytes
) -> None:
    final = client_final(FIRST, challenged(exchange, FIRST, keys)).rpartition(b"p=")[0]
    assert exchange.receive(final + b"p=" + b64encode(proof)) == NOT_AUTHORIZED


@pytest.mark.parametrize("name", SCRAM_MECHANISMS)
def test_rfc6120_6_5_10_an_account_that_does_not_exist_fails_like_a_wrong_password(name: str) -> None:
    hash_name = name.removeprefix("SCRAM-").removesuffix("-PLUS")
    first, binding = (BOUND_FIRST, BOUND_INPUT) if name.endswith("-PLUS") else (FIRST, b"n,,")
    exchanges = [start(name, make_context()) for _ in range(2)]
    real, fake = (
        challenged(exchange, first, found)
        for exchange, found in zip(exchanges, (keys_of("other", hash_name), None), strict=True)
    )
    assert {key: len(value) for key, value in attributes(real).items()} == {
        key: len(value) for key, value in attributes(fake).items()
    }
    assert attributes(real)["i"] == attributes(fake)["i"]
    for exchange, server_first in zip(exchanges, (real, fake), strict=True):
        final = client_final(first, server_first, hash_name=hash_name, binding=binding)
        assert exchange.receive(final) == NOT_AUTHORIZED


def test_rfc6120_6_5_10_an_account_without_keys_shows_one_salt_however_it_is_spelt() -> None:
    def salt_of(username: bytes, hash_name: str = "SHA-256") -> str:
        exchange = start(f"SCRAM-{hash_name}", make_context())
        return attributes(challenged(exchange, FIRST.replace(b"juliet", username), None))["s"]

    assert salt_of(b"nobody") == salt_of(b"nobody") == salt_of(b"Nobody")
    assert len({salt_of(b"nobody"), salt_of(b"noone"), salt_of(b"nobody", "SHA-1")}) == 3


def test_rfc6120_6_5_10_a_name_that_is_no_address_is_an_account_that_does_not_exist(
    exchange: Exchange,
) -> None:
    first = FIRST.replace(b"juliet", b"juliet@example.com")
    outcome = logged_in(exchange, first, None)
    assert outcome == Failure(SaslCondition.NOT_AUTHORIZED, "juliet@example.com")


def test_not_even_a_proof_made_for_them_opens_invented_keys(exchange: Exchange, keys: ScramKeys) -> None:
    assert isinstance(exchange, Scram)
    server_first = challenged(exchange, FIRST, keys)
    state = exchange._state
    assert isinstance(state, _Challenged)
    exchange._state = state._replace(is_known=False)
    assert exchange.receive(client_final(FIRST, server_first)) == NOT_AUTHORIZED


@pytest.mark.parametrize("data", [None, b"", FIRST])
def test_rfc4422_3_6_nothing_follows_the_outcome(
    exchange: Exchange, keys: ScramKeys, data: bytes | None
) -> None:
    server_first = challenged(exchange, FIRST, keys)
    final = client_final(FIRST, server_first)
    assert isinstance(exchange.receive(final), Success)
    assert exchange.receive(final if data is FIRST else data) == MALFORMED


# What succeeds


def test_rfc4422_5_without_an_initial_response_the_first_challenge_is_empty(
    exchange: Exchange, keys: ScramKeys
) -> None:
    assert exchange.receive(None) == Challenge(b"")
    assert isinstance(logged_in(exchange, FIRST, keys), Success)


def test_rfc5802_5_the_example() -> None:
    exchange = Scram("SHA-1", make_context(), "3rfcNHYJY1ZVvWVs7j", bound=False)
    keys = derive_keys("pencil", "SHA-1", b"A%\xc2G\xe4:\xb1\xe9<m\xffv", 4096)
    assert exchange.receive(b"n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL") == WantsKeys("user", "SHA-1")
    assert exchange.keys(keys) == Challenge(
        b"r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096"
    )
    assert exchange.receive(
        b"c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts="
    ) == Success("user", b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")


def test_rfc7677_3_the_example() -> None:
    exchange = Scram("SHA-256", make_context(), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", bound=False)
    keys = derive_keys("pencil", "SHA-256", b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81", 4096)
    assert exchange.receive(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == WantsKeys("user", "SHA-256")
    assert exchange.keys(keys) == Challenge(
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    assert exchange.receive(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        b"p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    ) == Success("user", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_sha_512_as_scramp_computes_it() -> None:
    exchange = Scram("SHA-512", make_context(), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0", bound=False)
    keys = derive_keys("pencil", "SHA-512", b"[m\x99h\x9d\x125\x8e\xec\xa0K\x14\x126\xfa\x81", 4096)
    assert exchange.receive(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO") == WantsKeys("user", "SHA-512")
    exchange.keys(keys)
    assert exchange.receive(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=gMGXRcevScNtxZ6/8lQYpGtnsNAc"
        b"3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ=="
    ) == Success(
        "user",
        b"v=ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7Zw==",
    )


def test_rfc5802_5_1_the_server_adds_its_nonce_to_the_clients(exchange: Exchange, keys: ScramKeys) -> None:
    server_first = challenged(exchange, FIRST, keys)
    assert server_first == "r=fyko+d2lbbFgONRv9qkxdawLAAECAwQFBgcICQoLDA0ODxAR,s=AAECAwQFBgcICQoLDA0ODw==,i=2"


@pytest.mark.parametrize("flag", [b"n", b"y"])
def test_rfc5802_6_both_flags_are_good_where_no_binding_was_offered(keys: ScramKeys, flag: bytes) -> None:
    exchange = start("SCRAM-SHA-256", make_context(offered=UNBOUND_MECHANISMS, channel_bindings={}))
    outcome = logged_in(exchange, FIRST.replace(b"n", flag, 1), keys, binding=flag + b",,")
    assert isinstance(outcome, Success)


@pytest.mark.parametrize("binding_type", BINDINGS)
def test_rfc5802_6_a_client_is_bound_to_its_channel(
    bound_exchange: Exchange, keys: ScramKeys, binding_type: str
) -> None:
    header = f"p={binding_type},,".encode()
    first = FIRST.replace(b"n,,", header, 1)
    outcome = logged_in(bound_exchange, first, keys, binding=header + BINDINGS[binding_type]())
    assert isinstance(outcome, Success)


@pytest.mark.parametrize("authzid", [b"juliet@example.com", b"JULIET@example.com"])
def test_rfc6120_6_3_8_the_own_bare_address_is_accepted(
    exchange: Exchange, keys: ScramKeys, authzid: bytes
) -> None:
    header = b"n,a=" + authzid + b","
    outcome = logged_in(exchange, FIRST.replace(b"n,,", header, 1), keys, binding=header)
    assert isinstance(outcome, Success)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("=2C", ","),
        ("=3D", "="),
        ("=3D2C", "=2C"),
        ("=3D3D", "=3D"),
        ("a=2C=3Db", "a,=b"),
        ("josé", "josé"),
        ("J\u0301", "J\u0301"),
        ("a b", "a b"),
        ("JULIET", "JULIET"),
    ],
)
def test_rfc5802_5_1_the_user_name_is_handed_out_unescaped_and_signed_as_written(
    exchange: Exchange, keys: ScramKeys, written: str, meant: str
) -> None:
    first = f"n,,n={written},r=abc".encode()
    server_first = challenged(exchange, first, keys)
    outcome = exchange.receive(client_final(first, server_first))
    assert isinstance(outcome, Success)
    assert outcome.username == meant


@pytest.mark.parametrize("extensions", [",x=1", ",x=1,Y==,b=\u00fc", ",h=1,d=2", ",x=1,x=2", ",A=1"])
def test_rfc5802_7_extensions_are_ignored_but_signed(
    exchange: Exchange, keys: ScramKeys, extensions: str
) -> None:
    first = FIRST + extensions.encode()
    assert isinstance(logged_in(exchange, first, keys, extensions=extensions), Success)


def test_rfc5802_5_1_any_printable_character_but_a_comma_may_be_in_the_nonce(
    exchange: Exchange, keys: ScramKeys
) -> None:
    nonce = bytes(code for code in range(0x21, 0x7F) if code != ord(","))
    assert isinstance(logged_in(exchange, b"n,,n=juliet,r=" + nonce, keys), Success)


def test_rfc5802_5_1_each_exchange_has_a_nonce_of_its_own(keys: ScramKeys) -> None:
    seen: list[int] = []

    def random(size: int) -> bytes:
        seen.append(size)
        return bytes([len(seen)]) * size

    context = make_context()
    fresh = type(context)(
        context.domain, True, context.offered, {}, context.normalise, random, context.fake_secret
    )
    nonces = {attributes(challenged(start("SCRAM-SHA-256", fresh), FIRST, keys))["r"] for _ in range(3)}
    assert len(nonces) == 3
    assert min(seen) >= 16
