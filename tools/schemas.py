"""Write docs/schemas: what each `--json` answer looks like, as JSON Schemas.

The types below are the contract in words that msgspec can turn into schemas and that tests hold
each command's real output against. Fields may be added later; none goes away.

Usage: python -m tools.schemas [DIRECTORY]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from healmon.events import Effect, Event
from healmon.plans import Overlays
from healmon.report import Morning
from healmon.state.views import AlertView, ComponentView, PlanView, SilenceView
from healmon.web import openapi
from healmon.web.shapes import State
from healmon.world.filedata import Trashed

SCHEMAS = Path(__file__).parents[1] / "docs" / "schemas"
Level: TypeAlias = Literal["CRITICAL", "WARNING", "INFO"]
Data: TypeAlias = dict[str, Any]


class AlertRow(msgspec.Struct, kw_only=True):
    """A row of `health_alerts`; times are UTC text."""

    id: int
    timestamp: str
    severity: Level
    component: str
    message: str
    resolved: Literal[0, 1]
    resolved_at: str | None
    key: str
    state: Literal["pending", "open", "acknowledged", "resolved", "stale"]
    count: int
    first_seen: str
    last_seen: str
    acknowledged_at: str | None
    acknowledged_by: str
    note: str
    acknowledged_until: str | None
    evidence: str | None
    resolution: str | None
    opened_at: str | None
    peak: str
    reopened: int
    overlays: str | None


class Until(msgspec.Struct):
    """A pause that covers an alert's component, and when it ends (wall seconds)."""

    name: str
    until: float


class InboxRow(AlertRow, kw_only=True):
    """A row of the inbox: what lies over the alert as objects; `age` in seconds."""

    evidence: Data  # type: ignore[assignment]
    overlays: Overlays  # type: ignore[assignment]
    age: float
    silence: SilenceView | None
    maintenance: Until | None


class ComponentRow(msgspec.Struct, kw_only=True):
    """A component as last seen."""

    component: str
    healer: str
    status: str
    summary: str
    since: str
    seen_at: str


class MetricRow(msgspec.Struct, kw_only=True):
    """A row of `health_metrics`."""

    id: int
    timestamp: str
    component: str
    metric_type: str
    metric_value: str | float | int | None
    status: str
    action_taken: str
    details: str | None
    event_id: int | None


class Untold(msgspec.Struct, kw_only=True):
    """A channel that does not take its notices."""

    channel: str
    waiting: int
    reason: str


class Paused(msgspec.Struct, kw_only=True):
    """What is paused, a component or a pattern (`*`: everything); in the year 9999: for ever."""

    component: str
    until: str


class Status(msgspec.Struct, kw_only=True):
    """`healmon status --json`; without a healer what tells of it is null.

    `running` is false and `mode` is `now` or `import` while one holds the directory for just that.
    `unreadable` says why the health store could not be read, or written: what is wrong is unknown.
    """

    running: bool
    hung: bool
    pid: int | None
    version: str | None
    mode: str | None
    dry_run: bool | None
    uptime: float | None
    cycle: int | None
    cycle_age: float | None
    state_dir: str
    log: str
    exit_code: Literal[0, 1, 2, 3]
    unreadable: str = ""
    unhealthy: list[ComponentRow]
    alerts: list[AlertRow]
    pending: list[AlertRow]
    actions: list[MetricRow]
    untold: list[Untold]
    paused: list[Paused] = []


class Happened(msgspec.Struct, kw_only=True):
    """An event of this cycle: its own fields stand beside these, see `events`."""

    id: int
    at: float
    kind: str


class Stats(msgspec.Struct, kw_only=True):
    """What was done in this run."""

    checks_run: int
    workers_restarted: int
    sessions_cleared: int
    locks_cleared: int
    disk_cleanups: int
    alerts_sent: int


class Cycle(msgspec.Struct, kw_only=True):
    """`healmon once --json`, and each line of `healmon run --json`."""

    host: str
    version: str
    dry_run: bool
    cycle: int
    at: float
    exit_code: Literal[0, 1, 2, 3]
    components: list[ComponentView]
    alerts: list[AlertView]
    pending: list[AlertView]
    plans: list[PlanView]
    unknown: dict[str, str]
    happened: list[Happened]
    stats: Stats


