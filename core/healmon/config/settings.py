"""The configuration as the rest of healmon sees it: frozen, complete, resolved.

Durations are seconds, sizes bytes, percentages floats of 0 to 100, paths absolute. Every default
of the contract stands here and nowhere else.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from healmon.config.facesettings import Metrics, Ui, Web

MINUTE = 60.0
HOUR = 3600.0
DAY = 86400.0
TASK_TABLES = {"assigner": "prompts", "task_queue": "task_queue"}
"""The table of tasks of each layout that has one of its own."""


class Monitor(msgspec.Struct, frozen=True, kw_only=True):
    """`[monitor]`: the healer itself.

    Attributes:
        name: the host's name in alerts.
        starts_in_flight: workers that are started at the same time; 0: any number.
        start_spacing: seconds between two starts.
        starts_per_minute: 0: any number.
        heartbeat_url: asked after each round, so that a checker outside misses it; empty: none.
        storm_failures: workers (or half of them, if fewer) that fail within `storm_window` seconds
            are one storm; 0: never.
        reload_on_change: the file is read again when it has changed, at a cycle.
        log_size, log_keep: bytes after which the log is set aside, and how many of those are kept.
    """

    name: str
    check_interval: float = 60.0
    state_dir: str = ""
    dry_run: bool = False
    heartbeat_url: str = ""
    starts_in_flight: int = 2
    start_spacing: float = 2.0
    starts_per_minute: int = 6
    storm_failures: int = 3
    storm_window: float = 60.0
    reload_on_change: bool = False
    log_format: Literal["text", "json"] = "text"
    log_size: int = 5_000_000
    log_keep: int = 5


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    """`ready` and `liveness`: exactly one of log, tcp, http, command, heartbeat is set."""

    log: str = ""
    tcp: int | None = None
    http: str = ""
    command: tuple[str, ...] = ()
    heartbeat: bool = False
    every: float = 10.0
    failures: int = 3
    timeout: float = 5.0


class Worker(msgspec.Struct, frozen=True, kw_only=True):
    """`[workers.NAME]`: a process that must be up.

    Attributes:
        argv: what is run: this Python and `script`, or `command`; then `args`.
        script: absolute path of the script, or empty when `command` is used.
        forks: True: the started process ends and a daemon stays; False: it is the worker itself;
            None: found out.
        min_uptime: seconds a new identity must live to count as alive.
        max_failures, failure_window: so many failures within so many seconds open the breaker.
        slow_failures, slow_window: the same for one that fails slowly.
        quarantine, quarantine_max: seconds of the first and of the longest cool-down.
        max_trials: trials of a worker that is not critical; a critical one gets them for ever.
        no_restart_codes: exit codes that no start mends: quarantine at once.
        umask: of the worker; None: that with which healmon was started.
        limits: soft resource limits by their name in setrlimit(2) without `RLIMIT_`, lower case.
        cwd: where it is run; without `cwd` in the file, the directory of the file.
    """

    name: str
    argv: tuple[str, ...]
    script: str = ""
    critical: bool = False
    restart: Literal["always", "on-failure", "never"] = "always"
    restart_delay: float = 5.0
    restart_delay_max: float = 300.0
    min_uptime: float = 1.0
    start_timeout: float = 60.0
    stable_after: float = 600.0
    max_failures: int = 5
    failure_window: float = 600.0
    slow_failures: int = 10
    slow_window: float = 6 * HOUR
    quarantine: float = 900.0
    quarantine_max: float = 6 * HOUR
    max_trials: int = 6
    no_restart_codes: tuple[int, ...] = (78,)
    forks: bool | None = None
    pid_file: str = ""
    heartbeat_file: str = ""
    heartbeat_max_age: float = 30.0
    ready: Ready | None = None
    liveness: Ready | None = None
    after: tuple[str, ...] = ()
    stop_timeout: float = 10.0
    memory_limit: int | None = None
    cwd: str = ""
    env: dict[str, str] = {}
    user: str = ""
    umask: int | None = None
    limits: dict[str, int] = {}


class Sessions(msgspec.Struct, frozen=True, kw_only=True):
    """`[sessions]`: tmux sessions that work on tasks."""

    stuck_after: float = 30 * MINUTE
    sockets: tuple[str, ...] = ("default",)
    protect: tuple[str, ...] = ()
    typing_marker: str = ""
    interrupt: tuple[str, ...] = ("C-c",)
    on_stuck: Literal["requeue", "fail", "alert"] = "requeue"
    verify_within: float = 5.0
    quiet_client: float = 120.0
    warn_after: float = 10 * MINUTE
    retry_after: float = 15 * MINUTE
    retry_act: bool = False
    frozen_after: float = 3 * MINUTE
    idle_after: float = 5 * MINUTE
    gave_up_after: float = MINUTE
    waiting_after: float = MINUTE
    confirm_for: float = 2 * MINUTE
    confirm_looks: int = 3
    cooldown: float = 10 * MINUTE
    acts_per_session: int = 2
    acts_per_hour: int = 5
    outage: int = 3
    requeue_backoff: tuple[float, ...] = (MINUTE, 5 * MINUTE, 15 * MINUTE)
    max_requeues: int = 3
    packs: str = ""
    evidence: float = 14 * DAY
    escalate: tuple[Literal["tool", "group", "resume"], ...] = ()


class Tasks(msgspec.Struct, frozen=True, kw_only=True):
    """`[tasks.NAME]`: a source of tasks: a table of a SQLite database, or a command.

    Attributes:
        path: absolute path of the database; empty: `command` tells the tasks.
        layout: which known layout it has; None: found out from the tables there.
        table, id, …, history: how table and columns are called; None: as in the layout; empty:
            there is no such column.
        active, pending, failed, needs_human: words of the status; None: as in the layout.
        timeout_unit: what numbers in `timeout` and `stuck_after` count; None: as in the layout.
        command: prints the active tasks, one JSON object a line.
        settle_command: requeues or fails tasks, a JSON object a line in and out.
        command_timeout: seconds that one run of either may take.
        requeue_backoff: seconds before each further attempt; None: that of `[sessions]`.
        max_requeues: how often a task is given back at most, 0: no limit of ours; None: that of
            `[sessions]`.
    """

    name: str
    path: str = ""
    layout: Literal["assigner", "task_queue", "table"] | None = None
    table: str | None = None
    id: str | None = None
    session: str | None = None
    status: str | None = None
    assigned_at: str | None = None
    completed_at: str | None = None
    error: str | None = None
    retries: str | None = None
    max_retries: str | None = None
    timeout: str | None = None
    timeout_unit: Literal["seconds", "minutes", "hours"] | None = None
    heartbeat: str | None = None
    not_before: str | None = None
    stuck_after: str | None = None
    target: str | None = None
    active: tuple[str, ...] | None = None
    pending: str | None = None
    failed: str | None = None
    needs_human: str | None = None
    history: str | None = None
    command: tuple[str, ...] = ()
    settle_command: tuple[str, ...] = ()
    command_timeout: float = 10.0
    requeue_backoff: tuple[float, ...] | None = None
    max_requeues: int | None = None


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """`[databases.NAME]`: a SQLite database whose locks are watched.

    Attributes:
        may_kill: patterns of processes, by name or whole command line, that may be ended like the
            workers of healmon's own.
        keep: patterns of processes that are never acted on; they win.
        rollback_shells: type ROLLBACK into a forgotten `sqlite3` shell in a watched tmux pane.
        end_readers: end readers, too, that keep a large -wal from shrinking; only those that may be
            ended for a lock.
    """

    name: str
    path: str
    busy_for: float = 10.0
    act_after: float = 120.0
    on_stale: Literal["heal", "alert"] = "heal"
    may_kill: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    rollback_shells: bool = False
    end_readers: bool = False


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """`disk.budgets`: a directory with its own ceiling in bytes."""

    path: str
    limit: int


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """`[[disk.rules]]`: which files may go, and how; `older_than` is 0 where age does not count."""

    name: str
    paths: tuple[str, ...]
    patterns: tuple[str, ...]
    older_than: float
    larger_than: int | None = None
    smaller_than: int | None = None
    owner: tuple[str, ...] = ()
    action: Literal["delete", "compress", "trash", "truncate"] = "delete"
    compression: Literal["gzip", "zstd"] = "gzip"
    exclude: tuple[str, ...] = ()
    recursive: bool = True
    keep_newest: int = 0
    backup: str = ""


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """`[[disk.thresholds]]`: lines of one path in percent; None: those of `[disk]`."""

    path: str
    warning: float | None = None
    critical: float | None = None
    target: float | None = None


class Disk(msgspec.Struct, frozen=True, kw_only=True):
    """`[disk]`: file systems and budgets; `hysteresis` is in percentage points."""

    warning: float = 85.0
    critical: float = 95.0
    target: float = 80.0
    hysteresis: float = 2.0
    horizon: float = 24 * HOUR
    log_retention: float = 7 * DAY
    temp_age: float = 24 * HOUR
    trash_for: float = 7 * DAY
    max_files: int = 0
    max_bytes: int = 0
    max_within: float = 24 * HOUR
    max_per_second: int = 0
    protect: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("/",)
    budgets: tuple[Budget, ...] = ()
    thresholds: tuple[Thresholds, ...] = ()
    rules: tuple[Rule, ...] = ()


class Alerts(msgspec.Struct, frozen=True, kw_only=True):
    """`[alerts]`: from a finding to an alert, and to its end.

    Attributes:
        acknowledge_for: seconds an acknowledgement holds.
        confirm_checks, confirm_for: a finding is an alert when so many checks found it, or when it
            has been there for so many seconds, whichever comes first.
        clear_checks: checks that must find nothing any more before an alert is over.
        reopen_within: seconds within which the same again is the same incident.
        stale_checks: checks without an answer after which nobody knows whether an alert holds.
        flapping: alerts that come and go are told once.
        flapping_start, flapping_end: percent of changes among the last checks at which that begins
            and ends.
    """

    acknowledge_for: float = 4 * HOUR
    confirm_checks: int = 2
    confirm_for: float = 30.0
    clear_checks: int = 2
    reopen_within: float = 30 * MINUTE
    stale_checks: int = 3
    flapping: bool = True
    flapping_start: float = 30.0
    flapping_end: float = 15.0


class Rate(msgspec.Struct, frozen=True):
    """At most `count` notices within `per` seconds."""

    count: int
    per: float


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """`[notify.channels.NAME]`: one way out; exactly one of the first four is given.

    Attributes:
        url: where notices go: an apprise URL, or `https://…` for a plain webhook.
        url_env: the environment variable that holds the URL.
        url_file: the absolute path of a file whose first line is the URL.
        command: a program that gets each notice as JSON on its standard input.
        severity: the least severity that it is told of.
        rate: how much it may be told; what is more waits and is told together.
        timeout: seconds that one delivery may take.
    """

    name: str
    url: str = ""
    url_env: str = ""
    url_file: str = ""
    command: tuple[str, ...] = ()
    severity: Literal["CRITICAL", "WARNING"] = "CRITICAL"
    rate: Rate = Rate(10, HOUR)
    topics: tuple[Literal["opened", "reminder", "recovered", "summary", "report"], ...] = (
        "opened", "reminder", "recovered", "summary", "report",
    )  # fmt: skip
    timeout: float = 30.0


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """`[[notify.steps]]`: who is told of an alert that nobody has answered for `after` seconds."""

    after: float
    channels: tuple[str, ...]


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """`[notify]`: who is told outside of healmon, and when.

    Attributes:
        quiet: `HH:MM-HH:MM` in local time, when only CRITICAL is told; empty: never quiet.
        repeat_every: seconds between reminders of what is still unanswered; 0: none.
        report_at: `HH:MM` in local time, when the morning page is told; empty: never.
        group_within: what goes wrong, or well, with one component within so many seconds is one
            notice.
        steps: the escalation; by default the first channel after 5 minutes, the others after 15.
    """

    quiet: str = ""
    repeat_every: float = 4 * HOUR
    report_at: str = ""
    group_within: float = 30.0
    channels: tuple[Channel, ...] = ()
    steps: tuple[Rung, ...] = ()

    def channel(self, name: str) -> Channel | None:
        """Return the channel of this name, if there is one."""
        return next((channel for channel in self.channels if channel.name == name), None)


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """`[store]`: how long history is kept."""

    retention: float = 30 * DAY


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration; `source` is the file it was read from, or None."""

    monitor: Monitor
    source: str | None = None
    workers: tuple[Worker, ...] = ()
    sessions: Sessions = Sessions()
    tasks: tuple[Tasks, ...] = ()
    databases: tuple[Database, ...] = ()
    disk: Disk = Disk()
    alerts: Alerts = Alerts()
    notify: Notify = Notify()
    store: Store = Store()
    ui: Ui = Ui()
    web: Web = Web()
    metrics: Metrics = Metrics()
