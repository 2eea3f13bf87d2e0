"""Task databases in memory, with the same rules for rows as the real ones."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

from healmon.config.settings import Tasks
from healmon.errors import ProbeError, RemedyError
from healmon.world import taskledger as ledger
from healmon.world import taskrules as rules
from healmon.world import taskwire as wire
from healmon.world.beats import Beat, with_beats
from healmon.world.tasklayouts import question
from healmon.world.taskrules import Decision, Fit, Unfit
from healmon.world.taskwords import Late, Owed, Settled, Settlement, Task, View

Row = dict[str, Any]
COLUMNS: Row = {
    "id": None, "content": "", "status": "pending", "assigned_session": None, "assigned_at": None,
    "completed_at": None, "error": None, "retry_count": 0, "max_retries": 3, "timeout_minutes": 30,
    "target_session": None,
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
        sessions: the table of sessions of each.
        columns: columns and defaults of all task tables, in small letters.
        history_columns: columns of all tables of assignments; empty: there are none.
        timeouts: seconds by kind of task, in all databases.
        beats: what `healmon beat` left.
        faults: why a database can be neither read nor written, by its name.
        write_faults: why one can be read but not written.
    """

    def __init__(self, local_zone: tzinfo = UTC) -> None:
        self.rows: dict[str, list[Row]] = {}
        self.history: dict[str, list[Row]] = {}
        self.sessions: dict[str, list[Row]] = {}
        self.columns = dict(COLUMNS)
        self.history_columns: tuple[str, ...] = HISTORY
        self.timeouts: dict[str, float] = {}
        self.beats: list[Beat] = []
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

    def look(self, tasks: Tasks) -> View:
        """Return what `read`, `owed` and `late` do.

        Raises:
            ProbeError: `faults` says so, nobody ever made this database, or its columns are called
                otherwise.
        """
        try:
            base = _Base(self, tasks)
            return View(
                with_beats(
                    [wire.task_of(tasks, row, self._zone) for row in base.active()], self.beats
                ),
                tuple(one for row in base.owed() if (one := wire.owed_of(tasks, row)) is not None),
                tuple(wire.late_of(tasks, row, self._zone) for row in base.late()),
            )
        except Unfit as error:
            raise wire.refusal(ProbeError, tasks, error) from None

    def read(self, tasks: Tasks) -> tuple[Task, ...]:
        """Return the active tasks that a session works on, in the order of their ids."""
        return self.look(tasks).active

    def owed(self, tasks: Tasks) -> tuple[Owed, ...]:
        """Return the tasks that healmon failed and is to give back."""
        return self.look(tasks).owed

    def late(self, tasks: Tasks) -> tuple[Late, ...]:
        """Return the results that old attempts delivered after their tasks were taken away."""
        return self.look(tasks).late

    def settle(
        self, tasks: Tasks, seen: Sequence[Task], settlement: Settlement
    ) -> tuple[Settled, ...]:
        """Requeue or fail those of `seen` that still are as seen; on an error none.

        Raises:
            RemedyError: as `look`, or `write_faults` says so.
        """
        wants = [wire.wanted(tasks, task, settlement.at, self._zone) for task in seen]
        words = wire.settle_words(tasks, settlement)
        return self._change(tasks, wants, words, rules.decide)

    def give_back(self, tasks: Tasks, owed: Sequence[Owed], at: float) -> tuple[Settled, ...]:
        """Give tasks back that still are owed, due or not.

        Raises:
            RemedyError: as `settle`.
        """
        wants = [wire.owed_words(one) for one in owed]
        return self._change(tasks, wants, wire.at_words(at), rules.give_back)

    def _change(
        self,
        tasks: Tasks,
        wants: Sequence[Row],
        words: Row,
        decide: Callable[[Row | None, Row, Row], Decision],
    ) -> tuple[Settled, ...]:
        name = tasks.name
        tables = (self.rows, self.history, self.sessions)
        before = [copy.deepcopy(table.get(name, [])) for table in tables]
        try:
            if name in self.write_faults:
                raise Unfit(self.write_faults[name])  # noqa: TRY301 - one way out
            base = _Base(self, tasks)
            done = [base.change(want, words, decide) for want in wants]
        except Unfit as error:
            for table, rows in zip(tables, before, strict=True):
                for row, old in zip(table.get(name, []), rows, strict=False):
                    row.update(old)
                del table.get(name, [])[len(rows) :]
            raise wire.refusal(RemedyError, tasks, error) from None
        return tuple(wire.settled_of(row) for row in done)


