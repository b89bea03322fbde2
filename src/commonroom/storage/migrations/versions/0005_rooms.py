"""Rooms, their lists, what is left of those that were destroyed, and requests for names."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Identity,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)

revision = "0005"
down_revision = "0004"

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_ADDRESS = Text().with_variant(Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the tables."""
    _rooms()
    _affiliations()
    _graves()
    _requests()


def _rooms() -> None:
    op.create_table(
        "room",
        Column("id", _NUMBER, Identity(), nullable=False),
        Column("address", _ADDRESS, nullable=False),
        Column("domain", _ADDRESS, nullable=False),
        Column("public", Integer, nullable=False),
        Column("words", Text, nullable=False),
        Column("skeleton", _ADDRESS, nullable=False),
        Column("config", Text, nullable=False),
        Column("occupant_key", LargeBinary, nullable=False),
        Column("created", BigInteger, nullable=False),
        Column("used", BigInteger, nullable=False),
        Column("version", BigInteger, nullable=False),
        Column("subject", Text),
        Column("subject_stamp", BigInteger),
        Column("vcard", Text),
        PrimaryKeyConstraint("id", name="pk_room"),
        UniqueConstraint("address", name="uq_room_address"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_room_domain_address", "room", ["domain", "address"])
    op.create_index("ix_room_skeleton", "room", ["skeleton"])
    op.create_index("ix_room_domain_used", "room", ["domain", "used"])


def _affiliations() -> None:
    op.create_table(
        "room_affiliation",
        Column("room_id", _NUMBER, autoincrement=False, nullable=False),
        Column("jid", _ADDRESS, nullable=False),
        Column("affiliation", Text, nullable=False),
        Column("nick", Text),
        Column("reason", Text),
        Column("version", BigInteger, nullable=False),
        PrimaryKeyConstraint("room_id", "jid", name="pk_room_affiliation"),
        ForeignKeyConstraint(
            ["room_id"], ["room.id"], name="fk_room_affiliation_room_id_room", ondelete="CASCADE"
        ),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_room_affiliation_jid", "room_affiliation", ["jid"])


def _graves() -> None:
    op.create_table(
        "room_grave",
        Column("address", _ADDRESS, nullable=False),
        Column("stamp", BigInteger, nullable=False),
        Column("reason", Text),
        Column("alternate", Text),
        PrimaryKeyConstraint("address", name="pk_room_grave"),
    )
    op.create_index("ix_room_grave_stamp", "room_grave", ["stamp"])


def _requests() -> None:
    op.create_table(
        "room_request",
        Column("address", _ADDRESS, nullable=False),
        Column("domain", _ADDRESS, nullable=False),
        Column("requester", Text, nullable=False),
        Column("stamp", BigInteger, nullable=False),
        PrimaryKeyConstraint("address", name="pk_room_request"),
    )
    op.create_index("ix_room_request_domain_address", "room_request", ["domain", "address"])
