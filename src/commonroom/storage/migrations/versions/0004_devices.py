"""The clients of accounts, and their tokens."""

from alembic import op
from sqlalchemy import BigInteger, Boolean, Column, ForeignKeyConstraint, Integer, PrimaryKeyConstraint, Text

revision = "0004"
down_revision = "0003"

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_ADDRESS = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "device",
        Column("account_id", _NUMBER, autoincrement=False, nullable=False),
        Column("client", _ADDRESS, nullable=False),
        Column("software", Text, nullable=False),
        Column("name", Text, nullable=False),
        Column("first_seen", BigInteger, nullable=False),
        Column("last_seen", BigInteger, nullable=False),
        Column("password", Boolean, nullable=False),
        Column("tokens", Text, nullable=False),
        PrimaryKeyConstraint("account_id", "client", name="pk_device"),
        ForeignKeyConstraint(
            ["account_id"], ["account.id"], name="fk_device_account_id_account", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
