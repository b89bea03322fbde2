"""A store of what waits, whose reads take their time."""

from dataclasses import replace

from commonroom.protocol.jid import JID
from commonroom.storage.errors import StorageError
from commonroom.storage.memory import Memory, MemoryOfflineStore
from commonroom.storage.records import OfflineMessage
from tests.conversations.world import Gate, World


class SlowReads(MemoryOfflineStore):
    """What is read was on disk when the reading began (`is_early`), or when the gate opens; or `fails`."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory)
        self.is_early = True
        self.fails = False
        self.go_on()

    def stop(self) -> None:
        """Whatever is read from now on waits."""
        self.gate = Gate()

    def go_on(self, gate: Gate | None = None) -> None:
        """Reads are fast again; those that wait, too, if it is at their gate."""
        self.gate = gate or Gate()
        self.gate.is_open = True

    async def load(self, account: JID, limit: int, after: int = 0) -> tuple[OfflineMessage, ...]:
        """Read the oldest ones."""
        if self.fails:
            raise StorageError("the disk cannot be read")
        early, is_early = await super().load(account, limit, after), self.is_early
        await self.gate
        return early if is_early else await super().load(account, limit, after)


def slow_reads(world: World) -> SlowReads:
    """Give the service such a store; it begins anew."""
    reads = SlowReads(world.memory)
    world.stores = replace(world.stores, offline=reads)
    world.restart()
    return reads
