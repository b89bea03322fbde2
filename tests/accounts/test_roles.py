"""Who may do what."""

import pytest

from commonroom.accounts.roles import GRANTS, Permission, Role, Roles, configured
from commonroom.config.accounts import Accounts
from commonroom.protocol.jid import JID, InvalidJID

OPS, HELP, BOTH, NOBODY = (JID.parse(f"{name}@example.org") for name in ("ops", "help", "both", "nobody"))
ROLES = Roles({Role.OPERATOR: [OPS], Role.HELPDESK: [HELP, BOTH], Role.AUDITOR: [BOTH]})


def test_who_has_no_role_may_nothing() -> None:
    assert ROLES.of(NOBODY) == frozenset()
    assert not any(ROLES.may(NOBODY, permission) for permission in Permission)
    assert not ROLES.granted(NOBODY)


def test_the_helpdesk_does_not_read_records_or_change_the_service() -> None:
    assert not ROLES.may(HELP, Permission.RECORD_READ)
    assert not ROLES.may(HELP, Permission.SERVICE_CHANGE)
    assert not ROLES.may(HELP, Permission.ACCOUNT_REMOVE)


def test_auditors_change_nothing() -> None:
    actions = {permission.value.partition(":")[2] for permission in GRANTS[Role.AUDITOR]}
    assert actions == {"read"}


def test_roles_add_up_and_resources_make_no_difference() -> None:
    assert ROLES.of(BOTH.with_resource("desk")) == {Role.HELPDESK, Role.AUDITOR}
    assert ROLES.granted(BOTH) == GRANTS[Role.HELPDESK] | GRANTS[Role.AUDITOR]


def test_operators_may_everything() -> None:
    assert ROLES.granted(OPS) == frozenset(Permission)


def test_members_are_named_in_the_configuration() -> None:
    roles = configured(Accounts(operators=("Ops@example.org/desk",), auditors=("both@example.org",)))
    assert roles.of(OPS) == {Role.OPERATOR}
    assert roles.of(BOTH) == {Role.AUDITOR}
    with pytest.raises(InvalidJID):
        configured(Accounts(helpdesk=("a b@example.org",)))
