"""docs/accounts.md shows what each role may do."""

import re
from pathlib import Path

from commonroom.admin.scopes import ROLES, Scope

PAGE = (Path(__file__).parents[2] / "docs" / "accounts.md").read_text()


def test_the_table_of_roles_is_what_counts() -> None:
    told = {
        scope: (operator, helpdesk, auditor)
        for scope, operator, helpdesk, auditor in re.findall(
            r"^\| `([a-z]+:[a-z]+)` \| *(.*?) *\| *(.*?) *\| *(.*?) *\|$", PAGE, re.MULTILINE
        )
    }
    counts = {
        scope.value: tuple(
            "`records.readers`" if scope is Scope.RECORDS_READ else "yes" if scope in ROLES[role] else ""
            for role in ("operator", "helpdesk", "auditor")
        )
        for scope in Scope
    }
    assert told == counts
