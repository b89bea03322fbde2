"""Full-text search, in each database's way: SQLite's FTS5, PostgreSQL's tsvector.

Both are given words, never text: `words.py` finds them, so that all databases find the same, and so that
nothing a user types is ever read as the syntax of a query. Each word begins with the number of the
archive's owner, so that a search looks at nothing but what that owner has.
"""

from collections.abc import Iterable
from typing import NamedTuple


class Search(NamedTuple):
    """SQL for the table `archive_words`, which knows for each word the ids of the messages that have it.

    id                  the column with the message's id
    match               the condition that a message has all words of `:query`
    quoted, joined      how a query is written
    add, remove         take a message's words, `:words`, into the index, or out of it again
    """

    id: str
    match: str
    quoted: str
    joined: str
    add: str
    remove: str

    def query(self, owner: int, words: Iterable[str]) -> str:
        """Ask for messages that have all of the words."""
        return self.joined.join(self.quoted.format(f"{owner}_{word}") for word in words)

    def words(self, owner: int, words: Iterable[str]) -> str:
        """Write the words of one message."""
        return " ".join(f"{owner}_{word}" for word in words)


SQLITE_SEARCH = Search(
    id="archive_words.rowid",
    match="archive_words MATCH :query",
    quoted='"{}"',
    joined=" ",
    add="INSERT INTO archive_words (rowid, words) VALUES (:id, :words)",
    remove="INSERT INTO archive_words (archive_words, rowid, words) VALUES ('delete', :id, :words)",
)

POSTGRES_SEARCH = Search(
    id="archive_words.id",
    match="archive_words.words @@ CAST(:query AS tsquery)",
    quoted="'{}'",
    joined=" & ",
    add=(
        "INSERT INTO archive_words (id, words)"
        " VALUES (:id, array_to_tsvector(string_to_array(:words, ' '))) ON CONFLICT (id) DO NOTHING"
    ),
    remove="DELETE FROM archive_words WHERE id = :id",
)
