"""Which accounts may do what, by the tables [roles] and [records], and the files that they name."""

from collections.abc import Collection, Mapping
from pathlib import Path

from commonroom.admin.scopes import ROLES, Scope
from commonroom.config import Settings
from commonroom.config.records import Role
from commonroom.protocol.jid import JID, InvalidJID


class Roles:
    """What each account with a role may do; changed when the configuration, or a file, is read again."""

    def __init__(self, settings: Settings) -> None:
        self._listed: Mapping[Role, Collection[JID]] = {}
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Go by this configuration from now on; only accounts of ours have roles."""
        self._settings = settings
        found: dict[JID, frozenset[Scope]] = {}
        for role in Role:
            scopes = _scopes(role, settings)
            configured = map(_address, getattr(settings.roles, role))
            for jid in (*configured, *self._listed.get(role, ())):
                if jid is not None and jid.domain in settings.domains:
                    found[jid] = found.get(jid, frozenset()) | scopes
        self._scopes = found

    def use_listed(self, listed: Mapping[Role, Collection[JID]]) -> None:
        """Go by what the files say from now on, beside the configuration."""
        self._listed = listed
        self.use(self._settings)

    def scopes(self, account: JID) -> frozenset[Scope]:
        """Of the account; none, if it has no role."""
        return self._scopes.get(account.bare, frozenset())


def role_files(settings: Settings) -> dict[Role, tuple[Path, ...]]:
    """The files that list who has a role."""
    return {role: getattr(settings.roles, f"{role}_files") for role in Role}


def _scopes(role: Role, settings: Settings) -> frozenset[Scope]:
    """Who may read records is configured; all else is the role's."""
    records = {Scope.RECORDS_READ} if role in settings.records.readers else set()
    return (ROLES[role] - {Scope.RECORDS_READ}) | records


def _address(text: str) -> JID | None:
    try:
        return JID.parse(text).bare
    except InvalidJID:
        return None
