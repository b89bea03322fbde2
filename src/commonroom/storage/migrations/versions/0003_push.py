"""Where accounts want notifications sent."""

from alembic import op
from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text

revision = "0003"
down_revision = "0002"

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_ADDRESS = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "push_service",
        Column("account_id", _NUMBER, autoincrement=False, nullable=False),
        Column("service", _ADDRESS, nullable=False),
        Column("node", _ADDRESS, nullable=False),
        Column("options", Text, nullable=False),
        PrimaryKeyConstraint("account_id", "service", "node", name="pk_push_service"),
        ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_push_service_account_id_account", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
