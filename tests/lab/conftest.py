"""Fixtures of the lab: sites, servers that are ended whatever happens, people on both sides."""

import time
from collections.abc import Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.interop.people import Person
from tests.interop.slix import LoginError, LoopThread, SlixClient

from .pairs import Pairing, Start
from .peers import Peer
from .site import Site

TEST_SECONDS = 120
NUMBERS = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


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
    thread = LoopThread()
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
        try:
            client = self.login(resource, **options)
        except LoginError:
            if self._peer.takes_logins:
                raise
            time.sleep(0.3)
            client = self.login(resource, **options)
        client.roster()
        client.announce()
        if self._peer.echoes_presence:
            client.receive_presence("available", client.jid)
        else:
            client.sync()
        return client


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
