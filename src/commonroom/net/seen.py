"""What operators see of a connection."""

from typing import NamedTuple

from commonroom.core.session import Session


class Seen(NamedTuple):
    """Its session, if it has one; `tls` is the version. Times are of the service's clock."""

    session: Session | None
    address: str
    tls: str | None
    connected_at: float
    last_received: float
