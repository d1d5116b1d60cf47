"""Statements whose text never changes, compiled once instead of looked up each time.

To build a statement of some thirty columns and to find its compiled form takes SQLAlchemy longer
than the database needs to run it. So those that every step of a run executes are built once, with
parameters of their own names, and given to `execute` with their values. Any connection of
SQLAlchemy takes them; the one that writes to SQLite runs them without compiling them again.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Protocol, TypeVar

from sqlalchemy import Delete, Dialect, Executable, Insert, Select, Update
from sqlalchemy.engine import IteratorResult
from sqlalchemy.engine.result import SimpleResultMetaData
from sqlalchemy.exc import DBAPIError

_IS_FIXED = "roost_is_fixed"

S = TypeVar("S", bound=Executable)

Convert = Callable[[Any], Any]

Parameters = dict[str, Any] | list[dict[str, Any]]
"""The values of a statement by name, or those of each time that it is to be executed."""


class Execute(Protocol):
    """Executes a statement in a write that is done in one go, and returns its rows."""

    def __call__(self, statement: Executable, parameters: Parameters, /) -> Sequence[Any]: ...


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
        binds = [(name, compiled.binds[name]) for name in compiled.positiontup or ()]
        self._pick = _picker([name for name, _ in binds])
        self._defaults = {name: bind.value for name, bind in binds}
        self._writes = _by_place(
            bind.type.dialect_impl(dialect).bind_processor(dialect) for _, bind in binds
        )
        columns = [column for _, column in statement.exported_columns.items()]
        self._columns = SimpleResultMetaData([column.name for column in columns])
        self._reads = _by_place(
            column.type.dialect_impl(dialect).result_processor(dialect, None) for column in columns
        )

    def execute(self, cursor: sqlite3.Cursor, parameters: Parameters) -> IteratorResult[Any]:
        """Execute it once, or once for each mapping of a sequence.

        Raises:
            DBAPIError: as SQLAlchemy would raise it.
        """
        return IteratorResult(self._columns, iter(self.rows(cursor, parameters)))

    def rows(self, cursor: sqlite3.Cursor, parameters: Parameters) -> list[Any]:
        """Execute it likewise, and return its rows as plain tuples or lists.

        Raises:
            DBAPIError: as SQLAlchemy would raise it.
        """
        try:
            if isinstance(parameters, dict):
                rows = cursor.execute(self._text, self._values(parameters)).fetchall()
            else:
                many = [self._values(each) for each in parameters]
                cursor.executemany(self._text, many)
                rows = []
        except sqlite3.Error as error:
            raise DBAPIError.instance(
                self._text, None, error, sqlite3.Error, hide_parameters=True
            ) from error
        return [self._row(row) for row in rows] if self._reads else rows

    def _values(self, given: dict[str, Any]) -> Sequence[Any]:
        try:
            picked = self._pick(given)
        except KeyError:
            picked = self._pick(self._defaults | given)
        if not self._writes:
            return picked
        values = list(picked)
        for place, convert in self._writes:
            values[place] = convert(values[place])
        return values

    def _row(self, row: tuple[Any, ...]) -> list[Any]:
        values = list(row)
        for place, convert in self._reads:
            values[place] = convert(values[place])
        return values


def _picker(names: Sequence[str]) -> Callable[[Mapping[str, Any]], Sequence[Any]]:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda given: [given[name] for name in names]


def _by_place(converts: Iterable[Convert | None]) -> list[tuple[int, Convert]]:
    return [(place, convert) for place, convert in enumerate(converts) if convert is not None]
