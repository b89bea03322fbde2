"""The history of the tables. A change of `tables.py` comes with a new file in `versions/`, listed here."""

REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008")
"""All that this program knows, oldest first; what is not among them was made by a newer one."""

VERSION_TABLE = "commonroom_version"
"""Where Alembic notes the revision; a name of ours, because a database may be shared with another program."""
