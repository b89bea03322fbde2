"""The load generator's other end: commands out, JSON in. See native/generator.c."""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench.processes import cpu_seconds


class LoadFailed(Exception):  # noqa: N818 - what happened
    """Something did not arrive, or somebody could not log in: what was measured says nothing."""


class Count(NamedTuple):
    """Since the load began; latencies in seconds, since the last reset (None: nothing arrived)."""

    time: float
    sent: int
    received: int
    errors: int
    in_flight: int
    results: int
    p50: float | None
    p99: float | None
    longest: float | None


class LoggedIn(NamedTuple):
    """How long all took, and each; in seconds."""

    ready: int
    failed: int
    seconds: float
    p50: float | None
    p99: float | None
    longest: float | None


@dataclass(frozen=True, slots=True)
class Door:
    """Where and how clients connect: transport is plain, starttls, direct, relay or plain-relay."""

    port: int
    transport: str
    mechanism: str


class Generator:
    """One process with all clients of one server, pinned to a core of its own."""

    def __init__(self, program: Path, core: int, door: Door, domain: str, password: str, log: Path) -> None:
        self.door = door
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [
                    *("taskset", "-c", str(core), program),
                    *("127.0.0.1", str(door.port), door.transport, door.mechanism, domain, password),
                ],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._log = log

    def close(self) -> None:
        """End it; its clients' sockets are closed."""
        self._process.kill()
        self._process.communicate()

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        return cpu_seconds(self._process.pid)

    def message(self, template: str) -> None:
        """What `chat` and `rate` send; @TO@ and @ID@ are filled in."""
        self._count(f"message {template}")

    def presence(self, template: str) -> None:
        """What `update` sends."""
        self._count(f"presence {template}")

    def query(self, template: str) -> None:
        """What `pages` sends."""
        self._count(f"query {template}")

    def manage(self) -> None:
        """Who logs in from now on turns on stream management."""
        self._count("manage")

    def far(self, door: Door, domain: str) -> None:
        """Clients with an odd number live there, so that pairs talk over the border."""
        self._count(f"far {door.port} {domain}")

    def login(self, count: int, window: int = 8, first: int = 0) -> LoggedIn:
        """Log in; raises LoadFailed if one of them cannot."""
        result = LoggedIn(**self._ask(f"login {first} {count} {window}"))
        if result.failed:
            raise LoadFailed(f"{result.failed} of {count} clients could not log in {self._last_words()}")
        return result

    def logout(self, count: int, first: int = 0) -> None:
        """Close their streams."""
        self._count(f"logout {first} {count}")

    def drop(self, count: int, first: int = 0) -> None:
        """Close their sockets without a word."""
        self._count(f"drop {first} {count}")

    def chat(self, pairs: int, in_flight: int, first: int = 0) -> None:
        """Pairs answer each other's messages, so many at a time; the first client has an even number."""
        self._count(f"chat {first} {pairs} {in_flight}")

    def rate(self, pairs: int, per_second: int) -> None:
        """Messages at a fixed rate."""
        self._count(f"rate {pairs} {per_second}")

    def update(self, sender: int, first: int, count: int) -> None:
        """One changes presence again and again; each time all others get a copy first."""
        self._count(f"update {sender} {first} {count}")

    def say(self, number: int, stanza: str) -> None:
        """One client sends something, and nobody waits for what comes of it."""
        self._count(f"say {number} {stanza}")

    def enter(self, room: str, first: int, count: int, copies: int) -> None:
        """They enter a room at once, and see so many presences altogether: then nothing is in flight."""
        self._count(f"enter {room} {first} {count} {copies}")

    def discuss(self, room: str, sender: int, count: int) -> None:
        """One speaks when all, itself among them, have what it said before; the first of them is client 0."""
        self._count(f"discuss {room} {sender} 0 {count}")

    def pages(self, first: int, count: int) -> None:
        """So many clients ask for a page of their archive, again and again."""
        self._count(f"pages {first} {count}")

    def last(self) -> str:
        """The id of the last message on the last page."""
        return str(self._ask("last")["last"])

    def count(self) -> Count:
        """What has happened so far."""
        return self._count("count")

    def lap(self) -> Count:
        """The same, with the latencies since the last lap or reset; those of `count` go on."""
        return self._count("lap")

    def give_way(self, nice: int = 19) -> None:
        """Its clients are not those that are measured: let them be in nobody's way."""
        os.setpriority(os.PRIO_PROCESS, self._process.pid, nice)

    def reset(self) -> None:
        """Begin new latencies."""
        self._count("reset")

    def stop(self) -> Count:
        """Send nothing more, wait for what is under way; raises LoadFailed if it does not come."""
        count = self._count("stop")
        if count.in_flight or count.errors:
            raise LoadFailed(f"{count.in_flight} did not arrive, {count.errors} errors {self._last_words()}")
        return count

    def _count(self, line: str) -> Count:
        return Count(**self._ask(line))

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise LoadFailed(f"the generator ended {self._last_words()}")
        found: dict[str, Any] = json.loads(answer)
        return found

    def _last_words(self) -> str:
        """Where, and what it complained of; the folder has the server's name."""
        lines = self._log.read_text(errors="replace").splitlines()[-10:]
        return "\n".join([f"({self._log.parent.name})", *lines])
