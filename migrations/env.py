"""Runs migrations on the connection that `mmix.store.schema` hands over."""

from alembic import context

from mmix.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    compare_type=True,
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
