"""Fixtures of the lab: sites, servers that are ended whatever happens, people on both sides."""

import time
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.interop.people import Person
from tests.interop.slix import LoginError, LoopThread, SlixClient

from .pairs import KINDS, Pairing, Start
from .peers import Peer, version
from .site import Site

# Limits, not delays: also where other work takes nearly all of the machine.
TEST_SECONDS = 400
PATIENCE = 60.0
LOGINS = 30
NUMBERS = count(1)


def pytest_report_header() -> list[str]:
    """The versions of those that ours is tried with; `make lab` shows them."""
    return [f"with {kind.package} {version(kind)}" for kind in KINDS.values() if kind.package]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share servers share a process, too, where there are several (pytest-xdist)."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))
            item.add_marker(pytest.mark.lab)
            values = item.callspec.params if hasattr(item, "callspec") else {}
            pair = values.get("pair") or values.get("refused") or (item.path.stem,)
            item.add_marker(pytest.mark.xdist_group("-".join(pair)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing test shows the ends of all servers' logs."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for fixture in item.funcargs.values():
            for each in fixture if isinstance(fixture, tuple) else (fixture,):
                for peer in each.peers if isinstance(each, Pairing) else [each]:
                    if isinstance(peer, Peer):
                        report.sections.append((peer.domain, peer.transcript()))
    return report


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    thread = LoopThread(PATIENCE)
    yield thread
    thread.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("site"))
    yield site
    site.close()


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Prepares and starts servers, which end with the module."""
    started: list[Peer] = []

    def begin(peer: Peer) -> Peer:
        started.append(peer)
        peer.prepare()
        peer.start()
        return peer

    yield begin
    for peer in started:
        peer.close()


class Visitor(Person):
    """A person of any server."""

    def __init__(self, loop: LoopThread, peer: Peer, name: str) -> None:
        super().__init__(loop, peer, name, peer.accounts[name])
        self._peer = peer

    def client(self, resource: str = "slixmpp", password: str | None = None, **options: Any) -> SlixClient:
        """Whoever its server is: here servers look at each other's certificates."""
        return super().client(resource, password, verifies=False, **options)

    def come_online(self, resource: str = "", **options: Any) -> SlixClient:
        """Available, and interested in the roster (RFC 6121 §2.2); at a resource that nobody had before."""
        resource = resource or f"r{next(NUMBERS)}"
        client = self._log_in(resource, **options)
        client.roster()
        client.announce()
        if self._peer.echoes_presence:
            client.receive_presence("available", client.jid)
        else:
            client.sync()
        return client

    def _log_in(self, resource: str, **options: Any) -> SlixClient:
        """Again and again, if the server has moments in which it takes nobody."""
        for _ in range(0 if self._peer.takes_logins else LOGINS):
            try:
                return self.login(resource, **options)
            except LoginError:
                time.sleep(0.3)
        return self.login(resource, **options)


@pytest.fixture
def person(loop: LoopThread) -> Iterator[Callable[[Peer, str], Person]]:
    """Makes people, whose connections are dropped when the test is over."""
    people: list[Person] = []

    def make(peer: Peer, name: str) -> Person:
        people.append(Visitor(loop, peer, name))
        return people[-1]

    yield make
    for each in people:
        each.leave()
