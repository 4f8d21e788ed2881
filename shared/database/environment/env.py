# ruff: noqa: INP001  alembic runs this file by its path
"""What alembic runs: it brings nothing of its own, `shared.database.migrate` hands all of it in."""

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table=attributes["version_table"])
with context.begin_transaction():
    context.run_migrations()
