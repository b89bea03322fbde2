"""Fixtures for tests with real clients: one server for all of them, and its people with a clean slate.

INTEROP_SERVER=prosody runs them against Debian's Prosody, to learn whether a test or our server is wrong.
"""

import os
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

import pytest

from .people import PASSWORDS, Person
from .profanity import Profanity
from .prosody import Prosody
from .server import CommonRoom, ServerUnderTest
from .slix import LoopThread

SERVERS: Mapping[str, type[ServerUnderTest]] = {"commonroom": CommonRoom, "prosody": Prosody}
TEST_SECONDS = 30


@runtime_checkable
class Talkative(Protocol):
    """What has something to add to a failing test's report."""

    def transcript(self) -> str: ...


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failing test shows what its clients said, and the end of the server's log."""
    report = yield
    if report.failed and report.when != "teardown" and isinstance(item, pytest.Function):
        told = {id(fixture): (name, fixture) for name, fixture in item.funcargs.items()}
        for name, fixture in told.values():
            if isinstance(fixture, Talkative):
                report.sections.append((name, fixture.transcript()))
    return report


@pytest.fixture(scope="session")
def loop() -> Iterator[LoopThread]:
    thread = LoopThread()
    yield thread
    thread.close()


def run_server(folder: Path) -> Iterator[ServerUnderTest]:
    server = SERVERS[os.environ.get("INTEROP_SERVER", "commonroom")](folder, PASSWORDS)
    server.prepare()
    try:
        server.start()
        yield server
    finally:
        server.close()


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerUnderTest]:
    yield from run_server(tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="module")
def restartable_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerUnderTest]:
    """A server that nobody else uses."""
    yield from run_server(tmp_path_factory.mktemp("server"))


@pytest.fixture
def server(shared_server: ServerUnderTest) -> ServerUnderTest:
    """The server that all tests share; not to be stopped."""
    return shared_server


@pytest.fixture
def needs(server: ServerUnderTest) -> Callable[[str], None]:
    """Skips the test where the reference server lacks the ability; ours lacks none."""

    def check(ability: str) -> None:
        if ability in server.lacks:
            pytest.skip(server.lacks[ability])

    return check


@pytest.fixture
def person(loop: LoopThread, server: ServerUnderTest) -> Iterator[Callable[[str], Person]]:
    """Makes people who start afresh; their connections are dropped when the test is over."""
    people: list[Person] = []

    def make(name: str) -> Person:
        people.append(Person(loop, server, name, server.accounts[name]))
        people[-1].start_afresh()
        return people[-1]

    yield make
    for each in people:
        each.leave()


@pytest.fixture
def profanity(tmp_path: Path, server: ServerUnderTest) -> Iterator[Profanity]:
    """A Profanity that was just started."""
    terminal = Profanity(tmp_path, server)
    yield terminal
    terminal.close()


@pytest.fixture
def romeo(person: Callable[[str], Person]) -> Person:
    return person("romeo")


@pytest.fixture
def juliet(person: Callable[[str], Person]) -> Person:
    return person("juliet")


@pytest.fixture
def nurse(person: Callable[[str], Person]) -> Person:
    return person("nurse")


@pytest.fixture
def nobody(loop: LoopThread, server: ServerUnderTest) -> Iterator[Person]:
    """A person who believes to have an account, and has none."""
    nobody = Person(loop, server, "nobody", "no-account-no-password")
    yield nobody
    nobody.leave()
