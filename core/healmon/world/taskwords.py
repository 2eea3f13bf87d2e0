"""What is said about tasks: seen, to be settled, settled, owed, delivered late."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from healmon.world.tasktime import Stamp

TaskId = int | str
Outcome = Literal["requeued", "owed", "failed", "left"]
"""`owed`: failed for now, to be given back later (see `Owed`)."""


class Task(msgspec.Struct, frozen=True):
    """An active task: one that a session is said to work on.

    Attributes:
        source: name of the source (`[tasks.NAME]`).
        id: as the table has it.
        session: the session's name as the table has it, for comparing; may hold anything.
        status: as the table has it.
        assigned_at: wall seconds; None when the table does not say, or not understandably.
        timeout: seconds that somebody chose for this task; None: nobody did.
        stamp: how this row writes its times.
        written: the time of assignment as the table has it, for comparing.
        attempt: how often it was given out before; None: the table does not count.
        attempts: how often it may be given out again at most; None: the table does not say.
        token: the fencing token of this attempt: another attempt has another one.
        stuck_after: seconds of quiet that somebody chose for this task; None: nobody did.
        beat_at: wall seconds of its newest heartbeat, in the table or by `healmon beat`; None:
            there was none.
        beat: the heartbeat as the table has it, for comparing.
        beat_note: what the newest `healmon beat` said, for people.
    """

    source: str
    id: TaskId
    session: str
    status: str
    assigned_at: float | None = None
    timeout: float | None = None
    stamp: Stamp = "sqlite"
    written: str | float | None = None
    attempt: int | None = None
    attempts: int | None = None
    token: str = ""
    stuck_after: float | None = None
    beat_at: float | None = None
    beat: str | float | None = None
    beat_note: str = ""


class Settlement(msgspec.Struct, frozen=True):
    """What is to become of tasks.

    Attributes:
        requeue: give them back (while their retries last, after the source's backoff); False: they
            failed.
        error: the reason, as it is written into the row.
        at: wall seconds.
        details: written into the history of assignments.
        elsewhere: the session must not get them again.
    """

    requeue: bool
    error: str
    at: float
    details: dict[str, Any] = {}
    elsewhere: bool = False


class Settled(msgspec.Struct, frozen=True):
    """What became of one task.

    Attributes:
        id: of the task.
        outcome: `left` as it was, when it was not as seen.
        status: the status that was found; empty: it is gone.
        note: what was written behind the reason, or why it was left, for people.
        due: wall seconds when it is given back; None: at once, or never.
    """

    id: TaskId
    outcome: Outcome
    status: str
    note: str = ""
    due: float | None = None


class Owed(msgspec.Struct, frozen=True):
    """A task that healmon failed and gives back when it is due; the row itself says so.

    Attributes:
        source: name of the source.
        id: as the table has it.
        due: wall seconds.
        attempt: which retry it will be.
        elsewhere: the session that must not get it, for people; empty: any may.
        session: who had it, as the table has it.
        error: the row's error text, for comparing.
        note: the same for people.
    """

    source: str
    id: TaskId
    due: float
    attempt: int
    elsewhere: str = ""
    session: str = ""
    error: str = ""
    note: str = ""


class Late(msgspec.Struct, frozen=True):
    """A result that an old attempt delivered after its task was taken away.

    Attributes:
        source: name of the source.
        id: as the table has it.
        session: who had it, for people; empty: the table does not say any more.
        status: as the table has it, for people.
        at: wall seconds of its end, or of its being taken away; None when nothing tells either.
        token: of the old attempt.
        text: what happened, for people.
    """

    source: str
    id: TaskId
    session: str
    status: str
    at: float | None = None
    token: str = ""
    text: str = ""


class View(msgspec.Struct, frozen=True):
    """Everything that one look at a source tells."""

    active: tuple[Task, ...] = ()
    owed: tuple[Owed, ...] = ()
    late: tuple[Late, ...] = ()
