"""Run by Alembic: takes the connection that `upgrade` hands over, with the transaction that is open on it."""

from alembic import context

from commonroom.storage.migrations import VERSION_TABLE
from commonroom.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
