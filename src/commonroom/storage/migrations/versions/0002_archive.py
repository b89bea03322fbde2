"""Archives of messages, what accounts want archived, and the tables of full-text search."""

from alembic import op
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKeyConstraint,
    Identity,
    Integer,
    PrimaryKeyConstraint,
    Text,
    UniqueConstraint,
)

revision = "0002"
down_revision = "0001"

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
_ADDRESS = Text().with_variant(Text(collation="C"), "postgresql")

_SEARCH = {
    # The tokens come ready from `words.py`: letters and digits of any script, and one underscore. Only
    # which message has a word is kept, neither where in it nor the text.
    "sqlite": (
        "CREATE VIRTUAL TABLE archive_words USING fts5"
        " (words, content='', columnsize=0, detail=none, tokenize=\"ascii tokenchars '_'\")",
    ),
    "postgresql": (
        "CREATE TABLE archive_words (id bigint NOT NULL, words tsvector NOT NULL,"
        " CONSTRAINT pk_archive_words PRIMARY KEY (id))",
        "CREATE INDEX ix_archive_words_words ON archive_words USING gin (words)",
    ),
}


def upgrade() -> None:
    """Make the tables, and an archive for each account."""
    _owners()
    _messages()
    _preferences()
    for statement in _SEARCH[op.get_bind().dialect.name]:
        op.execute(statement)


def _owners() -> None:
    op.create_table(
        "archive_owner",
        Column("id", _NUMBER, Identity(), nullable=False),
        Column("address", _ADDRESS),
        Column("indexed", BigInteger, nullable=False),
        PrimaryKeyConstraint("id", name="pk_archive_owner"),
        UniqueConstraint("address", name="uq_archive_owner_address"),
        sqlite_autoincrement=True,
    )
    op.execute("INSERT INTO archive_owner (address, indexed) SELECT jid, 0 FROM account ORDER BY id")


def _messages() -> None:
    op.create_table(
        "archive",
        Column("id", _NUMBER, autoincrement=False, nullable=False),
        Column("owner", _NUMBER, nullable=False),
        Column("conversation", Integer, nullable=False),
        Column("peer", _ADDRESS, nullable=False),
        Column("resource", _ADDRESS),
        Column("outgoing", Integer, nullable=False),
        Column("origin", Text),
        Column("body", Text),
        Column("xml", Text, nullable=False),
        PrimaryKeyConstraint("id", name="pk_archive"),
    )
    op.create_index("ix_archive_owner_id", "archive", ["owner", "id"])
    op.create_index("ix_archive_conversation_id", "archive", ["conversation", "id"])
    op.create_table(
        "archive_erasure",
        Column("owner", _NUMBER, autoincrement=False, nullable=False),
        Column("peer", _ADDRESS, nullable=False),
        Column("conversation", Integer, nullable=False),
        Column("through", BigInteger, nullable=False),
        PrimaryKeyConstraint("owner", "peer", name="pk_archive_erasure"),
    )


def _preferences() -> None:
    op.create_table(
        "archive_preferences",
        Column("account_id", _NUMBER, autoincrement=False, nullable=False),
        Column("fallback", Text, nullable=False),
        Column("always", Text, nullable=False),
        Column("never", Text, nullable=False),
        PrimaryKeyConstraint("account_id", name="pk_archive_preferences"),
        ForeignKeyConstraint(
            ["account_id"],
            ["account.id"],
            name="fk_archive_preferences_account_id_account",
            ondelete="CASCADE",
        ),
    )
