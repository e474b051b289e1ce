"""Alembic's environment: runs the migrations over the connection it is given (see `router.engine.store.migrate`).

All of them are one transaction in both dialects: a process that is killed in between leaves the tables as they were.
"""

from alembic import context

context.configure(connection=context.config.attributes["connection"], transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
