"""What `/api/v1/state` holds, as types: the schema in docs/schemas and the OpenAPI document.

Times are UTC, RFC 3339 with milliseconds. Every text in here has gone through `text.clean`, and is
the one that the screen and the command line show. Fields may be added later; none goes away.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

import msgspec

from healmon.plans import Overlays, Packed, Plan, Severity
from healmon.state import AlertState

Level: TypeAlias = Literal["ok", "warning", "critical", "unknown", "paused", "known"]
"""`known`: something is wrong, and somebody has said so: acknowledged, silenced or explained."""


Verb: TypeAlias = Literal[
    "restart", "stop", "start", "release", "unlock", "clean", "restore", "clear", "answer",
    "snooze", "never-touch", "touch", "acknowledge", "unacknowledge", "silence", "unsilence",
    "pause", "resume", "check", "dry-run", "reload", "offer", "apply",
]  # fmt: skip
"""What a healer can be asked; see `service.link.Link`. `offer` tells a plan, `apply` does it."""


class CycleNow(msgspec.Struct, frozen=True, kw_only=True):
    """The newest finished look; `at` null: none has finished."""

    number: int
    at: str | None
    seconds: float
    interval: float


class HealerNow(msgspec.Struct, frozen=True, kw_only=True):
    """The healer that is looked at; where none runs `ended` says how the last one ended.

    Attributes:
        running: one holds the state directory.
        hung: it has finished no look for too long, or stands still.
        trouble: why its store cannot be read or written; empty: nothing.
        failing: what cannot be looked at, and why, by healer.
    """

    running: bool
    hung: bool
    pid: int | None
    version: str
    since: str | None
    mode: str
    dry_run: bool
    ended: str
    ended_at: str | None
    trouble: str
    failing: dict[str, str]
    cycle: CycleNow


class VerdictNow(msgspec.Struct, frozen=True, kw_only=True):
    """How it all is, in a word and a line."""

    level: Level
    text: str


class Coming(msgspec.Struct, frozen=True, kw_only=True):
    """A plan in flight: what is done, or will be at `due`."""

    action: str
    acting: bool
    due: str
    why: str


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A component as last seen.

    Attributes:
        name: as a person calls it; `component` is its name in the store and for overrides.
        status: the contract's word.
        state: its healer's word.
        text: one line.
        since: when its status began.
        paused_until: null: not paused; "forever": until somebody ends it.
        alert: the id of its worst open alert.
        plan: what healmon does about it now.
    """

    name: str
    component: str
    status: str
    state: str
    level: Level
    text: str
    since: str
    seen_at: str
    paused_until: str | None
    alert: int | None
    plan: Coming | None


class WorkerNow(Part, frozen=True, kw_only=True):
    """A worker; `cpu` in percent of one core, `rss_bytes` resident."""

    wanted: str
    critical: bool
    pid: int | None
    up_since: str | None
    restarts: int
    restarts_total: int
    failures: int
    max_failures: int
    next_at: str | None
    cpu: float | None
    rss_bytes: int | None
    cause: str


class SessionNow(Part, frozen=True, kw_only=True):
    """A tmux session; `agent` is the detection pack that reads it."""

    agent: str
    command: str
    tasks: tuple[str, ...]
    quiet_since: str | None
    question: str
    choices: tuple[str, ...]
    last_line: str
    held: str
    hands_off: str
    attached: int


class DatabaseNow(Part, frozen=True, kw_only=True):
    """A watched database; `holder` is whoever keeps its lock, `locked_since` from when on."""

    path: str
    mode: str
    holder: str
    holder_pid: int | None
    locked_since: str | None
    size_bytes: int | None
    wal_bytes: int | None
    why_not: str


class DiskNow(Part, frozen=True, kw_only=True):
    """A file system or a budget; `full_in_s` null: it does not fill up."""

    kind: str
    path: str
    used_ratio: float | None
    used_bytes: int | None
    free_bytes: int | None
    size_bytes: int | None
    inode_ratio: float | None
    full_in_s: float | None
    cleaned: str


class AlertNow(msgspec.Struct, frozen=True, kw_only=True):
    """An alert of the inbox; `over` says in words what mutes it."""

    id: int
    key: str
    severity: Severity
    component: str
    message: str
    state: AlertState
    count: int
    first_seen: str
    last_seen: str
    acknowledged_by: str
    acknowledged_at: str | None
    acknowledged_until: str | None
    note: str
    overlays: Overlays
    over: tuple[str, ...]


