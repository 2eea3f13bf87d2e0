"""Task databases in memory, with the same rules for rows as the real ones."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.world import taskchild
from healmon.world.taskdb import (
    Settled,
    Settlement,
    Task,
    mapping,
    refusal,
    settle_words,
    settled_of,
    task_of,
    wanted,
)

Row = dict[str, Any]
COLUMNS: Row = {
    "id": None, "content": "", "status": "pending", "assigned_session": None, "assigned_at": None,
    "completed_at": None, "error": None, "retry_count": 0, "max_retries": 3, "timeout_minutes": 30,
}  # fmt: skip
"""The columns of the assigner's table and their defaults."""
HISTORY = ("prompt_id", "session_name", "action", "created_at", "details")
"""The columns of the assigner's table of assignments."""


class SimulatedTaskDatabases:
    """Everything healmon does with task databases, against rows that a test writes.

    Args:
        local_zone: the zone of times that name none.

    Attributes:
        rows: the task table of each database, by the database's name.
        history: the table of assignments of each.
        columns: columns and defaults of all task tables, in small letters.
        history_columns: columns of all tables of assignments; empty: there are none.
        faults: why a database can be neither read nor written, by its name.
        write_faults: why one can be read but not written.
    """

    def __init__(self, local_zone: tzinfo = UTC) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.history: dict[str, list[Row]] = {}
        self.columns = dict(COLUMNS)
        self.history_columns: tuple[str, ...] = HISTORY
        self.faults: dict[str, str] = {}
        self.write_faults: dict[str, str] = {}
        self._zone = local_zone

    def add(self, source: str, **row: Any) -> Row:  # noqa: ANN401 - column values
        """Insert a row and return it; the caller may change it at any time."""
        unknown = row.keys() - self.columns.keys()
        if unknown:
            raise KeyError(f"no such columns: {sorted(unknown)}")
        table = self.rows.setdefault(source, [])
        made = {**self.columns, "id": len(table) + 1, **row}
        table.append(made)
        return made

    def read(self, tasks: Tasks) -> tuple[Task, ...]:
        """Return the active tasks that a session works on, in the order of their ids.

        Raises:
            ProbeError: `faults` says so, nobody ever made this database, or its columns are called
                otherwise.
        """
        try:
            rows = self._select(tasks.name, mapping(tasks))
        except taskchild.Unfit as error:
            raise refusal(ProbeError, tasks, error) from None
        return tuple(task_of(tasks, row, self._zone) for row in rows)

    def settle(
        self, tasks: Tasks, seen: Sequence[Task], settlement: Settlement
    ) -> tuple[Settled, ...]:
        """Requeue or fail those of `seen` that still are as seen; on an error none.

        Raises:
            RemedyError: as `read`, or `write_faults` says so.
        """
        question = mapping(tasks) | settle_words(tasks, settlement)
        wants = [wanted(task, settlement.at, self._zone) for task in seen]
        try:
            done = self._settle(tasks.name, question, wants)
        except taskchild.Unfit as error:
            raise refusal(RemedyError, tasks, error) from None
        return tuple(settled_of(row) for row in done)

    def _table(self, source: str, question: dict[str, Any]) -> list[Row]:
        reason = self.faults.get(source)
        if reason is None and source not in self.rows:
            reason = "there is no such file"
        if reason is not None:
            raise taskchild.Unfit(reason)
        taskchild.need(self.columns, question)
        return self.rows[source]

    def _select(self, source: str, question: dict[str, Any]) -> list[list[Any]]:
        table = self._table(source, question)
        names = [question[word].lower() for word in ("id", "session", "status", "assigned_at")]
        rows = [
            [*map(row.get, names), self._timeout(row)] for row in table if not row.get("archived")
        ]
        found = [r for r in rows if str(r[2]) in question["active"] and r[1] not in {None, ""}]
        taskchild.countable(found)
        return sorted(found, key=_by_id)

    def _timeout(self, row: Row) -> object:
        chosen = row.get("timeout_minutes")
        # the column's own default is nobody's choice for this task
        return None if chosen == self.columns.get("timeout_minutes") else chosen

    def _settle(
        self, source: str, question: dict[str, Any], wants: Sequence[dict[str, Any]]
    ) -> list[list[Any]]:
        table = self._table(source, question)
        if source in self.write_faults:
            raise taskchild.Unfit(self.write_faults[source])
        after, entries = [dict(row) for row in table], list[Row]()
        done = [self._settle_row(after, entries, want, question) for want in wants]
        for row, new in zip(table, after, strict=True):
            row.update(new)
        self.history.setdefault(source, []).extend(entries)
        return done

    def _settle_row(
        self, table: list[Row], entries: list[Row], want: dict[str, Any], question: dict[str, Any]
    ) -> list[Any]:
        rows = [row for row in table if row[question["id"].lower()] == want["id"]]
        taskchild.alone(rows, want, question)
        names = {w: n.lower() for w, n in taskchild.names_of(self.columns, question).items()}
        was = {word: rows[0][name] for word, name in names.items()} if rows else None
        outcome, change = taskchild.decide(was, want, question)
        if change:
            rows[0].update({names[word]: value for word, value in change.items() if word in names})
            columns = self.history_columns if question["history"] else ()
            entry = taskchild.entry_for(columns, outcome, want, question)
            entries += [entry] if entry else []
        return [want["id"], outcome, "" if was is None else str(was["status"])]


def _by_id(row: Sequence[Any]) -> tuple[bool, Any]:
    # SQLite puts numbers before texts
    return isinstance(row[0], str), row[0]
