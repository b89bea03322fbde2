"""Servers whose certificates do not do are refused in both directions, and people are told why."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from tests.interop.people import Person

from .authority import Issued, self_signed
from .pairs import KINDS, Start, names
from .peers import Ours, Peer
from .site import Site

Make = Callable[[Peer, str], Person]


def _self_signed(site: Site, domain: str) -> Issued:
    return self_signed(*names(domain))


def _expired(site: Site, domain: str) -> Issued:
    return site.authority.issue(*names(domain), end=timedelta(hours=-1))


def _wrong_name(site: Site, domain: str) -> Issued:
    return site.authority.issue("elsewhere.lab")


def _unknown(site: Site, domain: str) -> Issued:
    return site.stranger.issue(*names(domain))


FAULTS = {
    "selfsigned": (_self_signed, "self-signed"),
    "expired": (_expired, "expired on"),
    "wrongname": (_wrong_name, "it is for elsewhere.lab, not for"),
    "unknown": (_unknown, "not among the trusted authorities"),
}


@pytest.fixture(scope="module")
def ours(site: Site, start: Start, tmp_path_factory: pytest.TempPathFactory) -> Peer:
    domain = "strict.lab"
    return start(Ours(tmp_path_factory.mktemp("ours"), site, domain, site.authority.issue(*names(domain))))


@pytest.mark.parametrize("kind", ["prosody", "ejabberd"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_certificate_that_does_not_do_is_refused_both_ways(
    kind: str,
    fault: str,
    ours: Peer,
    site: Site,
    start: Start,
    person: Make,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    issue, words = FAULTS[fault]
    domain = f"{fault}-{kind}.lab"
    peer = KINDS[kind](tmp_path_factory.mktemp(kind), site, domain, issue(site, domain))
    peer.accept_any_certificate()
    start(peer)
    romeo, juliet = person(ours, "romeo").come_online(), person(peer, "juliet").come_online()
    romeo.chat(juliet.bare_jid, "to you")
    error = romeo.receive("an error", lambda stanza: stanza["type"] == "error")
    assert error["error"]["condition"] == "remote-server-timeout"
    assert words in error["error"]["text"], error
    juliet.chat(romeo.bare_jid, "to me")
    juliet.receive("an error", lambda stanza: stanza["type"] == "error")
    assert not romeo.has(lambda stanza: stanza["body"] == "to me")
    assert not juliet.has(lambda stanza: stanza["body"] == "to you" and stanza["type"] != "error")
    peer.close()
