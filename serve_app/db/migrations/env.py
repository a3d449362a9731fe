"""Alembic's entry: the caller has opened a connection and will commit."""

from alembic import context

from serve_app.db import keys, permits, sessions, usage, users
from serve_app.db.rows import Row

TABLES = (keys, permits, sessions, usage, users)

context.configure(connection=context.config.attributes["connection"], target_metadata=Row.metadata)
context.run_migrations()
