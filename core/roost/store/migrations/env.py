"""Runs migrations inside the connection and transaction of `roost.store.migrate`."""

from __future__ import annotations

from alembic import context

from roost.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
