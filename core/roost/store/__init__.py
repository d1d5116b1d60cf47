"""The store: rows of one data directory and their migrations."""

from roost.store.sql_store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
