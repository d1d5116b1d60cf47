"""`StoreConnection`: what the rows of every table execute their statements on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, TypeAlias

from sqlalchemy import CursorResult, Executable, ScalarResult

Rows: TypeAlias = CursorResult[*tuple[Any, ...]]
"""What a statement has found."""


class StoreConnection(ABC):
    """A connection inside of a transaction, from `Database.read` or `Database.write`."""

    @abstractmethod
    async def execute(self, statement: Executable, parameters: Any = None) -> Rows:
        """Execute a statement and return its rows, all of them read."""

    async def scalar(self, statement: Executable, parameters: Any = None) -> Any:
        """Execute a statement and return the first value of its first row; None without a row."""
        return (await self.execute(statement, parameters)).scalar()

    async def scalars(self, statement: Executable, parameters: Any = None) -> ScalarResult[Any]:
        """Execute a statement and return the first value of every row."""
        return (await self.execute(statement, parameters)).scalars()
