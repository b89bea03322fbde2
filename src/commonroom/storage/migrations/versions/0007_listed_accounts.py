"""Accounts that files elsewhere list: from where, since when no more, and for which hash their keys are."""

from alembic import op
from sqlalchemy import BigInteger, Column, Text

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("account", Column("origin", Text))
    op.add_column("account", Column("departed", BigInteger))
    op.add_column("account", Column("verifier", Text))
    op.add_column("account", Column("login", Text))
    op.create_index("ix_account_departed", "account", ["departed"])
