"""Statements whose text never changes, compiled once instead of looked up each time.

To build a statement of some thirty columns and to find its compiled form takes SQLAlchemy longer
than the database needs to run it. So those that every step of a run executes are built once, with
parameters of their own names, and given to `execute` with their values. Any connection of
SQLAlchemy takes them; the one that writes to SQLite runs them without compiling them again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Delete, Dialect, Executable, Insert, Select, Update
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError

_IS_FIXED = "roost_is_fixed"

S = TypeVar("S", bound=Executable)

Convert = Callable[[Any], Any]


def fixed(statement: S) -> S:
    """Mark a statement that is kept and executed with its parameters apart.

    Of its result only the rows may be used.
    """
    return statement.execution_options(**{_IS_FIXED: True})


def is_fixed(statement: Executable) -> bool:
    """Say whether a statement was marked."""
    return bool(statement.get_execution_options().get(_IS_FIXED))


class FixedStatement:
    """A compiled statement, executed by the driver itself."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        assert isinstance(statement, Insert | Update | Delete | Select)
        compiled: Any = statement.compile(dialect=dialect)
        self._text: str = compiled.string
        self._parameters = [
            (name, bind.value, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for name, bind in ((name, compiled.binds[name]) for name in compiled.positiontup or ())
        ]
        columns = [column for _, column in statement.exported_columns.items()]
        self._columns = SimpleResultMetaData([column.name for column in columns])
        converts = (
            (place, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for place, column in enumerate(columns)
        )
        self._converts = [(place, convert) for place, convert in converts if convert is not None]

    def execute(
        self,
        cursor: sqlite3.Cursor,
        parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    ) -> IteratorResult[Any]:
        """Execute it once, or once for each mapping of a sequence.

        Raises:
            DBAPIError: as SQLAlchemy would raise it.
        """
        try:
            if isinstance(parameters, Mapping):
                rows = cursor.execute(self._text, self._values(parameters)).fetchall()
            else:
                many = [self._values(each) for each in parameters]
                cursor.executemany(self._text, many)
                rows = []
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                self._text, None, error, sqlite3.Error, hide_parameters=True
            ) from error
        return IteratorResult(self._columns, iter([self._row(row) for row in rows]))

    def _values(self, given: Mapping[str, Any]) -> list[Any]:
        return [
            value if convert is None else convert(value)
            for name, default, convert in self._parameters
            for value in (given.get(name, default),)
        ]

    def _row(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        if not self._converts:
            return row
        values = list(row)
        for place, convert in self._converts:
            values[place] = convert(values[place])
        return tuple(values)
