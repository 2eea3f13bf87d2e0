"""How task tables are laid out: the known ones as data, and what a configuration makes of them."""

from __future__ import annotations

from typing import Any, Final

from healmon.config.settings import TASK_TABLES, Tasks
from healmon.world.taskrules import WORDS

_SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600}
ASSIGNER: Final[dict[str, Any]] = {
    "table": TASK_TABLES["assigner"],
    "id": "id",
    "session": "assigned_session",
    "status": "status",
    "assigned_at": "assigned_at",
    "completed_at": "completed_at",
    "error": "error",
    "retries": "retry_count",
    "max_retries": "max_retries",
    "timeout": "timeout_minutes",
    "heartbeat": "",
    "not_before": "",
    "stuck_after": "",
    "target": "target_session",
    "unit": 60,
    "active": ("assigned", "in_progress"),
    "pending": "pending",
    "failed": "failed",
    "needs_human": "",
    "history": "assignment_history",
    # a row with something in one of these is put away
    "hidden": ("archived", "deleted_at"),
    # what binds a task to a place besides its session
    "clears": (),
    "sessions": "sessions",
    "kind": "",
    "timeouts": "",
}
"""The assigner's table."""
TASK_QUEUE: Final[dict[str, Any]] = ASSIGNER | {
    "table": TASK_TABLES["task_queue"],
    "session": "assigned_worker",
    "assigned_at": "started_at",
    "error": "error_message",
    "retries": "retries",
    "timeout": "timeout_seconds",
    "target": "",
    "unit": 1,
    "active": ("running", "in_progress"),
    "history": "",
    "clears": ("assigned_node",),
    "sessions": "",
    "kind": "task_type",
    "timeouts": "task_timeout_config",
}
"""The queue of the main database."""
TABLE: Final[dict[str, Any]] = ASSIGNER | {"sessions": ""}
"""Any table: what is not mapped is looked for under the assigner's names."""
LAYOUTS: Final = {"assigner": ASSIGNER, "task_queue": TASK_QUEUE, "table": TABLE}
COLUMNS: Final = WORDS
"""Keys of `[tasks.NAME]` that name a column."""
_KEYS: Final = (*COLUMNS, "table", "history", "active", "pending", "failed", "needs_human")


def layouts(tasks: Tasks) -> list[dict[str, Any]]:
    """Return the layouts that come into question for a source, the likeliest first."""
    if tasks.layout:
        return [_mapped(tasks, LAYOUTS[tasks.layout])]
    if tasks.table is None:
        return [_mapped(tasks, ASSIGNER), _mapped(tasks, TASK_QUEUE)]
    table = tasks.table.lower()
    known = [one for one in (ASSIGNER, TASK_QUEUE) if one["table"] == table]
    return [_mapped(tasks, (known or [TABLE])[0])]


def _mapped(tasks: Tasks, preset: dict[str, Any]) -> dict[str, Any]:
    """Return a preset with what the configuration says otherwise; `given` names those keys."""
    said = {key: getattr(tasks, key) for key in _KEYS if getattr(tasks, key) is not None}
    layout = preset | said | {"given": sorted(said)}
    if tasks.timeout_unit is not None:
        layout["unit"] = _SECONDS[tasks.timeout_unit]
    return layout


def question(tasks: Tasks) -> dict[str, Any]:
    """Return what `taskchild` must know of a database: where it is, how it may be laid out."""
    return {"path": tasks.path, "layouts": layouts(tasks)}
