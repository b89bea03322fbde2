"""Brings the tables to this program's revision. Imports Alembic, which most starts can spare."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

FOLDER = Path(__file__).parent


def upgrade(connection: Connection, revision: str = "head") -> None:
    """Run what is missing, in the transaction that is open on the connection."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def steps_after(revision: str) -> tuple[str, ...]:
    """What each revision after this one is about, oldest first: `0007: Accounts that …`."""
    scripts = ScriptDirectory(str(FOLDER)).walk_revisions(revision, "head")
    found = [
        f"{each.revision}: {' '.join(each.doc.split())}" for each in scripts if each.revision != revision
    ]
    return tuple(found[::-1])
