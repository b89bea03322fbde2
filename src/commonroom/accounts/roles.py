"""Who may do what beyond using their own account: roles, as data."""

from collections.abc import Iterable, Mapping
from enum import Enum

from commonroom.config.accounts import Accounts
from commonroom.protocol.jid import JID


class Permission(Enum):
    """What somebody may do: subject and action."""

    ACCOUNT_READ = "account:read"
    ACCOUNT_CREATE = "account:create"
    ACCOUNT_PASSWORD = "account:password"
    ACCOUNT_LOCK = "account:lock"
    ACCOUNT_REMOVE = "account:remove"
    ACCOUNT_CONFIRM = "account:confirm"
    SESSION_READ = "session:read"
    SESSION_END = "session:end"
    MESSAGE_ANNOUNCE = "message:announce"
    RECORD_READ = "record:read"
    STATISTICS_READ = "statistics:read"
    SERVICE_CHANGE = "service:change"


class Role(Enum):
    """Named in the configuration, each with its members."""

    OPERATOR = "operator"
    HELPDESK = "helpdesk"
    AUDITOR = "auditor"


GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.OPERATOR: frozenset(Permission),
    Role.HELPDESK: frozenset(
        {
            Permission.ACCOUNT_READ,
            Permission.ACCOUNT_LOCK,
            Permission.SESSION_READ,
            Permission.SESSION_END,
        }
    ),
    Role.AUDITOR: frozenset({Permission.RECORD_READ, Permission.STATISTICS_READ, Permission.ACCOUNT_READ}),
}


def configured(accounts: Accounts) -> "Roles":
    """As the configuration says; raises InvalidJID for a member that is no address."""
    named = {
        Role.OPERATOR: accounts.operators,
        Role.HELPDESK: accounts.helpdesk,
        Role.AUDITOR: accounts.auditors,
    }
    return Roles({role: [JID.parse(each).bare for each in members] for role, members in named.items()})


class Roles:
    """Of accounts, by address; the members are normalised addresses."""

    def __init__(self, members: Mapping[Role, Iterable[JID]]) -> None:
        self._roles: dict[JID, set[Role]] = {}
        for role, accounts in members.items():
            for account in accounts:
                self._roles.setdefault(account, set()).add(role)

    def of(self, account: JID) -> frozenset[Role]:
        """The roles of an account; resources make no difference."""
        return frozenset(self._roles.get(account.bare, ()))

    def may(self, account: JID, permission: Permission) -> bool:
        """Whether one of its roles grants it."""
        return any(permission in GRANTS[role] for role in self.of(account))

    def granted(self, account: JID) -> frozenset[Permission]:
        """All that it may do."""
        return frozenset().union(*(GRANTS[role] for role in self.of(account)))
