"""What becomes of a row of a task table: pure, and of the standard library only.

`world.taskchild` applies it to rows in SQLite files, the simulated twin to rows in memory. A row is
told by words (`id`, `session`, `status`, …); a layout says which column each word is.
"""

from __future__ import annotations

import json

from healmon.named import NamedTuple
from healmon.world.taskledger import GIVEN, NOTE, OWED, text_of, token_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any

    from healmon.world.taskledger import Row

ROWS = 20_000
"""Active rows that are read at most; where there are more, nothing is known of any."""
NEEDED = ("id", "session", "status")
WORDS = (
    *NEEDED, "assigned_at", "completed_at", "error", "retries", "max_retries", "timeout",
    "heartbeat", "not_before", "stuck_after", "target",
)  # fmt: skip
"""What a column may mean."""
HISTORY_NEEDS = {"prompt_id", "session_name", "action"}


class Unfit(Exception):  # noqa: N818 - an answer, not a fault
    """The database cannot be read or written; the text says why."""


class Fit(NamedTuple):
    """A layout that a database has.

    Attributes:
        layout: the layout (see `world.tasklayouts`).
        names: the column of each word, of those that the table has.
        columns: all columns of the table, in small letters, and their defaults.
    """

    layout: dict[str, Any]
    names: dict[str, str]
    columns: dict[str, Any]


class Decision(NamedTuple):
    """What becomes of a row.

    Attributes:
        outcome: `requeued`, `owed`, `failed` or `left`.
        change: what to write, by word.
        note: what was done, for people; empty when nothing was.
        due: when it is given back, as the note tells it; empty: at once or never.
    """

    outcome: str
    change: Row = {}  # noqa: RUF012 - never changed
    note: str = ""
    due: str = ""


LEFT = Decision("left")


def fitting(layouts: Sequence[dict[str, Any]], columns_of: Callable[[str], dict[str, Any]]) -> Fit:
    """Return the first of the layouts whose table is there.

    Args:
        layouts: those that come into question.
        columns_of: the columns of a table in small letters and their defaults; empty: none such.

    Raises:
        Unfit: no table, or it lacks a column that is needed or that a key names.
    """
    for layout in layouts:
        columns = columns_of(layout["table"])
        if columns:
            return Fit(layout, named(layout, columns), columns)
    tables = " or ".join(repr(layout["table"]) for layout in layouts)
    raise Unfit(f"has no table {tables}")


def named(layout: Mapping[str, Any], columns: Collection[str]) -> dict[str, str]:
    """Return the column of each word that the table has.

    Raises:
        Unfit: it lacks one that is needed, or that a key names.
    """
    wanted = {word: layout[word] for word in WORDS if layout[word]}
    lacking = [
        word
        for word, name in wanted.items()
        if name.lower() not in columns and (word in NEEDED or word in layout["given"])
    ]
    if lacking:
        names = ", ".join(repr(wanted[word]) for word in lacking)
        keys = ", ".join(lacking)
        raise Unfit(f"table {layout['table']!r} has no column {names} (keys: {keys})")
    return {word: name for word, name in wanted.items() if name.lower() in columns}


def order_of(question: Mapping[str, Any], layout: Mapping[str, Any]) -> Row:
    """Return what `decide`, `give_back` and `as_left` must know: what is asked, and the words."""
    words = ("pending", "failed", "needs_human")
    return {**question, **{word: layout[word] for word in words}}


def countable(rows: Sequence[Any]) -> None:
    """Raise Unfit when there are more active rows than are read."""
    if len(rows) > ROWS:
        raise Unfit(f"has more than {ROWS} active tasks")


def alone(rows: Sequence[Any], number: object, name: str) -> None:
    """Raise Unfit when several rows have the id of one task: which one was seen?"""
    if len(rows) > 1:
        raise Unfit(f"several rows have the {name} {number!r}")


def told(row: Row, fit: Fit, timeouts: Mapping[str, Any]) -> Row:
    """Return what is told of an active row: its words, its token, its own timeout in seconds.

    Args:
        row: by words, and `kind`.
        fit: the layout it has.
        timeouts: seconds by kind of task.
    """
    timeout, unit = row.get("timeout"), fit.layout["unit"]
    default = fit.columns.get(fit.names.get("timeout", "").lower())
    # the column's own default is nobody's choice for this task
    if default is not None and str(timeout) == str(default):
        timeout = None
    if not number(timeout) and timeouts:
        timeout, unit = timeouts.get(str(row.get("kind")), timeouts.get("default")), 1
    return {
        **{word: row.get(word) for word in (*NEEDED, "assigned_at", "heartbeat")},
        "retries": row.get("retries"),
        "max_retries": row.get("max_retries"),
        "timeout": _seconds(timeout, unit),
        "stuck_after": _seconds(row.get("stuck_after"), fit.layout["unit"]),
        "token": token_of(row),
    }


def _seconds(value: Any, unit: int) -> float | None:  # noqa: ANN401 - whatever SQLite holds
    return value * unit if number(value) else None


