"""Keeps a database in memory."""

import sqlite3

DATABASE = sqlite3.connect(":memory:")
