"""Kinds of values that name places."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commonroom.config.addresses import (
    AccountAddress,
    DatabaseUrl,
    Domain,
    HostAndPort,
    Listen,
    ListenAddress,
    Uri,
)
from commonroom.config.kinds import Kind, RefusedError

NO_DOMAINS = "|.|a..b|a@b.org|b.org/x|-a.org|a-.org|a b.org|a_b.org|xn--|xn--99999999|https://b.org"
LISTEN = Listen().expected
LOOPBACK = Listen(loopback_only=True).expected


def refusal(kind: Kind[Any], value: object) -> str:
    with pytest.raises(RefusedError) as caught:
        kind.read(value)
    return str(caught.value)


@pytest.mark.parametrize(
    "kind",
    [Domain(), Listen(), Listen(loopback_only=True), HostAndPort(), Uri(), DatabaseUrl(), AccountAddress()],
)
@given(
    value=st.text()
    | st.from_regex(r"[\[\]:0-9a-f.*]{0,30}|xn--[a-z0-9-]{0,20}|postgresql://[\[\]:@/0-9a-z]*")
)
def test_any_text_is_read_or_refused(kind: Kind[Any], value: str) -> None:
    try:
        made = kind.read(value)
    except RefusedError:
        return
    assert kind.read(str(made)) == made


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5222, f"5222 is not a text; write {LISTEN}, in quotes"),
        ("5222", f'"5222" is not an address and a port; write {LISTEN}'),
        (":5222", f'":5222" is not an address and a port; write {LISTEN}'),
        ("::1:5222", f'"::1:5222" is not an address and a port; write {LISTEN}'),
        ("localhost:5222", f'"localhost" is not an IP address; write {LISTEN}'),
        ("300.1.1.1:5222", f'"300.1.1.1" is not an IP address; write {LISTEN}'),
        ("*:99999", "99999 is not a port; write a number from 1 to 65535"),
        ("*:0", "0 is not a port; write a number from 1 to 65535"),
        ("*:xmpp", "xmpp is not a port; write a number from 1 to 65535"),
        ("*:-1", "-1 is not a port; write a number from 1 to 65535"),
    ],
)
def test_a_listen_address_is_an_ip_address_and_a_port(value: object, words: str) -> None:
    assert refusal(Listen(), value) == words


@pytest.mark.parametrize("host", ["*", "[::]", "0.0.0.0", "192.0.2.1", "[2001:db8::1]"])
def test_unencrypted_connections_are_for_this_machine_only(host: str) -> None:
    words = refusal(Listen(loopback_only=True), f"{host}:5222")
    reason = "can be reached from other machines, and connections here are not encrypted"
    assert words == f'"{host.strip("[]")}" {reason}; write {LOOPBACK}'


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:5222", ListenAddress("127.0.0.1", 5222)),
        ("[::]:5222", ListenAddress("::", 5222)),
        ("[2001:DB8:0::1]:65535", ListenAddress("2001:db8::1", 65535)),
        ("*:1", ListenAddress("*", 1)),
    ],
)
def test_listen_addresses_are_normalised(text: str, address: ListenAddress) -> None:
    assert Listen().read(text) == address
    assert Listen().read(str(address)) == address


@pytest.mark.parametrize("text", ["127.0.0.1:5222", "127.8.9.1:5222", "[::1]:5222"])
def test_loopback_addresses_may_be_unencrypted(text: str) -> None:
    assert str(Listen(loopback_only=True).read(text)) == text


@pytest.mark.parametrize(
    "text",
    [*NO_DOMAINS.split("|"), "xn--a\u00e9", "a" * 64 + ".org", ".".join(["a" * 60] * 5), "\u2603.example"],
)
def test_what_is_no_domain_is_refused(text: str) -> None:
    assert "write a" in refusal(Domain(), text)


def test_a_refused_domain_is_shown() -> None:
    words = '"user@example.org" is not a domain name; write a domain name, as "example.org"'
    assert refusal(Domain(), "user@example.org") == words


@pytest.mark.parametrize(
    ("text", "domain"),
    [
        ("Example.ORG", "example.org"),
        ("example.org.", "example.org"),
        ("localhost", "localhost"),
        ("192.0.2.1", "192.0.2.1"),
        ("BU\u0308CHER.example", "b\u00fccher.example"),
        ("xn--bcher-kva.example", "b\u00fccher.example"),
        ("xn--strae-oqa.example", "stra\u00dfe.example"),
        ("\u0939\u093f\u0928\u094d\u0926\u0940.example", "\u0939\u093f\u0928\u094d\u0926\u0940.example"),
    ],
)
def test_rfc7622_3_2_1_domains_are_in_lower_case_and_their_own_script(text: str, domain: str) -> None:
    assert Domain().read(text) == domain


def test_an_address_without_scheme_is_refused_with_both_readings_of_it() -> None:
    words = '"a@example.org" does not say what it is; write "mailto:a@example.org" or "xmpp:a@example.org"'
    assert refusal(Uri(), "a@example.org") == words


@pytest.mark.parametrize("text", ["", "help", "mailto:", "mailto:a b", "https://a\n", "https://a<b", "1:2"])
def test_what_is_no_uri_is_refused(text: str) -> None:
    assert refusal(Uri(), text).endswith("is not possible here; write a URI, as mailto:, xmpp: or https:")


def test_a_link_is_for_browsers() -> None:
    words = refusal(Uri(("https", "http")), "javascript:alert(1)")
    assert (
        words
        == '"javascript:alert(1)" is not possible here; write a URL that begins with https:// or http://'
    )


@pytest.mark.parametrize(
    "text", ["mailto:a@example.org", "xmpp:a@example.org?message", "https://b\u00fccher.example/"]
)
def test_xep0157_3_uris_are_taken_as_they_are(text: str) -> None:
    assert Uri().read(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mysql://u:secret@h/d",
        "postgres://u:secret@h/d",
        "postgresql://u:secret@h",
        "postgresql://u:secret@h/",
        "postgresql://u:secret@h:99999/d",
        "postgresql://[u:secret@h/d",
        "postgresql://u:secret@h/d d",
    ],
)
def test_a_refused_database_url_is_not_shown_since_it_may_hold_a_password(text: str) -> None:
    words = 'this is not a database; write "sqlite" or "postgresql://user@host/database"'
    assert refusal(DatabaseUrl(), text) == words


@pytest.mark.parametrize(
    "text", ["sqlite", "postgresql://u@h/d", "postgresql://u:p@[::1]:5432/d?x=y", "postgresql:///d"]
)
def test_databases(text: str) -> None:
    assert DatabaseUrl().read(text) == text


@pytest.mark.parametrize("text", ["alice", "@example.org", "alice@", "a b@c", "a@b@c", "a@b/c", "a@b\n"])
def test_what_is_not_an_accounts_address_is_refused(text: str) -> None:
    assert "is not the address of an account; write" in refusal(AccountAddress(), text)


def test_an_accounts_address_stays_as_it_is() -> None:
    assert AccountAddress().read("alice@example.org") == "alice@example.org"
