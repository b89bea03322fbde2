"""What operators may do, as data: scopes, and the roles that bundle them."""

from collections.abc import Mapping
from enum import StrEnum


class Scope(StrEnum):
    """One right; `read` changes nothing."""

    ACCOUNTS_READ = "accounts:read"
    ACCOUNTS_WRITE = "accounts:write"
    SESSIONS_READ = "sessions:read"
    SESSIONS_WRITE = "sessions:write"
    ARCHIVES_READ = "archives:read"
    ARCHIVES_WRITE = "archives:write"
    ROOMS_READ = "rooms:read"
    ROOMS_WRITE = "rooms:write"
    ANNOUNCEMENTS_WRITE = "announcements:write"
    RECORDS_READ = "records:read"
    SERVICE_READ = "service:read"
    SERVICE_WRITE = "service:write"
    METRICS_READ = "metrics:read"
    TOKENS_WRITE = "tokens:write"


EVERYTHING = frozenset(Scope)

# Who has which role is said in the configuration, in the table [roles]. docs/accounts.md shows this table.
ROLES: Mapping[str, frozenset[Scope]] = {
    "operator": EVERYTHING,
    "helpdesk": frozenset(
        (
            Scope.ACCOUNTS_READ,
            Scope.ACCOUNTS_WRITE,
            Scope.SESSIONS_READ,
            Scope.SESSIONS_WRITE,
            Scope.ROOMS_READ,
            Scope.SERVICE_READ,
        )
    ),
    "auditor": frozenset((Scope.RECORDS_READ, Scope.SERVICE_READ)),
}
