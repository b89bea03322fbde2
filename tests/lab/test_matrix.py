"""Ours with each kind of peer, by each kind of proof: every cell of the matrix."""

import json
from collections.abc import Iterator

import pytest

from tests.cli.commands import run, worked

from .matrix import HAPPENINGS, INSTEAD, REFUSALS, REFUSED, TRUSTED, Shown
from .pairs import Make, Pairing, pairing
from .site import Site


@pytest.fixture(scope="module")
def pair(
    request: pytest.FixtureRequest, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Pairing]:
    made = pairing(site, tmp_path_factory.mktemp("-".join(request.param)), *request.param)
    yield made
    made.close()


# Those that are refused have a fixture of their own, as pytest orders tests by a fixture's values.
refused = pair


trusted = pytest.mark.parametrize("pair", TRUSTED, ids="-".join, indirect=True)


@pytest.mark.parametrize("refused", REFUSED, ids="-".join, indirect=True)
@pytest.mark.parametrize("happening", REFUSALS)
def test_a_certificate_that_does_not_do_is_refused(refused: Pairing, happening: str, person: Make) -> None:
    REFUSALS[happening](refused, person)


@trusted
def test_each_side_is_convinced_as_expected(pair: Pairing, person: Make) -> None:
    """Ours tells how: in its log when the peer connects, in a trace when it connects to the peer."""
    juliet, romeo = person(pair.peer, "juliet").come_online(), person(pair.ours, "romeo").come_online()
    juliet.chat(romeo.jid, "hello")
    romeo.receive_message("hello")
    methods = {str(each["method"]) for each in pair.ours.events("server authenticated")}
    arguments = ("trace", "s2s", pair.peer.domain, "--json", "-c", pair.ours.configuration)
    steps = [step["event"] for step in json.loads(worked(run(*arguments)))["steps"]]
    peer = "EXTERNAL" if "authenticated" in steps else "dialback" if "dialback" in steps else "nothing"
    assert Shown(", ".join(sorted(methods)), peer) == TRUSTED[pair.kind, pair.proof]


@trusted
@pytest.mark.parametrize("happening", HAPPENINGS)
def test_servers_that_trust_each_other(pair: Pairing, happening: str, person: Make) -> None:
    INSTEAD.get((pair.kind, happening), HAPPENINGS[happening])(pair, person)