class Answer(msgspec.Struct, kw_only=True):
    """What became of an override."""

    ok: bool
    verb: str
    target: str
    text: str
    arguments: Data


class Matching(Answer, kw_only=True):
    """The same, with what is matched or covered now."""

    matches: list[Data]


class Change(msgspec.Struct, kw_only=True):
    """One difference of the configuration; `old` and `new` are TOML, secrets masked."""

    key: str
    old: str
    new: str
    effect: Effect
    says: str


class Reread(msgspec.Struct, kw_only=True):
    """What became of a reload; `waiting`: acts that end before all of it is in force."""

    ok: bool
    verb: Literal["reload"]
    text: str
    changes: list[Change]
    waiting: list[str]
    problems: list[str]
    dry_run: bool


class One(msgspec.Struct, kw_only=True):
    """What became of it for one id."""

    id: str
    ok: bool
    text: str


class Answers(msgspec.Struct, kw_only=True):
    """What became of an override of several ids."""

    ok: bool
    verb: str
    answers: list[One]


class EventHead(msgspec.Struct, kw_only=True):
    """What each line of `events` has beside the event's own fields."""

    id: int
    timestamp: str
    kind: str
    component: str
    severity: str
    cause: int | None


class EventRow(EventHead, kw_only=True):
    """A row of `events`; `payload` is the event as JSON text."""

    payload: str


class Explained(msgspec.Struct, kw_only=True):
    """A component: what is known of it, and the events behind each of its alerts, by key.

    `now` is a fresh look, where one is made; `actions` are the newest that were done to it.
    """

    facts: Data
    status: str
    now: Data | None = None
    alerts: dict[str, list[EventRow]] = {}
    actions: list[Data] = []


class Screen(msgspec.Struct, kw_only=True):
    """A saved screen: what it is read as, and why."""

    sign: Data
    lines: list[str]


class Question(msgspec.Struct, kw_only=True):
    """What a session asks, and the answers that it offers, from 1 on."""

    session: str
    question: str
    rule: str
    choices: list[str]


class Beat(msgspec.Struct, kw_only=True):
    """A beat that was kept."""

    source: str
    task: str
    token: str
    at: float


class Backup(msgspec.Struct, kw_only=True):
    """A copy of the health store."""

    file: str
    bytes: int
    last_event: int


class ChannelState(msgspec.Struct, kw_only=True):
    """A channel as it is; times are wall seconds."""

    channel: str
    severity: str
    waiting: int
    last_sent: float | None
    failing_since: float | None
    reason: str


class Tried(msgspec.Struct, kw_only=True):
    """A channel that was tried."""

    channel: str
    ok: bool
    text: str


class Saved(msgspec.Struct, kw_only=True):
    """A file at a backup target."""

    id: str
    key: str
    target: str
    path: str
    size: int
    when: float


class Finding(msgspec.Struct, kw_only=True):
    """What a check of the ground found."""

    check: str
    level: str
    what: str
    where: str
    remedy: str


class Doctor(msgspec.Struct, kw_only=True):
    """All that was found, and the worst of it."""

    level: str
    findings: list[Finding]


class Init(msgspec.Struct, kw_only=True):
    """The configuration that was (or would be) written."""

    file: str
    tables: int
    text: str
    written: bool


class Unit(msgspec.Struct, kw_only=True):
    """The unit of systemd that was (or would be) written; `written`: the configuration was, too."""

    file: str
    unit: str
    text: str
    written: bool
    next: list[str]


class Checked(msgspec.Struct, kw_only=True):
    """The configuration as understood, in the form of its file; `file` is null where none is."""

    file: str | None
    settings: Data


class Up(msgspec.Struct, kw_only=True):
    """The daemon that is proven up."""

    pid: int
    log: str
    state_dir: str


class Ended(msgspec.Struct, kw_only=True):
    """What became of a stop; `pid`: of the healer that was meant, null where none ran."""

    stopped: bool
    pid: int | None
    text: str


