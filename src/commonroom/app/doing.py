"""How the service is doing: numbers for operators, and for Prometheus in its text format."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from commonroom import __version__
from commonroom.admin.service import Stats, memory_bytes
from commonroom.app.witness import Witnessed
from commonroom.core.router import Router
from commonroom.net.http.exchange import Response
from commonroom.net.seen import Event
from commonroom.storage.latency import Latency
from commonroom.storage.writer import Writer

# Seconds: how often it is looked how late the loop comes.
PROBE_EVERY = 0.5
# Of so many probes the worst is what `stats` tells.
PROBES = 120
NAME = "commonroom"

Expiries = Callable[[], dict[str, float]]


class Doing:
    """Costs nothing until somebody asks; `expiries` tells when, since 1970, each certificate ends."""

    def __init__(
        self,
        router: Router,
        writer: Writer,
        witnessed: Witnessed,
        is_ready: Callable[[], bool],
        expiries: Expiries,
        beside: Callable[[], Iterator[Metric]],
    ) -> None:
        self._router = router
        self._writer = writer
        self._witnessed = witnessed
        self._is_ready = is_ready
        self._expiries = expiries
        self._beside = beside
        self._lag = Latency()
        self._worst = [(0.0, 0.0)]
        self._started = datetime.now(UTC)
        self._metrics = CollectorRegistry(auto_describe=False)
        self._metrics.register(_Collected(self._collect))

    async def probe(self) -> None:
        """Look how late the loop comes, for as long as this runs."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + PROBE_EVERY
            await asyncio.sleep(PROBE_EVERY)
            self._lag.observe(max(0.0, loop.time() - due))
            self._worst.append((self._lag.take_worst(), self._writer.commits.take_worst()))
            del self._worst[:-PROBES]

    def stats(self) -> Stats:
        """See `admin.service.Doing`."""
        levels, events, router = self._witnessed.levels(), self._witnessed.events, self._router
        return Stats(
            started=self._started,
            uptime_seconds=int((datetime.now(UTC) - self._started).total_seconds()),
            memory_bytes=memory_bytes(),
            accounts=levels["accounts"],
            sessions=levels["sessions"],
            connections=levels["connections"],
            messages=router.messages,
            presences=router.presences,
            requests=router.iqs,
            logins=events[Event.LOGGED_IN],
            failed_logins=events[Event.LOGIN_FAILED],
            waiting_writes=self._writer.behind,
            commit_seconds=round(max(commit for _, commit in self._worst), 4),
            lag_seconds=round(max(lag for lag, _ in self._worst), 4),
        )

    def metrics(self) -> Response:
        """The page that Prometheus reads."""
        return Response(200, generate_latest(self._metrics), CONTENT_TYPE_LATEST)

    def _collect(self) -> Iterator[Metric]:
        levels, router = self._witnessed.levels(), self._router
        yield _labelled("info", "The version that runs.", "version", {__version__: 1})
        yield GaugeMetricFamily(f"{NAME}_ready", "Whether new clients are let in.", int(self._is_ready()))
        started = self._started.timestamp()
        yield GaugeMetricFamily(f"{NAME}_start_time_seconds", "When it was started, since 1970.", started)
        yield GaugeMetricFamily(f"{NAME}_memory_bytes", "Resident memory.", memory_bytes())
        for name, text in (
            ("connections", "Connections of clients."),
            ("sessions", "Bound resources, those that wait for their client as well."),
            ("accounts", "Accounts with a session."),
        ):
            yield GaugeMetricFamily(f"{NAME}_{name}", text, levels[name])
        stanzas = CounterMetricFamily(f"{NAME}_stanzas", "What clients sent.", labels=["kind"])
        for kind, count in (("message", router.messages), ("presence", router.presences), ("iq", router.iqs)):
            stanzas.add_metric([kind], count)
        yield stanzas
        events = CounterMetricFamily(f"{NAME}_client_events", "What became of connections.", labels=["event"])
        for event, count in self._witnessed.events.items():
            events.add_metric([event.value], count)
        yield events
        yield GaugeMetricFamily(
            f"{NAME}_writes_waiting", "Writes that wait for the disk.", self._writer.behind
        )
        yield _histogram("commit_seconds", "How long a commit takes.", self._writer.commits)
        yield _histogram("loop_lag_seconds", "How late the loop comes.", self._lag)
        yield _labelled(
            "certificate_expiry_seconds", "When a certificate ends, since 1970.", "file", self._expiries()
        )
        yield from self._beside()


class _Collected(Collector):
    """What is collected when somebody asks."""

    def __init__(self, collect: Callable[[], Iterator[Metric]]) -> None:
        self._collect = collect

    def collect(self) -> Iterator[Metric]:
        return self._collect()


def _labelled(name: str, text: str, label: str, values: dict[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{NAME}_{name}", text, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


def _histogram(name: str, text: str, latency: Latency) -> Metric:
    """Prometheus counts what is in a bucket or a smaller one."""
    buckets, sum_so_far = [], 0
    for bound, count in zip((*map(str, latency.bounds), "+Inf"), tuple(latency.counts), strict=True):
        sum_so_far += count
        buckets.append((bound, float(sum_so_far)))
    family = HistogramMetricFamily(f"{NAME}_{name}", text)
    family.add_metric([], buckets, latency.total)
    return family
