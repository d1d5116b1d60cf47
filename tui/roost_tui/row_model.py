"""`RowModel`: which rows a table shows and in what order, worked out again only when needed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from roost_tui.filters import NO_FILTER, Filter, Subject

Row = TypeVar("Row")

VERDICT_LIMIT = 50_000
"""Filter verdicts kept; more than all rows, so that only replaced ones make it overflow."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What the operator chose to see of a table."""

    workspace: str | None = None
    filter: Filter = NO_FILTER
    faults_only: bool = False
    sort_title: str = ""
    is_descending: bool = False


def sorted_by_next(choice: Choice, titles: Sequence[str], by: int) -> Choice:
    """Return the choice ordered by a neighbouring column.

    Args:
        choice: the present one.
        titles: the columns that can be seen; an empty one is the natural order.
        by: columns to the right, or to the left when negative.
    """
    if choice.sort_title not in titles:
        return replace(choice, sort_title=titles[0])
    index = (titles.index(choice.sort_title) + by) % len(titles)
    return replace(choice, sort_title=titles[index])


class RowModel(Generic[Row]):
    """Keeps what it worked out for as long as neither the rows nor the choice change.

    Args:
        workspace_of: workspace of a row.
        subject_of: what a filter sees of a row.
        is_faulty: whether a row stays when only faults are shown.
        arrange: orders rows by a choice.
    """

    def __init__(
        self,
        workspace_of: Callable[[Row], str],
        subject_of: Callable[[Row], Subject],
        is_faulty: Callable[[Row], bool],
        arrange: Callable[[Sequence[Row], Choice], list[Row]],
    ) -> None:
        self._workspace_of = workspace_of
        self._subject_of = subject_of
        self._is_faulty = is_faulty
        self._arrange = arrange
        self._index: Mapping[Any, Row] | None = None
        self._choice: Choice | None = None
        self._rows: list[Row] = []
        self._verdicts: dict[int, tuple[Row, bool]] = {}
        self.unfiltered = 0
        """Rows before the filter."""

    def rows(self, index: Mapping[Any, Row], choice: Choice, now: int) -> list[Row]:
        """Return the rows to show; the same list as before when nothing has changed.

        Args:
            index: all rows; another object means that something has changed.
            choice: what to see of them.
            now: epoch milliseconds, for filters by age.
        """
        if index is self._index and choice == self._choice and not choice.filter.is_timed:
            return self._rows
        if self._choice is None or choice.filter is not self._choice.filter:
            self._verdicts.clear()
        self._index, self._choice = index, choice
        candidates = self._candidates(index.values(), choice)
        self.unfiltered = len(candidates)
        kept = self._arrange(self._filtered(candidates, choice.filter, now), choice)
        if kept != self._rows:
            self._rows = kept
        return self._rows

    def _candidates(self, rows: Iterable[Row], choice: Choice) -> list[Row]:
        chosen = [row for row in rows if choice.workspace in (None, self._workspace_of(row))]
        return [row for row in chosen if self._is_faulty(row)] if choice.faults_only else chosen

    def _filtered(self, rows: list[Row], wanted: Filter, now: int) -> list[Row]:
        if not wanted:
            return rows
        if wanted.is_timed:
            return [row for row in rows if wanted.matches(self._subject_of(row), now)]
        return [row for row in rows if self._verdict(row, wanted, now)]

    def _verdict(self, row: Row, wanted: Filter, now: int) -> bool:
        """Look a row up before judging it: most rows are the very objects of the last time."""
        known = self._verdicts.get(id(row))
        if known is not None and known[0] is row:
            return known[1]
        verdict = wanted.matches(self._subject_of(row), now)
        if len(self._verdicts) > VERDICT_LIMIT:
            self._verdicts.clear()
        self._verdicts[id(row)] = (row, verdict)
        return verdict
