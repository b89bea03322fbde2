"""Password hashes, against values that the real tools make."""

import subprocess

import pytest

from commonroom.accounts.apr1 import crypt_apr1
from commonroom.accounts.crypt_hash import Scheme, is_password, recognise
from commonroom.accounts.libcrypt import LONGEST_PASSWORD, crypt

PASSWORDS = ("secret", "correct horse battery staple", "Überraschung ✓", "x" * 80, "a")


def made_by(*command: str) -> str:
    """What a tool prints: a hash, perhaps behind a name."""
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout.strip().rpartition(":")[2]


TOOLS = {
    "openssl -1": (Scheme.MD5, lambda p: made_by("openssl", "passwd", "-1", p)),
    "openssl -apr1": (Scheme.APR1, lambda p: made_by("openssl", "passwd", "-apr1", p)),
    "openssl -5": (Scheme.SHA256, lambda p: made_by("openssl", "passwd", "-5", p)),
    "openssl -6": (Scheme.SHA512, lambda p: made_by("openssl", "passwd", "-6", p)),
    "htpasswd -m": (Scheme.APR1, lambda p: made_by("htpasswd", "-bnm", "joe", p)),
    "htpasswd -B": (Scheme.BCRYPT, lambda p: made_by("htpasswd", "-bnBC", "4", "joe", p)),
    "htpasswd -d": (Scheme.DES, lambda p: made_by("htpasswd", "-bnd", "joe", p)),
    "htpasswd -2": (Scheme.SHA256, lambda p: made_by("htpasswd", "-bn2", "joe", p)),
    "htpasswd -5": (Scheme.SHA512, lambda p: made_by("htpasswd", "-bn5", "joe", p)),
    "mkpasswd des": (Scheme.DES, lambda p: made_by("mkpasswd", "-m", "des", p)),
    "mkpasswd md5": (Scheme.MD5, lambda p: made_by("mkpasswd", "-m", "md5", p)),
    "mkpasswd sha256crypt": (Scheme.SHA256, lambda p: made_by("mkpasswd", "-m", "sha256crypt", p)),
    "mkpasswd sha512crypt -R": (
        Scheme.SHA512,
        lambda p: made_by("mkpasswd", "-m", "sha512crypt", "-R", "1234", p),
    ),
    "mkpasswd bcrypt": (Scheme.BCRYPT, lambda p: made_by("mkpasswd", "-m", "bcrypt", "-R", "4", p)),
    "mkpasswd bcrypt-a": (Scheme.BCRYPT, lambda p: made_by("mkpasswd", "-m", "bcrypt-a", "-R", "4", p)),
    "mkpasswd yescrypt": (Scheme.YESCRYPT, lambda p: made_by("mkpasswd", "-m", "yescrypt", "-R", "1", p)),
}


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("password", PASSWORDS)
def test_what_the_real_tools_make_is_the_hash_of_this_password_only(tool: str, password: str) -> None:
    scheme, make = TOOLS[tool]
    if scheme is Scheme.DES and len(password) > 8 and tool.startswith("htpasswd"):
        pytest.skip("htpasswd warns that it would be cut")
    hash = make(password)
    made = recognise(hash)
    assert made is not None
    assert made.scheme is scheme
    assert is_password(hash, password)
    assert not is_password(hash, "X" + password[1:])
    assert not is_password(hash, "")


def test_cost_is_what_makes_hashes_take_as_long() -> None:
    five = "a" * 43
    assert recognise(f"$5$salt${five}") == recognise(f"$5$other${five}")
    assert recognise(f"$5$rounds=9000$salt${five}") != recognise(f"$5$salt${five}")
    assert recognise("$2b$10$" + "a" * 53) != recognise("$2b$11$" + "a" * 53)


@pytest.mark.parametrize(
    "hash",
    [
        "",
        "*",
        "!",
        "x",
        "secret",
        "abcdefghijkl",
        "abcdefghijklmn",
        "abcdefghijk!m",
        "$6$salt$short",
        "$6$rounds=10000001$salt$" + "a" * 86,
        "$6$rounds=9999999999$salt$" + "a" * 86,
        "$2b$03$" + "a" * 53,
        "$2b$17$" + "a" * 53,
        "$2x$05$" + "a" * 53,
        "$3$$abc",
        "$6$salt$" + "a" * 86 + "\n",
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
        "$argon2id$v=19$m=65536,t=3,p=4$c2FsdA$aGFzaA",
    ],
)
def test_what_is_no_hash_that_can_be_checked_is_told(hash: str) -> None:
    assert recognise(hash) is None


def test_a_hash_that_nobody_made_has_no_password() -> None:
    assert not is_password("$6$salt$" + "a" * 86, "secret")
    assert not is_password("*0", "secret")
    assert not is_password("*1", "")


def test_a_password_that_is_too_long_or_has_a_zero_has_no_hash() -> None:
    assert crypt(b"a" * LONGEST_PASSWORD, b"$6$salt$") == b""
    assert crypt(b"a\0b", b"$6$salt$") == b""
    assert not is_password(crypt(b"a", b"ab").decode(), "a\0b")


def test_rfc8265_4_2_a_password_is_compared_as_it_is_prepared_and_as_it_was_typed() -> None:
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    assert is_password(crypt(composed.encode(), b"$6$salt$").decode(), decomposed)
    assert is_password(crypt(decomposed.encode(), b"$6$salt$").decode(), decomposed)
    assert not is_password(crypt(decomposed.encode(), b"$6$salt$").decode(), composed)


def test_apr1_needs_only_the_setting_of_a_hash() -> None:
    hash = crypt_apr1(b"secret", b"$apr1$salt$whatever")
    assert crypt_apr1(b"secret", hash) == hash
