"""The store's tables, one file a change; Alembic applies them in order."""
