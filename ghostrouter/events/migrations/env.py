"""Alembic runs this file. It uses the connection, and the transaction, of `events/migrate.py`."""

from alembic import context

from ghostrouter.events.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