class ActionNow(msgspec.Struct, frozen=True, kw_only=True):
    """A finished action; `proved_by` is what showed that it worked, or why it failed."""

    at: str
    component: str
    action: str
    outcome: Literal["verified", "failed"]
    proved_by: str
    seconds: float


class PauseNow(msgspec.Struct, frozen=True, kw_only=True):
    """A pause; `until` "forever": until somebody ends it; `would` counts plans not carried out."""

    name: str
    since: str | None
    until: str
    by: str
    note: str
    would: dict[str, int]
    text: str


class SilenceNow(msgspec.Struct, frozen=True, kw_only=True):
    """A silence; `muted` counts the alerts that it has muted."""

    id: int
    match: str
    since: str
    until: str
    by: str
    note: str
    muted: int
    text: str


class ChannelNow(msgspec.Struct, frozen=True, kw_only=True):
    """A channel of notices that does not take them."""

    name: str
    waiting: int
    failing_since: str | None
    reason: str


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is known now; `at` is the time of the newest event."""

    format: Literal[1] = 1
    host: str
    at: str
    epoch: str
    last_id: int
    healer: HealerNow
    verdict: VerdictNow
    workers: tuple[WorkerNow, ...]
    sessions: tuple[SessionNow, ...]
    databases: tuple[DatabaseNow, ...]
    disks: tuple[DiskNow, ...]
    others: tuple[Part, ...]
    alerts: tuple[AlertNow, ...]
    pending: tuple[AlertNow, ...]
    actions: tuple[ActionNow, ...]
    pauses: tuple[PauseNow, ...]
    silences: tuple[SilenceNow, ...]
    channels: tuple[ChannelNow, ...]
    tallies: dict[str, int]


class Beat(msgspec.Struct, frozen=True, kw_only=True):
    """Told every few seconds: the server is there, and this is its clock."""

    now: str
    running: bool


class Refused(msgspec.Struct, frozen=True, kw_only=True):
    """Why a request was not served, and how to mend it."""

    error: str
    remedy: str = ""


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Who is logged in; `csrf` goes into the header X-Healmon-CSRF of what changes something."""

    role: Literal["viewer", "operator"]
    csrf: str
    may_act: bool
    tui: bool


class InboxAlert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as stored, over or not."""

    id: int
    key: str
    severity: str
    component: str
    message: str
    state: str
    count: int
    first_seen: str
    last_seen: str
    resolved: bool
    resolved_at: str | None
    resolution: str
    acknowledged_by: str
    acknowledged_at: str | None
    acknowledged_until: str | None
    note: str
    evidence: Packed
    overlays: Packed


class Inbox(msgspec.Struct, frozen=True, kw_only=True):
    """A page of alerts; `before` leads to the next one, null: there is none."""

    alerts: tuple[InboxAlert, ...]
    before: int | None


class EventNow(msgspec.Struct, frozen=True, kw_only=True):
    """An event; `payload` is all it says, see docs/schemas/events.json."""

    id: int
    at: str
    kind: str
    component: str
    severity: str
    cause: int | None
    payload: Packed


class Events(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events, oldest first with `after`, else newest first.

    `next` is what `after` or `before` must be for the next page, null: there is none now.
    """

    events: tuple[EventNow, ...]
    next: int | None


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """All components."""

    workers: tuple[WorkerNow, ...]
    sessions: tuple[SessionNow, ...]
    databases: tuple[DatabaseNow, ...]
    disks: tuple[DiskNow, ...]
    others: tuple[Part, ...]


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One component: how it is, all that its healer says of it, its alerts and newest actions."""

    now: Packed
    healer: str
    facts: Packed
    alerts: tuple[AlertNow, ...]
    actions: tuple[ActionNow, ...]


class Override(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked of the healer.

    Attributes:
        verb: what to do.
        target: with what: a component, an alert's or silence's id, a match, a plan's id.
        arguments: as the verb wants them: `for` (seconds), `note`, `then`, `id`, `number` …
        dry_run: tell the plan and leave it there.
    """

    verb: Verb
    target: Annotated[str, msgspec.Meta(max_length=500)] = ""
    arguments: Packed = {}
    dry_run: bool = False


class Overridden(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it; of a dry run or an offer, `plan` is what would be done."""

    ok: bool
    verb: str
    target: str
    text: str
    arguments: Packed
    plan: Plan | None = None
    data: Packed = {}