class _Base:
    """One made-up database and the layout that it has."""

    def __init__(self, world: SimulatedTaskDatabases, tasks: Tasks) -> None:
        reason = world.faults.get(tasks.name)
        if reason is None and tasks.name not in world.rows:
            reason = "there is no such file"
        if reason is not None:
            raise Unfit(reason)
        self.timeouts = world.timeouts
        self.fit: Fit = rules.fitting(question(tasks)["layouts"], lambda _: world.columns)
        self.layout = self.fit.layout
        self.table = world.rows[tasks.name]
        self.columns = world.history_columns if self.layout["history"] else ()
        self.history = world.history.setdefault(tasks.name, [])
        self.sessions = world.sessions.get(tasks.name, []) if self.layout["sessions"] else []

    def words(self, row: Row) -> Row:
        """Return a row by words, and whether it is `hidden`."""
        told = {word: row[name.lower()] for word, name in self.fit.names.items()}
        hidden = any(row.get(name) not in {None, "", 0} for name in self.layout["hidden"])
        return told | {"hidden": hidden, "kind": row.get(self.layout["kind"])}

    def seen(self) -> list[Row]:
        """Return all rows by words, but those that were put away, by their ids."""
        rows = map(self.words, self.table)
        return sorted((row for row in rows if not row["hidden"]), key=_by_id)

    def active(self) -> list[Row]:
        """Return the active rows that a session works on."""
        active = self.layout["active"]
        rows = [r for r in self.seen() if str(r["status"]) in active]
        rows = [row for row in rows if row["session"] not in {None, ""}]
        rules.countable(rows)
        timeouts = self.timeouts if self.layout["kind"] in self.fit.columns else {}
        return [rules.told(row, self.fit, timeouts) for row in rows]

    def owed(self) -> list[Row]:
        """Return the rows that healmon failed and owes back."""
        rows = [row for row in self.seen() if row["status"] == self.layout["failed"]]
        found = [ledger.owed(row) for row in rows if "error" in row]
        return [one for one in found if one is not None]

    def late(self) -> list[Row]:
        """Return rows whose old attempt ended after they were taken away, the newest first."""
        order = rules.order_of({}, self.layout)
        going = {*self.layout["active"], self.layout["pending"], *ledger.CANCELLED, None}
        rows = [row for row in map(self.words, self.table) if row["status"] not in going]
        rows = [row for row in rows if not ledger.as_left(row, order)]
        found = [ledger.late(row, self._entry(row)) for row in sorted(rows, key=_by_id)[::-1]]
        return [one for one in found if one is not None]

    def _entry(self, row: Row) -> Mapping[str, Any] | None:
        if not {"details", *rules.HISTORY_NEEDS} <= set(self.columns):
            return None
        ours: Row | None = None
        for entry in self.history:
            if entry["prompt_id"] == row["id"]:
                if ledger.BY in str(entry.get("details")):
                    ours = {**entry, "anew": False}
                elif ours is not None and entry["action"] in ledger.ANEW:
                    ours["anew"] = True
        return ours

    def change(
        self, want: Row, words: Row, decide: Callable[[Row | None, Row, Row], Decision]
    ) -> list[Any]:
        """Return what became of one row, after changing it."""
        rows = [r for r in self.table if r[self.fit.names["id"].lower()] == want["id"]]
        rules.alone(rows, want["id"], self.fit.names["id"])
        was = self.words(rows[0]) if rows else None
        order = rules.order_of(words, self.layout)
        decision = decide(was, want, order)
        if was is not None and decision.outcome != "left":
            self._write(rows[0], decision)
            entry = rules.entry_for(self.columns, decision, was, order)
            self.history += [entry] if entry else []
            for one in self.sessions:
                if one["name"] == was["session"] and one["current_task_id"] == was["id"]:
                    one["current_task_id"] = None
        status = "" if was is None else str(was["status"])
        return [want["id"], decision.outcome, status, decision.note, decision.due]

    def _write(self, row: Row, decision: Decision) -> None:
        names = {word: name.lower() for word, name in self.fit.names.items()}
        row.update({names[w]: value for w, value in decision.change.items() if w in names})
        if decision.outcome == "requeued":
            row.update({n: None for n in self.layout["clears"] if n in self.fit.columns})


def _by_id(row: Row) -> tuple[bool, Any]:
    # SQLite puts numbers before texts
    return isinstance(row["id"], str), row["id"]
