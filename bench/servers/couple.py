"""Two servers of one kind, each with a domain of its own, which find each other: what both use counts."""

from bench.meter import Used
from bench.servers.server import Server


class Together:
    """What several servers use."""

    def __init__(self, *each: Used) -> None:
        self._each = each

    def cpu(self) -> float:
        """Seconds of CPU, user and system, of all of them."""
        return sum(processes.cpu() for processes in self._each)


class Couple:
    """Both are on the same core."""

    def __init__(self, near: Server, far: Server) -> None:
        self.name = near.name
        self.near = near
        self.far = far
        self.processes = Together(near.processes, far.processes)
