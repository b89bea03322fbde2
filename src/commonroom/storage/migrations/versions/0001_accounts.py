"""Accounts with their rosters, offline messages, private XML and last activity; the service's secrets."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)
from sqlalchemy.schema import SchemaItem

revision = "0001"
down_revision = None

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_ADDRESS = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _accounts()
    _rosters()
    _messages()
    _others()


def _accounts() -> None:
    op.create_table(
        "account",
        Column("id", _NUMBER, Identity(), nullable=False),
        Column("jid", _ADDRESS, nullable=False),
        Column("domain", _ADDRESS, nullable=False),
        Column("scram_keys", Text, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("disabled", Boolean, nullable=False),
        Column("changed", BigInteger, nullable=False),
        PrimaryKeyConstraint("id", name="pk_account"),
        UniqueConstraint("jid", name="uq_account_jid"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_account_domain_jid", "account", ["domain", "jid"])
    op.create_index("ix_account_changed", "account", ["changed"])
    revision_table = op.create_table(
        "account_revision",
        Column("id", Integer, autoincrement=False, nullable=False),
        Column("value", BigInteger, nullable=False),
        PrimaryKeyConstraint("id", name="pk_account_revision"),
    )
    op.bulk_insert(revision_table, [{"id": 1, "value": 0}])
    op.create_table(
        "removed_account",
        Column("revision", _NUMBER, autoincrement=False, nullable=False),
        Column("jid", _ADDRESS, nullable=False),
        PrimaryKeyConstraint("revision", name="pk_removed_account"),
    )


def _rosters() -> None:
    op.create_table("roster", *_of_account("roster"), Column("complete_from", BigInteger, nullable=False))
    op.create_table(
        "roster_item",
        *_of_account("roster_item", "contact"),
        Column("contact", _ADDRESS, nullable=False),
        Column("name", Text, nullable=False),
        Column("groups", Text, nullable=False),
        Column("state", Text, nullable=False),
        Column("approved", Boolean, nullable=False),
        Column("listed", Boolean, nullable=False),
        Column("request", Text),
        Column("version", BigInteger, nullable=False),
        sqlite_with_rowid=False,
    )


def _messages() -> None:
    op.create_table(
        "offline_message",
        Column("id", _NUMBER, autoincrement=False, nullable=False),
        Column("account_id", _NUMBER, nullable=False),
        Column("stamp", BigInteger, nullable=False),
        Column("size", Integer, nullable=False),
        Column("xml", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_offline_message"),
        _belongs("offline_message"),
    )
    op.create_index("ix_offline_message_account_id_id_size", "offline_message", ["account_id", "id", "size"])


def _others() -> None:
    op.create_table(
        "private_xml",
        *_of_account("private_xml", "element"),
        Column("element", Text, nullable=False),
        Column("size", Integer, nullable=False),
        Column("xml", Text, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "last_activity",
        *_of_account("last_activity"),
        Column("at", BigInteger, nullable=False),
        Column("status", Text, nullable=False),
    )
    op.create_table(
        "secret",
        Column("name", Text, nullable=False),
        Column("value", LargeBinary, nullable=False),
        PrimaryKeyConstraint("name", name="pk_secret"),
    )
    op.create_table(
        "writer_progress",
        Column("writer", Text, nullable=False),
        Column("batch", BigInteger, nullable=False),
        PrimaryKeyConstraint("writer", name="pk_writer_progress"),
    )


def _of_account(table: str, *rest_of_key: str) -> tuple[SchemaItem, ...]:
    """The account's number, with which the table's key begins."""
    return (
        Column("account_id", _NUMBER, autoincrement=False, nullable=False),
        PrimaryKeyConstraint("account_id", *rest_of_key, name=f"pk_{table}"),
        _belongs(table),
    )


def _belongs(table: str) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(
        ["account_id"], ["account.id"], name=f"fk_{table}_account_id_account", ondelete="CASCADE"
    )
