"""Operations on the clients of an account, and on the tokens with which they log in (XEP-0484)."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from commonroom.admin.accounts import Address, find
from commonroom.admin.errors import NoSuchClient
from commonroom.admin.live import Live
from commonroom.admin.operation import Arg, operation
from commonroom.admin.registry import Registry
from commonroom.admin.scopes import Scope
from commonroom.protocol.jid import JID
from commonroom.storage.stamps import from_stamp, to_stamp


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What is known of a client; `returns_until`: so long it can log in without the password, if at all."""

    client: str
    software: str
    name: str
    first_seen: datetime
    last_seen: datetime
    returns_until: datetime | None


@operation(
    "session clients",
    Scope.SESSIONS_READ,
    "List the clients of an account, those seen last first.",
    "alice@example.org",
)
async def list_devices(registry: Registry, address: Address) -> tuple[DeviceFacts, ...]:
    """The clients of an account, those seen last first; raises BadAddress or NoSuchAccount."""
    account = await find(registry, address)
    known = await registry.stores.devices.load(account.jid)
    now = to_stamp(registry.now())
    facts = []
    for device in sorted(known, key=lambda device: device.last_seen, reverse=True):
        ends = [token.expires for token in device.tokens if token.revision == account.changed]
        until = max((end for end in ends if end > now and not account.disabled), default=None)
        returns = None if until is None else from_stamp(until)
        facts.append(
            DeviceFacts(
                device.client, device.software, device.name, device.first_seen, device.last_seen, returns
            )
        )
    return tuple(facts)


@operation(
    "session revoke",
    Scope.SESSIONS_WRITE,
    "Forget a client: the next time it needs the password.",
    "alice@example.org d4565fa7",
)
async def forget_device(
    registry: Registry,
    live: Live | None,
    address: Address,
    client: Annotated[str, Arg("The client's id, as `session clients` names it.")],
) -> JID:
    """Forget a client of an account: it needs the password to log in again, and its sessions end.

    Raises BadAddress, NoSuchAccount or NoSuchClient.
    """
    account = await find(registry, address)
    if await registry.stores.devices.get(account.jid, client) is None:
        raise NoSuchClient(
            f"{client}: {account.jid} has no such client; `commonroom session list` names them"
        )
    before = registry.stores.writes.appended
    registry.stores.devices.remove(account.jid, client)
    await registry.stores.writes.flushed(before)
    if live is not None:
        live.end_client(account.jid, client)
    return account.jid
