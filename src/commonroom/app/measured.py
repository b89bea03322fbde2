"""Numbers for Prometheus of what is beside clients: servers, components, rooms, account files.

What a label says is one of a fixed list, or of what is configured: no peer can make series.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from commonroom.admin.account_files import FilesState, FilesStatus
from commonroom.features.muc.service import RoomService
from commonroom.federation.overview import Overview

NAME = "commonroom"
Queues = Mapping[str, Callable[[], int]]


@dataclass(frozen=True, slots=True)
class Beside:
    """Where the numbers are: `components` has the connections of each domain, `queues` what waits in each.

    `overview` is None without federation, `files` gives None without account files.
    """

    overview: Overview | None
    components: Callable[[], Mapping[str, int]]
    rooms: Iterable[RoomService]
    files: Callable[[], FilesStatus | None]
    queues: Queues

    def collect(self) -> Iterator[Metric]:
        """Of this moment."""
        yield _of("queue_length", "What waits, by what it waits for.", "queue", _lengths(self.queues))
        if self.overview is not None:
            yield from _servers(self.overview)
        components = self.components()
        if components:
            yield _of("component_connections", "Connections of components.", "domain", components)
        yield from _rooms(self.rooms)
        status = self.files()
        if status is not None:
            yield from _files(status)


def _lengths(queues: Queues) -> dict[str, int]:
    return {name: length() for name, length in queues.items()}


def _servers(overview: Overview) -> Iterator[Metric]:
    directions = [each.direction for each in overview.streams()]
    streams = {direction: directions.count(direction) for direction in ("in", "out")}
    yield _of("server_streams", "Streams with other servers, by who opened them.", "direction", streams)
    queues = [each.stanzas for each in overview.queues()]
    for name, text, value in (
        ("server_queues", "Pairs of domains for which something waits, or a way is looked for.", len(queues)),
        ("server_queue_stanzas", "What waits for other servers.", sum(queues)),
        ("server_queue_largest_stanzas", "What waits for the one with the most.", max(queues, default=0)),
    ):
        yield GaugeMetricFamily(f"{NAME}_{name}", text, value)
    failures = CounterMetricFamily(
        f"{NAME}_server_failures", "What failed with other servers.", labels=["direction", "reason"]
    )
    for (direction, reason), count in overview.counts().items():
        failures.add_metric([direction, reason], count)
    yield failures


def _rooms(services: Iterable[RoomService]) -> Iterator[Metric]:
    live: dict[str, int] = {}
    occupants: dict[str, int] = {}
    for service in services:
        rooms = [len(room.occupants) for room in service.rooms()]
        live[service.domain.domain] = len(rooms)
        occupants[service.domain.domain] = sum(rooms)
    yield _of("rooms", "Rooms in memory.", "domain", live)
    yield _of("room_occupants", "Who is in them.", "domain", occupants)


def _files(status: FilesStatus) -> Iterator[Metric]:
    states = {state.value: int(state is status.state) for state in FilesState}
    yield _of("account_files", "1 for the state that the account files are in.", "state", states)
    faults = len(status.faults)
    yield GaugeMetricFamily(
        f"{NAME}_account_files_faults", "Their faults, as far as they are told in words.", faults
    )
    if status.state is not FilesState.UNREADABLE:
        yield GaugeMetricFamily(f"{NAME}_account_files_accounts", "Accounts in the files.", status.accounts)


def _of(name: str, text: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"{NAME}_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family