def number(value: object) -> bool:
    """Return whether a value is a number of seconds, minutes or hours that somebody may mean."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 1e8


def decide(row: Row | None, wanted: Mapping[str, Any], order: Mapping[str, Any]) -> Decision:
    """Return what becomes of a row when its task is taken away.

    Args:
        row: the row as it is now, by words, and `hidden`; None: it is gone.
        wanted: how it was seen: session, status, assigned_at, and token, attempt and heartbeat;
            its `steps`: how long each retry waits; `completed_at` and `shown`, its session.
        order: the words of this table, and what is asked for.
    """
    if row is None or not same(row, wanted):
        return LEFT
    if not order["requeue"]:
        return _failed(row, order, wanted, "failed")
    retry = _retry(row, order)
    if retry is None:
        text = "needs a person: nothing counts its retries"
        return _failed(row, order, wanted, text, order["needs_human"])
    nth, most = retry
    if nth > most:
        text = f"needs a person: all {most} retries are used"
        return _failed(row, order, wanted, text, order["needs_human"])
    steps: Sequence[Row] = wanted["steps"]
    step: Row = steps[min(nth, len(steps)) - 1] if steps else {"delay": 0.0}
    again = f"as retry {nth} of {most}{_not_to(wanted, order)}"
    if step["delay"] > 0 and "not_before" not in row and "error" in row:
        note = f"{OWED} {step['due']} {again}"
        failed = _failed(row, order, wanted, note)
        return failed._replace(outcome="owed", due=step["due"])
    later = step["delay"] > 0 and "not_before" in row
    note = f"{GIVEN} {order['now']} {again}"
    change = _pending(row, order, nth) | {"error": text_of(order["error"], note, token_of(row))}
    if later:
        change["not_before"] = step["not_before"]
    elif row.get("not_before") is not None:
        change["not_before"] = None
    return Decision("requeued", change, note, step["due"] if later else "")


def give_back(row: Row | None, wanted: Mapping[str, Any], order: Mapping[str, Any]) -> Decision:
    """Return what becomes of a row that is owed, now that it is given back.

    Args:
        row: the row as it is now, by words, and `hidden`; None: it is gone.
        wanted: the error text and token that were seen, and `elsewhere`, `shown`.
        order: the words of this table.
    """
    if row is None or row["hidden"]:
        return LEFT
    found = NOTE.search(str(row.get("error")))
    # the text is the ledger: whoever changed it, or what it stands for, has taken the task over
    if found is None or row["error"] != wanted["error"] or not found["note"].startswith(OWED):
        return LEFT
    now = (str(row["status"]), token_of(row))
    retries = row.get("retries") or 0
    if now != (order["failed"], found["token"]) or not _counts(retries):
        return LEFT
    again = found["note"].partition(" as ")[2]
    note = f"{GIVEN} {order['now']} as {again}"
    text = text_of(row["error"][: found.start()].rstrip(), note, found["token"])
    asked = {**order, "elsewhere": wanted["elsewhere"]}
    return Decision("requeued", _pending(row, asked, retries + 1) | {"error": text}, note)


def same(row: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a row still is the attempt that was seen, without a sign of life since."""
    if row.get("hidden"):
        return False
    # a column may hold numbers; what was seen is told as text
    now = [None if row[word] is None else str(row[word]) for word in ("status", "session")]
    # the same session may have got it anew, as a task that nobody has looked at
    seen = [wanted["status"], wanted["session"], wanted["assigned_at"]]
    if [*now, row.get("assigned_at")] != seen:
        return False
    if wanted.get("token") and wanted["token"] != token_of(row):
        return False
    if wanted.get("attempt") is not None and wanted["attempt"] != (row.get("retries") or 0):
        return False
    return bool(row.get("heartbeat") == wanted.get("heartbeat"))


def _retry(row: Mapping[str, Any], order: Mapping[str, Any]) -> tuple[int, int] | None:
    """Return which retry the next one is, and of how many; None: nothing would end the circle."""
    used = row.get("retries") or 0
    own, ours = row.get("max_retries"), order["max_requeues"]
    if "retries" not in row or not _counts(used) or not (own is None or _counts(own)):
        return None
    limits = [most for most in (own, ours) if most is not None]
    return (used + 1, max(0, min(limits))) if limits else None


def _counts(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _pending(row: Mapping[str, Any], order: Mapping[str, Any], retries: int) -> Row:
    change: Row = {"status": order["pending"], "session": None, "assigned_at": None}
    change |= {"completed_at": None, "retries": retries}
    if order["elsewhere"] and _wished(row):
        change["target"] = None
    return change


def _failed(
    row: Row, order: Mapping[str, Any], wanted: Mapping[str, Any], note: str, status: str = ""
) -> Decision:
    text = text_of(order["error"], note, token_of(row))
    change = {"status": status or order["failed"], "completed_at": wanted["completed_at"]}
    return Decision("failed", change | {"error": text}, note)


def _not_to(wanted: Mapping[str, Any], order: Mapping[str, Any]) -> str:
    # a wish for this very session is cleared; whoever chooses by himself can only be told
    return f", not to {wanted['shown']}" if order["elsewhere"] else ""


def _wished(row: Mapping[str, Any]) -> bool:
    return row.get("target") is not None and str(row["target"]) == str(row.get("session"))


def entry_for(
    history: Collection[str], decision: Decision, row: Row, order: Mapping[str, Any]
) -> Row:
    """Return the entry for a table of assignments with these columns.

    Args:
        history: its columns.
        decision: what becomes of the row.
        row: the row as it was.
        order: `at`, and `details` to be kept.
    """
    if not set(history) >= HISTORY_NEEDS:
        return {}
    details = {"by": "healmon", "was": str(row["status"]), **order["details"]}
    details |= {"note": decision.note, "token": token_of(row)}
    if "target" in decision.change:
        details["target_cleared"] = True
    session = row.get("session")
    entry = {
        "prompt_id": row["id"],
        "session_name": "" if session is None else session,
        "action": "failed" if decision.outcome == "owed" else decision.outcome,
        "created_at": order["at"],
        "details": json.dumps(details),
    }
    return {name: value for name, value in entry.items() if name in history}
