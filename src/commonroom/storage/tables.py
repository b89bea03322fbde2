"""The tables, as SQLAlchemy sees them; `migrations/` makes them, and a test compares the two.

Accounts are named by address everywhere but inside the database, where a number stands for them: it
keeps rows and indexes short, and rows that hang on it go with the account. Only plain types are used
(integers, text, bytes), so that what the driver returns needs no conversion.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite gives only an INTEGER primary key its numbers by itself.
_Number = BigInteger().with_variant(Integer, "sqlite")
# PostgreSQL would sort by the language of the database; SQLite sorts by code point, and so do we.
_Address = Text().with_variant(Text(collation="C"), "postgresql")


def _account_number(*, in_key: bool = True) -> Column[int]:
    """The account that a row belongs to."""
    return Column(
        "account_id",
        _Number,
        ForeignKey("account.id", ondelete="CASCADE"),
        primary_key=in_key,
        nullable=False,
        autoincrement=False,
    )


account = Table(
    "account",
    metadata,
    Column("id", _Number, Identity(), primary_key=True),
    Column("jid", _Address, nullable=False, unique=True),
    Column("domain", _Address, nullable=False),
    Column("scram_keys", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("changed", BigInteger, nullable=False),
    Column("origin", Text),  # which source lists it; NULL: it is kept here alone
    Column("departed", BigInteger),  # when it left that source
    Column("verifier", Text),
    Column("login", Text),
    Index(None, "domain", "jid"),
    Index(None, "changed"),
    Index(None, "departed"),
    sqlite_autoincrement=True,  # a number is never used again
)

# One row. Whoever changes an account first counts here, which makes the others wait for the commit: so
# revisions become visible in their order.
account_revision = Table(
    "account_revision",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
)

removed_account = Table(
    "removed_account",
    metadata,
    Column("revision", _Number, primary_key=True, autoincrement=False),
    Column("jid", _Address, nullable=False),
)

roster = Table(
    "roster",
    metadata,
    _account_number(),
    Column("complete_from", BigInteger, nullable=False),
)

roster_item = Table(
    "roster_item",
    metadata,
    _account_number(),
    Column("contact", _Address, primary_key=True),
    Column("name", Text, nullable=False),
    Column("groups", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("approved", Boolean, nullable=False),
    Column("listed", Boolean, nullable=False),
    Column("request", Text),
    Column("version", BigInteger, nullable=False),
    sqlite_with_rowid=False,  # a roster lies together: one read, not one for each contact
)

# `size` is in the index so that quotas are answered from it.
offline_message = Table(
    "offline_message",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),  # from `Ids`
    _account_number(in_key=False),
    Column("stamp", BigInteger, nullable=False),
    Column("size", Integer, nullable=False),
    Column("xml", Text, nullable=False),
    Index(None, "account_id", "id", "size"),
)

# What waits for other servers, as ours would write it to them; the ends of subscriptions outlive the account.
outbound = Table(
    "outbound",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),  # from `Ids`
    Column("xml", Text, nullable=False),
)

private_xml = Table(
    "private_xml",
    metadata,
    _account_number(),
    Column("element", Text, primary_key=True),
    Column("size", Integer, nullable=False),
    Column("xml", Text, nullable=False),
    sqlite_with_rowid=False,
)

push_service = Table(
    "push_service",
    metadata,
    _account_number(),
    Column("service", _Address, primary_key=True),
    Column("node", _Address, primary_key=True),
    Column("options", Text, nullable=False),
    sqlite_with_rowid=False,
)

device = Table(
    "device",
    metadata,
    _account_number(),
    Column("client", _Address, primary_key=True),
    Column("software", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False),
    Column("password", Boolean, nullable=False),
    Column("tokens", Text, nullable=False),
    sqlite_with_rowid=False,
)

last_activity = Table(
    "last_activity",
    metadata,
    _account_number(),
    Column("at", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
)

secret = Table(
    "secret",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# Which batch of each running service was committed last (see postgresql.py).
writer_progress = Table(
    "writer_progress",
    metadata,
    Column("writer", Text, primary_key=True),
    Column("batch", BigInteger, nullable=False),
)

# Whose archive it is: an account or a room. Without an address it has been removed or erased, its rows go
# step by step, and who gets the address next has another number. `indexed` is the last id that full-text
# search knows; its own table is made by the migration, because it differs between databases.
archive_owner = Table(
    "archive_owner",
    metadata,
    Column("id", _Number, Identity(), primary_key=True),
    Column("address", _Address, unique=True),
    Column("indexed", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

# `conversation` is a number made of owner and peer: an index of it has entries of half the size, and
# another conversation that has the same number by chance is told apart by the other columns.
archive = Table(
    "archive",
    metadata,
    Column("id", _Number, primary_key=True, autoincrement=False),
    Column("owner", _Number, nullable=False),
    Column("conversation", Integer, nullable=False),
    Column("peer", _Address, nullable=False),
    Column("resource", _Address),
    Column("outgoing", Integer, nullable=False),
    Column("origin", Text),
    Column("body", Text),
    Column("xml", Text, nullable=False),
    Index(None, "owner", "id"),
    Index(None, "conversation", "id"),
)

# Conversations that were erased, as far as `through`, and whose rows are not all gone yet.
archive_erasure = Table(
    "archive_erasure",
    metadata,
    Column("owner", _Number, primary_key=True, autoincrement=False),
    Column("peer", _Address, primary_key=True),
    Column("conversation", Integer, nullable=False),
    Column("through", BigInteger, nullable=False),
)

archive_preferences = Table(
    "archive_preferences",
    metadata,
    _account_number(),
    Column("fallback", Text, nullable=False),
    Column("always", Text, nullable=False),
    Column("never", Text, nullable=False),
)

# `domain` is that of the room service. `words` are searched, and `skeleton` tells names that look alike.
room = Table(
    "room",
    metadata,
    Column("id", _Number, Identity(), primary_key=True),
    Column("address", _Address, nullable=False, unique=True),
    Column("domain", _Address, nullable=False),
    Column("public", Integer, nullable=False),
    Column("words", Text, nullable=False),
    Column("skeleton", _Address, nullable=False),
    Column("config", Text, nullable=False),
    Column("occupant_key", LargeBinary, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("used", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("subject", Text),
    Column("subject_stamp", BigInteger),
    Column("vcard", Text),
    Index(None, "domain", "address"),
    Index(None, "skeleton"),
    Index(None, "domain", "used"),
    sqlite_autoincrement=True,  # a number is never used again
)

room_affiliation = Table(
    "room_affiliation",
    metadata,
    Column(
        "room_id", _Number, ForeignKey("room.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    Column("jid", _Address, primary_key=True),
    Column("affiliation", Text, nullable=False),
    Column("nick", Text),
    Column("reason", Text),
    Column("version", BigInteger, nullable=False),
    Index(None, "jid"),
    sqlite_with_rowid=False,  # a room's lists lie together
)

# Rooms that were destroyed, so that nobody takes their name for them at once.
room_grave = Table(
    "room_grave",
    metadata,
    Column("address", _Address, primary_key=True),
    Column("stamp", BigInteger, nullable=False),
    Column("reason", Text),
    Column("alternate", Text),
    Index(None, "stamp"),
)

# Names that somebody would like, until an operator has answered.
room_request = Table(
    "room_request",
    metadata,
    Column("address", _Address, primary_key=True),
    Column("domain", _Address, nullable=False),
    Column("requester", Text, nullable=False),
    Column("stamp", BigInteger, nullable=False),
    Index(None, "domain", "address"),
)

# Tokens of the HTTP API; only a digest is kept.
api_token = Table(
    "api_token",
    metadata,
    Column("name", _Address, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created", BigInteger, nullable=False),
    Column("expires", BigInteger),
)

# What is recorded: `who` did it, `peer` is whom it concerned, `facts` an object of JSON.
audit_record = Table(
    "audit_record",
    metadata,
    Column("id", _Number, Identity(), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("tag", _Address, nullable=False),
    Column("who", _Address),
    Column("peer", _Address),
    Column("address", Text),
    Column("facts", Text, nullable=False),
    Index(None, "at"),
    Index(None, "who", "at"),
    Index(None, "peer", "at"),
)

# Who was here today, by a pseudonym whose key is thrown away with the day; `client` is its software.
daily_visit = Table(
    "daily_visit",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("pseudonym", LargeBinary, primary_key=True),
    Column("client", Text, nullable=False),
)

# Days are counted since 1970.
daily_statistic = Table(
    "daily_statistic",
    metadata,
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("name", _Address, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
