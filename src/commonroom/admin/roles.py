"""Which accounts may do what, by the tables [roles] and [records]."""

from dataclasses import fields

from commonroom.admin.scopes import ROLES, Scope
from commonroom.config import Settings
from commonroom.config.records import Role
from commonroom.protocol.jid import JID, InvalidJID


class Roles:
    """What each account with a role may do; changed when the configuration is read again."""

    def __init__(self, settings: Settings) -> None:
        self.use(settings)

    def use(self, settings: Settings) -> None:
        """Go by this configuration from now on; only accounts of ours have roles."""
        found: dict[JID, frozenset[Scope]] = {}
        for each in fields(settings.roles):
            scopes = _scopes(Role(each.name), settings)
            for address in getattr(settings.roles, each.name):
                jid = _address(address)
                if jid is not None and jid.domain in settings.domains:
                    found[jid] = found.get(jid, frozenset()) | scopes
        self._scopes = found

    def scopes(self, account: JID) -> frozenset[Scope]:
        """Of the account; none, if it has no role."""
        return self._scopes.get(account.bare, frozenset())


def _scopes(role: Role, settings: Settings) -> frozenset[Scope]:
    """Who may read records is configured; all else is the role's."""
    records = {Scope.RECORDS_READ} if role in settings.records.readers else set()
    return (ROLES[role] - {Scope.RECORDS_READ}) | records


def _address(text: str) -> JID | None:
    try:
        return JID.parse(text).bare
    except InvalidJID:
        return None
