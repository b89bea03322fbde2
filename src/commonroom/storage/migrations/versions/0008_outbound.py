"""What waits for other servers."""

from alembic import op
from sqlalchemy import BigInteger, Column, Integer, Text

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    number = BigInteger().with_variant(Integer, "sqlite")
    op.create_table(
        "outbound",
        Column("id", number, primary_key=True, autoincrement=False),
        Column("xml", Text, nullable=False),
    )
