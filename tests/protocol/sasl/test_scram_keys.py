"""RFC 5802 §3, RFC 5803, RFC 8265 §4: keys instead of passwords."""

from binascii import a2b_base64
from dataclasses import replace

import pytest
from scramp import ScramMechanism

from commonroom.protocol.sasl.scram_keys import (
    DIGESTS,
    LARGEST_ITERATIONS,
    SALT_BYTES,
    check_password,
    derive_keys,
    fake_keys,
    format_keys,
    is_proof,
    keys_of_salted,
    parse_keys,
    prepare_password,
)
from tests.protocol.sasl.peer import SALT, keys_of

# The account of RFC 5802 §5: password "pencil", its salt and iteration count.
STORED = "SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:D+CSWLOshSulAsxiupA+qs2/fTE="


@pytest.mark.parametrize("password", ["", "my cat is a \tby", "pen\0cil", "pen\u00adcil", "\ud800", "\u0378"])
def test_rfc8265_4_2_a_forbidden_password_has_no_keys(password: str) -> None:
    with pytest.raises(ValueError, match="RFC 8265"):
        derive_keys(password, "SHA-256", SALT, 1)


def test_rfc8265_4_2_the_error_does_not_repeat_the_password() -> None:
    password = "sesame\t"
    with pytest.raises(ValueError, match="controls") as caught:
        prepare_password(password)
    assert password not in str(caught.value)
    assert caught.value.__context__ is None


@pytest.mark.parametrize("password", ["", "pencil\t", "pencil ", "Pencil", "penci"])
def test_rfc4616_2_a_password_that_differs_or_cannot_be_prepared_fails(password: str) -> None:
    assert check_password(keys_of("pencil"), password) is False


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pencil",
        STORED + " ",
        STORED + "\n",
        STORED.replace("SHA-1", "MD5"),
        STORED.replace("SHA-1", "SHA-256"),
        STORED.replace("SHA-1", "SHA-1-PLUS"),
        STORED.replace("$4096:", "$0:"),
        STORED.replace("$4096:", "$04096:"),
        STORED.replace("$4096:", "$-4096:"),
        STORED.replace("$4096:", "$\u0664:"),
        STORED.replace("$4096:", "$:"),
        STORED.replace("$4096:", f"${LARGEST_ITERATIONS + 1}:"),
        STORED.replace("$4096:", f"${'9' * 5000}:"),
        STORED.replace("QSXCR+Q6sek8bf92", ""),
        STORED.replace("K9Y=", "K9Z="),
        STORED.replace("K9Y=", "K9Y"),
        STORED.replace("6dlG", "6d=G"),
        STORED.replace("6dlG", ""),
        STORED.replace("6dlG", "6dlGAAAA"),
        STORED.replace("D+CS", ""),
        STORED.replace("D+CS", "D-CS"),
        STORED.replace(":D+CS", "$D+CS"),
    ],
)
def test_rfc5803_3_stored_text_of_another_form_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the text differs; what must not be in it counts)
        parse_keys(text)
    assert "YMOdZcOP" not in str(caught.value)


@pytest.mark.parametrize("size", [0, 19, 21, 32, 64])
def test_rfc5802_3_a_salted_password_has_the_length_of_the_hash(size: int) -> None:
    with pytest.raises(ValueError, match="another length"):
        keys_of_salted(b"x" * size, "SHA-1", b"salt", 4096)


def test_fake_keys_pass_for_real_ones() -> None:
    fake, real = fake_keys(b"secret", "romeo@example.com", "SHA-512", 10_000), keys_of(hash_name="SHA-512")
    assert len(fake.salt) == SALT_BYTES == len(SALT)
    assert (len(fake.stored_key), len(fake.server_key)) == (len(real.stored_key), len(real.server_key))
    assert (fake.hash_name, fake.iterations) == ("SHA-512", 10_000)


def test_fake_keys_are_always_the_same() -> None:
    assert fake_keys(b"secret", "romeo", "SHA-1", 2) == fake_keys(b"secret", "romeo", "SHA-1", 2)


def test_fake_salts_differ_by_account_hash_and_server() -> None:
    salts = {
        fake_keys(secret, name, hash_name, 2).salt
        for secret in (b"secret", b"other")
        for name in ("romeo", "juliet", "")
        for hash_name in DIGESTS
    }
    assert len(salts) == 2 * 3 * len(DIGESTS)


@pytest.mark.parametrize("hash_name", DIGESTS)
def test_fake_keys_are_nobodys(hash_name: str) -> None:
    fake = fake_keys(b"secret", "romeo", hash_name, 2)
    assert check_password(fake, "pencil") is False
    assert is_proof(fake, b"message", bytes(len(fake.stored_key))) is False


@pytest.mark.parametrize("hash_name", DIGESTS)
def test_a_proof_of_another_length_is_none(hash_name: str) -> None:
    keys = keys_of(hash_name=hash_name)
    assert not any(
        is_proof(keys, b"message", bytes(length)) for length in (0, 1, 19, 21, 31, 33, 63, 65, 128)
    )


@pytest.mark.parametrize("hash_name", DIGESTS)
@pytest.mark.parametrize("password", ["pencil", "correct horse battery staple", "πßå", "Jack of \u2666s"])
def test_rfc5802_3_keys_are_those_of_an_independent_implementation(hash_name: str, password: str) -> None:
    keys = derive_keys(password, hash_name, SALT, 4096)
    theirs = ScramMechanism(f"SCRAM-{hash_name}").make_auth_info(password, 4096, SALT)
    assert (keys.salt, keys.stored_key, keys.server_key, keys.iterations) == theirs


def test_rfc8265_4_3_a_space_of_any_kind_is_a_space() -> None:
    assert prepare_password("foo\u1680bar") == "foo bar"
    assert check_password(keys_of("foo bar"), "foo\u00a0bar") is True


def test_rfc8265_4_2_2_normalisation_is_form_c_and_keeps_case_and_width() -> None:
    assert prepare_password("e\u0301") == "\u00e9"
    assert prepare_password("Aa\uff21½") == "Aa\uff21½"


@pytest.mark.parametrize("hash_name", DIGESTS)
def test_the_right_password_is_recognised(hash_name: str) -> None:
    assert check_password(keys_of("pencil", hash_name), "pencil") is True


def test_rfc5803_1_keys_are_written_as_one_line() -> None:
    keys = derive_keys("pencil", "SHA-1", a2b_base64("QSXCR+Q6sek8bf92"), 4096)
    assert format_keys(keys) == STORED
    assert parse_keys(STORED) == keys


@pytest.mark.parametrize("hash_name", DIGESTS)
def test_rfc5803_1_what_was_written_is_read_back(hash_name: str) -> None:
    keys = replace(keys_of("pencil", hash_name), iterations=LARGEST_ITERATIONS)
    assert parse_keys(format_keys(keys)) == keys


def test_no_key_shows_in_a_representation() -> None:
    keys = keys_of()
    assert repr(keys.stored_key) not in repr(keys)
    assert repr(keys.server_key) not in repr(keys)
