"""What a server says that it can do."""

import asyncio
import time
from typing import NamedTuple

from bench.site import PASSWORD
from crash import stanzas
from crash.wire import Door, login

START_SECONDS = 30.0


class Abilities(NamedTuple):
    """What decides which parts of a run can be judged."""

    manages: bool  # XEP-0198
    archives: bool  # XEP-0313

    @property
    def missing(self) -> list[str]:
        """As the report says it."""
        lacks = []
        if not self.manages:
            lacks.append("no XEP-0198: nothing is ever acknowledged to a sender")
        if not self.archives:
            lacks.append("no XEP-0313: no archive to look into")
        return lacks


async def abilities(door: Door) -> Abilities:
    """Wait until it serves, and ask; raises OSError if it does not."""
    end = time.monotonic() + START_SECONDS
    while True:
        try:
            return await _ask(door)
        except OSError:
            if time.monotonic() > end:
                raise
            await asyncio.sleep(0.1)


async def _ask(door: Door) -> Abilities:
    wire, features = await login(door, "u0", PASSWORD)
    try:
        wire.write(stanzas.bind("question"))
        await wire.next()
        wire.write(stanzas.disco("account", f"u0@{door.domain}"))
        while (answer := await wire.next()).get("id") != "account":
            pass
        query = answer.child(stanzas.NS_DISCO, "query")
        said = {element.get("var") for element in query.elements()} if query else set()
        manages = features.child(stanzas.NS_MANAGEMENT, "sm") is not None
        return Abilities(manages, stanzas.NS_ARCHIVE in said)
    finally:
        wire.write(stanzas.END)
        wire.abort()
