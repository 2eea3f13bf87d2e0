"""Task databases in memory, with the same rules for rows as the real ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, tzinfo
from typing import Any

from msgspec import convert

from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.world.taskchild import decide
from healmon.world.taskdb import Outcome, Settled, Settlement, Task, settle_words, task_of, wanted

COLUMNS: dict[str, Any] = {
    "id": None, "content": "", "status": "pending", "assigned_session": None, "assigned_at": None,
    "completed_at": None, "error": None, "retry_count": 0, "max_retries": 3, "timeout_minutes": 30,
}  # fmt: skip
"""The columns of the assigner's table and their defaults."""


class SimulatedTaskDatabases:
    """Everything healmon does with task databases, against rows that a test writes.

    Args:
        local_zone: the zone of times that name none.

    Attributes:
        rows: the task table of each database, by the database's name.
        history: the table of assignments of each.
        columns: columns and defaults of all task tables.
        faults: why a database cannot be read or written, by its name.
    """

    def __init__(self, local_zone: tzinfo = UTC) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.history: dict[str, list[dict[str, Any]]] = {}
        self.columns = dict(COLUMNS)
        self.faults: dict[str, str] = {}
        self._zone = local_zone

    def add(self, source: str, **row: Any) -> dict[str, Any]:  # noqa: ANN401 - column values
        """Insert a row and return it; the caller may change it at any time."""
        unknown = row.keys() - self.columns.keys()
        if unknown:
            raise KeyError(f"no such columns: {sorted(unknown)}")
        table = self.rows.setdefault(source, [])
        made = {**self.columns, "id": len(table) + 1, **row}
        table.append(made)
        return made

    def read(self, tasks: Tasks) -> tuple[Task, ...]:
        """Return the active tasks that a session works on.

        Raises:
            ProbeError: `faults` says so, or nobody ever made this database.
        """
        self._refuse(tasks, ProbeError)
        found = [
            row for row in self.rows[tasks.name]
            if row[tasks.status] in tasks.active and row[tasks.session] and not row.get("archived")
        ]  # fmt: skip
        return tuple(task_of(tasks, self._told(tasks, row), self._zone) for row in found)

    def _told(self, tasks: Tasks, row: dict[str, Any]) -> list[Any]:
        chosen = row.get("timeout_minutes")
        if chosen == self.columns.get("timeout_minutes"):
            chosen = None
        names = (tasks.id, tasks.session, tasks.status)
        return [*(row[name] for name in names), row.get(tasks.assigned_at), chosen]

    def settle(
        self, tasks: Tasks, seen: Sequence[Task], settlement: Settlement
    ) -> tuple[Settled, ...]:
        """Requeue or fail those of `seen` that still are as seen.

        Raises:
            RemedyError: `faults` says so, or nobody ever made this database.
        """
        self._refuse(tasks, RemedyError)
        order = settle_words(tasks, settlement)
        return tuple(self._settle(tasks, task, order, settlement) for task in seen)

    def _settle(
        self, tasks: Tasks, task: Task, order: dict[str, Any], settlement: Settlement
    ) -> Settled:
        row = next((r for r in self.rows[tasks.name] if r[tasks.id] == task.id), None)
        names = {word: getattr(tasks, word) for word in ("status", "session", "assigned_at")}
        names |= {w: w for w in ("retry_count", "max_retries", "completed_at", "error")}
        names = {word: name for word, name in names.items() if name in self.columns}
        want = wanted(task, settlement.at, self._zone)
        was = None if row is None else {word: row[name] for word, name in names.items()}
        outcome, change = decide(was, want, order)
        if row is not None and change:
            row.update({names[word]: value for word, value in change.items() if word in names})
            entry = {"prompt_id": task.id, "session_name": task.session, "action": outcome}
            details = json.dumps({"by": "healmon", "was": task.status, **settlement.details})
            self.history.setdefault(tasks.name, []).append({**entry, "details": details})
        status = "" if was is None else str(was["status"])
        return Settled(task.id, convert(outcome, Outcome), status)

    def _refuse(self, tasks: Tasks, kind: type[ProbeError | RemedyError]) -> None:
        reason = self.faults.get(tasks.name)
        if reason is None and tasks.name not in self.rows:
            reason = "there is no such file"
        if reason is not None:
            raise kind(f"task database {tasks.name}: {tasks.path}: {reason}")
