"""Finding ports that are free."""

import socket
from collections.abc import Iterator

import pytest

from commonroom.admin.errors import AdminError
from commonroom.app.ports import free_port, loopback


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()[1]


@pytest.fixture
def taken_everywhere() -> Iterator[int]:
    with socket.create_server(("0.0.0.0", 0)) as sock:
        yield sock.getsockname()[1]


def test_when_no_port_is_left_it_is_told() -> None:
    with pytest.raises(AdminError, match="65535: neither this port nor one of the next is free"):
        free_port(65535, avoid=65535)


def test_a_port_that_is_taken_is_not_used(taken: int, taken_everywhere: int) -> None:
    assert free_port(taken, avoid=0) > taken
    assert free_port(taken_everywhere, avoid=0) > taken_everywhere


def test_a_port_that_something_else_of_ours_will_use_is_not_used(taken: int) -> None:
    free = free_port(taken, avoid=0)
    assert free_port(free, avoid=free) > free


def test_a_port_is_of_this_machine_only() -> None:
    assert {address.host for address in loopback(5222)} <= {"127.0.0.1", "::1"}
    assert {address.port for address in loopback(5222)} == {5222}
