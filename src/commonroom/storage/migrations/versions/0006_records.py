"""Tokens of the HTTP API, what is recorded, and statistics."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)

revision = "0006"
down_revision = "0005"

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_ADDRESS = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "api_token",
        Column("name", _ADDRESS, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("scopes", Text, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("expires", BigInteger),
        PrimaryKeyConstraint("name", name="pk_api_token"),
        UniqueConstraint("digest", name="uq_api_token_digest"),
    )
    _records()
    op.create_table(
        "daily_visit",
        Column("day", Integer, autoincrement=False, nullable=False),
        Column("pseudonym", LargeBinary, nullable=False),
        Column("client", Text, nullable=False),
        PrimaryKeyConstraint("day", "pseudonym", name="pk_daily_visit"),
    )
    op.create_table(
        "daily_statistic",
        Column("day", Integer, autoincrement=False, nullable=False),
        Column("name", _ADDRESS, nullable=False),
        Column("value", BigInteger, nullable=False),
        PrimaryKeyConstraint("day", "name", name="pk_daily_statistic"),
    )


def _records() -> None:
    op.create_table(
        "audit_record",
        Column("id", _NUMBER, Identity(), nullable=False),
        Column("at", BigInteger, nullable=False),
        Column("tag", _ADDRESS, nullable=False),
        Column("who", _ADDRESS),
        Column("peer", _ADDRESS),
        Column("address", Text),
        Column("facts", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_audit_record"),
    )
    op.create_index("ix_audit_record_at", "audit_record", ["at"])
    op.create_index("ix_audit_record_who_at", "audit_record", ["who", "at"])
    op.create_index("ix_audit_record_peer_at", "audit_record", ["peer", "at"])
