"""Operations on connections with other servers: which there are, what failed, and ending them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from commonroom.admin.operation import Arg, Form, operation
from commonroom.admin.scopes import Scope
from commonroom.federation.overview import Overview


@dataclass(frozen=True, slots=True)
class ServerStream:
    """A connection with another server. `direction` is `out` if we opened it; times are in seconds."""

    theirs: str
    ours: str
    direction: str
    address: str
    tls: str
    sent: int
    received: int
    seconds: int
    silent: int


@dataclass(frozen=True, slots=True)
class ServerFailure:
    """What went wrong with a domain last, and how often since it last worked."""

    domain: str
    direction: str
    at: datetime
    reason: str
    times: int


@dataclass(frozen=True, slots=True)
class Servers:
    """The connections of now, and the failures of lately, the latest first."""

    streams: tuple[ServerStream, ...]
    failures: tuple[ServerFailure, ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """How many connections were ended."""

    streams: int


@operation("s2s list", Scope.SERVICE_READ, "List connections with other servers.", "--domain example.net")
async def list_servers(
    overview: Overview,
    domain: Annotated[str | None, Arg("Only what is about this domain.", Form.DOMAIN)] = None,
) -> Servers:
    """What is there, and why what is not there is not."""
    streams = tuple(
        ServerStream(
            each.theirs,
            each.ours,
            each.direction,
            each.address,
            each.tls,
            each.sent,
            each.received,
            each.seconds,
            each.silent,
        )
        for each in overview.streams(domain)
    )
    failures = tuple(
        ServerFailure(each.domain, each.direction, each.at, each.reason, each.times)
        for each in overview.failures()
        if domain in (None, each.domain)
    )
    return Servers(streams, failures)


@operation("s2s close", Scope.SERVICE_WRITE, "End the connections with a domain.", "example.net")
async def close_servers(
    overview: Overview, domain: Annotated[str, Arg("The domain of the other server.", Form.DOMAIN)]
) -> Closed:
    """They are made anew when there is something to send."""
    return Closed(overview.close(domain))