class BadRow(msgspec.Struct, kw_only=True):
    """A row of history that has no place."""

    table: str
    row: str | int
    why: str


class Imported(msgspec.Struct, kw_only=True):
    """What was read into the health store, by table."""

    file: str
    layouts: dict[str, str | int]
    added: dict[str, int]
    known: dict[str, int]
    bad: list[BadRow]
    bad_rows: int
    local_times: bool | int
    first: str
    last: str
    dry_run: bool


class Removed(msgspec.Struct, kw_only=True):
    """How many imported rows were removed."""

    removed: int


class WebToken(msgspec.Struct, kw_only=True):
    """What logs a browser in; `running`: a server runs at that address."""

    role: Literal["viewer", "operator"]
    url: str
    token: str
    running: bool
    renewed: bool


SHAPES: dict[str, tuple[Any, str]] = {
    "status": (Status, "healmon status --json"),
    "cycle": (Cycle, "healmon once --json; each line of healmon run --json"),
    "alerts": (list[InboxRow], "healmon alerts --json"),
    "silences": (list[SilenceView], "healmon silences --json"),
    "events": (Event, "each line of healmon events --json"),
    "report": (Morning, "healmon report --json"),
    "explain": (Explained | list[EventRow] | Screen | Data, "healmon explain --json"),
    "answer": (Answer, "every override of one target with --json, such as healmon restart"),
    "matching": (Matching, "healmon silence --json, healmon pause --json"),
    "answers": (Answers, "healmon ack, unack, unsilence with --json"),
    "reload": (Reread, "healmon reload --json"),
    "question": (Question, "healmon answer SESSION --json"),
    "beat": (Beat, "healmon beat --json"),
    "backup": (Backup, "healmon backup --json"),
    "channels": (list[ChannelState], "healmon notify --json"),
    "tried": (list[Tried], "healmon notify --test --json"),
    "trash": (list[Trashed], "healmon restore --json"),
    "saved": (list[Saved], "healmon restore --backup --json"),
    "doctor": (Doctor, "healmon doctor --json"),
    "init": (Init, "healmon init --json"),
    "unit": (Unit, "healmon init --systemd --json"),
    "check": (Checked, "healmon check --json"),
    "daemon": (Up, "healmon daemon --json"),
    "stop": (Ended, "healmon stop --json"),
    "import": (Imported, "healmon import FILE --json"),
    "removed": (Removed, "healmon import --remove --json"),
    "web-token": (WebToken, "healmon web-token --json"),
    "state": (State, "GET /api/v1/state of healmon serve, and its stream"),
}
"""By name of the schema: the type, and which output it is of."""


def schema(name: str) -> dict[str, Any]:
    """Return one schema."""
    shape, title = SHAPES[name]
    if name == "explain":  # a union of several objects: msgspec cannot tell them apart, readers can
        parts = [Explained, list[EventRow], Screen, Data]
        made, defs = msgspec.json.schema_components(parts, ref_template="#/$defs/{name}")
        body: dict[str, Any] = {"anyOf": list(made), "$defs": defs}
    else:
        body = msgspec.json.schema(shape)
    for found in body.get("$defs", {}).values():
        if found.get("title") == "Happened":
            found["additionalProperties"] = True
    if name == "events":
        _beside(body, EventHead)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    return {**head, **{key: value for key, value in body.items() if key != "title"}}


def _beside(body: dict[str, Any], head: type) -> None:
    """Let each part of a union have these fields, too."""
    more = msgspec.json.schema_components([head])[1][head.__name__]
    for part in body["anyOf"]:
        found = body["$defs"][part["$ref"].rpartition("/")[2]]
        found["properties"] = {**more["properties"], **found["properties"]}
        found["required"] = list(dict.fromkeys([*more["required"], *found.get("required", [])]))


def text(name: str) -> str:
    """Return one schema as its file's text."""
    return json.dumps(schema(name), indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write all schemas."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else SCHEMAS
    directory.mkdir(parents=True, exist_ok=True)
    for name in SHAPES:
        (directory / f"{name}.json").write_text(text(name), "utf-8")
    (directory / "openapi.json").write_text(openapi.text(), "utf-8")


if __name__ == "__main__":
    main()
