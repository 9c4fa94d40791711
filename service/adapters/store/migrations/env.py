"""What alembic runs to migrate: the steps, on the connection of the caller, within the caller's transaction.

There is no alembic.ini, and logging is left as it is.
"""

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=context.config.attributes["metadata"],
    # SQLite changes most things about a table only by copying it
    render_as_batch=True,
)
context.run_migrations()
