"""Every operation, one line each, in the order in which they are listed."""

from collections.abc import Awaitable, Callable
from typing import Any

from commonroom.admin.accounts import (
    add_account,
    lock_account,
    page_of_accounts,
    remove_account,
    set_password,
    show_account,
    unlock_account,
)
from commonroom.admin.archive import erase, expire_archives
from commonroom.admin.audit import find_records, statistics
from commonroom.admin.certificates import (
    check,
    dns_records,
    request,
    self_signed,
    show_certificates,
)
from commonroom.admin.devices import forget_device, list_devices
from commonroom.admin.operation import Operation, declared
from commonroom.admin.reload import drain, log_level, reload
from commonroom.admin.rooms import (
    approve,
    change_room,
    create_room,
    destroy_room,
    history,
    list_rooms,
    members,
    refuse,
    requests,
    set_member,
    show_room,
)
from commonroom.admin.servers import close_servers, list_servers
from commonroom.admin.service import announce, stats
from commonroom.admin.sessions import kick, list_sessions, show_sessions
from commonroom.admin.tokens import add_token, list_tokens, remove_token

FUNCTIONS: tuple[Callable[..., Awaitable[Any]], ...] = (
    add_account,
    page_of_accounts,
    show_account,
    set_password,
    lock_account,
    unlock_account,
    remove_account,
    list_sessions,
    show_sessions,
    kick,
    list_devices,
    forget_device,
    expire_archives,
    erase,
    list_rooms,
    show_room,
    create_room,
    change_room,
    members,
    set_member,
    history,
    destroy_room,
    requests,
    approve,
    refuse,
    add_token,
    list_tokens,
    remove_token,
    find_records,
    statistics,
    show_certificates,
    check,
    self_signed,
    request,
    dns_records,
    list_servers,
    close_servers,
    stats,
    announce,
    log_level,
    reload,
    drain,
)


def operations() -> tuple[Operation, ...]:
    """Their declarations."""
    return tuple(map(declared, FUNCTIONS))
