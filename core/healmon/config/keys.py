"""Every key of `healmon.toml`, as data: what it is called, what it takes, what it is for.

Reading, environment overrides, `show` and the key reference all walk these tables. Defaults stand
in `settings` and nowhere else; `schema.default_text` tells them.
"""

from __future__ import annotations

from typing import Final

from healmon.config import kinds as k
from healmon.config import settings as st
from healmon.config.logkeys import LOG_KEYS
from healmon.config.metricskeys import METRICS
from healmon.config.schema import Key, Shape, Table
from healmon.config.screenkeys import UI
from healmon.config.webkeys import WEB


def _value(name: str, kind: k.Kind, doc: str, *, required: bool = False, rival: str = "") -> Key:
    return Key(name=name, kind=kind, doc=doc, required=required, rival=rival)


def _list(name: str, kind: k.Kind, doc: str, *, least: int = 0, rival: str = "") -> Key:
    return Key(name=name, shape="list", kind=kind, doc=doc, least=least, rival=rival)


def _set(name: str, kind: k.Kind, doc: str, *, least: int = 0, rival: str = "") -> Key:
    # whatever names a thing of the world, needed or not: twice is a slip
    return Key(
        name=name, shape="list", kind=kind, doc=doc,
        least=least, required=least > 0, distinct=True, rival=rival,
    )  # fmt: skip


def _table(shape: Shape, table: Table, name: str = "") -> Key:
    name = name or table.title.removesuffix(".NAME").rpartition(".")[2]
    return Key(name=name, shape=shape, table=table, doc=table.doc)


MONITOR: Final = Table(
    title="monitor",
    struct=st.Monitor,
    doc="the healer itself",
    keys=(
        _value("name", k.TEXT, "how this host is called in alerts; default: host name"),
        _value("check_interval", k.duration(1.0), "how often everything is looked at"),
        _value("state_dir", k.STATE_DIR, "where store, lock and logs are"),
        _value("dry_run", k.BOOL, "decide and report everything, change nothing"),
        _value("heartbeat_url", k.URL, "asked after each round: a checker outside misses it"),
        _value("starts_in_flight", k.COUNT_OR_NONE, "workers started at the same time; 0: any"),
        _value("start_spacing", k.PAUSE, "pause between two starts of workers"),
        _value("starts_per_minute", k.COUNT_OR_NONE, "starts of workers a minute; 0: any"),
        _value("storm_failures", k.COUNT_OR_NONE, "workers failing together that are a storm"),
        _value("storm_window", k.DURATION, "how close together they fail"),
        *LOG_KEYS,
    ),
)

_PROBE_KEYS: Final = (
    _value("log", k.TEXT, "ready when its output log shows this text"),
    _value("tcp", k.PORT, "when this port of the host accepts a connection"),
    _value("http", k.URL, "when this answers with a status of 200 to 399"),
    _list("command", k.ARGUMENT, "when this command exits with 0", least=1),
    _value("heartbeat", k.FLAG, "when heartbeat_file is younger than heartbeat_max_age"),
    _value("every", k.DURATION, "how often it is tried"),
    _value("failures", k.COUNT, "how many failures in a row count"),
    _value("timeout", k.DURATION, "how long one try may take"),
)
READY: Final = Table(
    title="workers.NAME.ready",
    struct=st.Ready,
    doc="what shows that a started worker is ready; exactly one sort of probe",
    keys=_PROBE_KEYS,
)
LIVENESS: Final = Table(
    title="workers.NAME.liveness",
    struct=st.Ready,
    doc="what shows that a running worker still works; exactly one sort of probe, but not log",
    keys=_PROBE_KEYS,
)

WORKERS: Final = Table(
    title="workers.NAME",
    struct=st.Worker,
    doc="a process that must be up",
    unique=("pid_file", "heartbeat_file"),
    keys=(
        _value("script", k.PATH, "run with this Python", rival="command"),
        _list("command", k.ARGUMENT, "program and arguments", least=1, rival="script"),
        _list("args", k.ARGUMENT, "arguments after script or command"),
        _value("critical", k.BOOL, "CRITICAL when down, else WARNING"),
        _value("restart", k.choice("always", "on-failure", "never"), "when it is restarted"),
        _value("restart_delay", k.PAUSE, "first backoff step; doubles up to restart_delay_max"),
        _value("restart_delay_max", k.DURATION, "longest backoff step"),
        _value("min_uptime", k.DURATION, "how long a new process must live to count as alive"),
        _value("start_timeout", k.DURATION, "how long a start may take until it is proved"),
        _value("stable_after", k.DURATION, "uptime that resets the backoff"),
        _value("max_failures", k.COUNT, "failures within failure_window that mean quarantine"),
        _value("failure_window", k.DURATION, "how long a failure counts"),
        _value("slow_failures", k.COUNT, "failures within slow_window that mean quarantine"),
        _value("slow_window", k.DURATION, "how long a failure counts for slow_failures"),
        _value("quarantine", k.DURATION, "how long a crash-looping worker is left alone"),
        _value("quarantine_max", k.DURATION, "longest quarantine; it doubles with every trial"),
        _value("max_trials", k.COUNT, "trials after quarantine; critical workers have no limit"),
        _list("no_restart_codes", k.EXIT_CODE, "exit codes that mean quarantine at once"),
        _value("forks", k.BOOL, "the started process ends and a daemon stays; default: found out"),
        _value("pid_file", k.PATH, "evidence of its process, never proof"),
        _value("heartbeat_file", k.PATH, "its age is the sign of life"),
        _value("heartbeat_max_age", k.DURATION, "an older heartbeat means it hangs"),
        _table("table", READY),
        _table("table", LIVENESS),
        _set("after", k.TEXT, "workers that must be up first"),
        _value("stop_timeout", k.DURATION, "from SIGTERM to SIGKILL"),
        _value("memory_limit", k.SIZE, "resident memory above which it is restarted"),
        _value("cwd", k.PATH, "its working directory; default: the configuration file's"),
        Key(name="env", shape="mapping", kind=k.ARGUMENT, doc="added to its environment"),
        _value("user", k.TEXT, "whom it runs as; only when healmon runs as root"),
        _value(
            "umask", k.UMASK, "its file mode mask; default: that with which healmon was started"
        ),
        Key(name="limits", shape="mapping", kind=k.LIMIT, doc="its resource limits, soft"),
    ),
)

SESSIONS: Final = Table(
    title="sessions",
    struct=st.Sessions,
    doc="tmux sessions that work on tasks",
    keys=(
        _value("stuck_after", k.DURATION, "how long a session may stand still with a task"),
        _value("socket", k.SOCKET, "tmux socket name or path", rival="sockets"),
        _set("sockets", k.SOCKET, "several of them; empty: watch none", rival="socket"),
        _set("protect", k.TEXT, "sessions that are never typed into"),
        _value("typing_marker", k.TEXT_OR_NONE, "nor a pane that shows this"),
        _list("interrupt", k.TMUX_KEY, "keys, one step at a time, each verified", least=1),
        _value("on_stuck", k.choice("requeue", "fail", "alert"), "what becomes of the task"),
        _value("verify_within", k.DURATION, "how long each key has to show an effect"),
        _value("quiet_client", k.DURATION, "how long a person must not have typed there"),
        _value("warn_after", k.DURATION, "how long it may stand still before that is a warning"),
        _value("retry_after", k.DURATION, "how long an agent may try again and again"),
        _value("retry_act", k.BOOL, "whether it is interrupted then; else an alert only"),
        _value("frozen_after", k.DURATION, "how long a busy program may leave its input unread"),
        _value("idle_after", k.DURATION, "how long an agent may be idle with a task"),
        _value("gave_up_after", k.DURATION, "the same, when it says that it gave up"),
        _value("waiting_after", k.DURATION, "how long it may wait for a person before an alert"),
        _value("confirm_for", k.PAUSE, "how long looks must agree before healmon acts"),
        _value("confirm_looks", k.COUNT, "how many looks must agree"),
        _value("cooldown", k.PAUSE, "how long a session is left alone after an act"),
        _value("acts_per_session", k.COUNT, "acts on one session within 6 hours at most"),
        _value("acts_per_hour", k.COUNT, "acts on all sessions within an hour at most"),
        _value("outage", k.COUNT, "so many, and a third of them, stuck at once: an outage, no act"),
        _list("requeue_backoff", k.PAUSE, "how long a task waits before each further attempt"),
        _value("max_requeues", k.COUNT_OR_NONE, "how often a task is given back at most"),
        _value("packs", k.PATH, "directory with detection packs of your own"),
        _value("evidence", k.DURATION, "how long stored screens are kept"),
        _set("escalate", k.choice("tool", "group", "resume"), "what may be tried after keys"),
    ),
)

TASKS: Final = Table(
    title="tasks.NAME",
    struct=st.Tasks,
    doc='where "assigned task" comes from: a table of tasks, or a command',
    keys=(
        _value("path", k.PATH, "the SQLite database", rival="command"),
        _value(
            "layout",
            k.choice("assigner", "task_queue", "table"),
            "which layout it has; default: found out from its tables",
        ),
        _value("table", k.TEXT, "the table of tasks; its columns are called as the layout says"),
        _value("id", k.TEXT, "its column with the task's id"),
        _value("session", k.TEXT, "its column with the session's name"),
        _value("status", k.TEXT, "its column with the task's status"),
        _value("assigned_at", k.TEXT_OR_NONE, "its column with the time of assignment"),
        _value("completed_at", k.TEXT_OR_NONE, "its column with the time of the end"),
        _value("error", k.TEXT_OR_NONE, "its column with the reason of a failure"),
        _value("retries", k.TEXT_OR_NONE, "its column that counts retries"),
        _value("max_retries", k.TEXT_OR_NONE, "its column that limits them"),
        _value("timeout", k.TEXT_OR_NONE, "its column with the task's own timeout"),
        _value(
            "timeout_unit",
            k.choice("seconds", "minutes", "hours"),
            "what numbers in timeout and stuck_after count",
        ),
        _value("heartbeat", k.TEXT_OR_NONE, "its column with the newest sign of life"),
        _value("not_before", k.TEXT_OR_NONE, "its column with the time before which it waits"),
        _value("stuck_after", k.TEXT_OR_NONE, "its column with the quiet that the task may keep"),
        _value("target", k.TEXT_OR_NONE, "its column with the session that is wished for"),
        _list("active", k.TEXT, "statuses of a task that is worked on", least=1),
        _value("pending", k.TEXT, "status of a task that waits to be assigned"),
        _value("failed", k.TEXT, "status of a task that failed"),
        _value("needs_human", k.TEXT_OR_NONE, "status of a task that a person must look at"),
        _value("history", k.TEXT_OR_NONE, "table that keeps assignments; empty: none"),
        _list("command", k.ARGUMENT, "prints the active tasks as JSON lines", least=1),
        _list("settle_command", k.ARGUMENT, "requeues or fails them, JSON lines in and out"),
        _value("command_timeout", k.DURATION, "how long one run of either may take"),
        _list("requeue_backoff", k.PAUSE, "default: that of [sessions]"),
        _value("max_requeues", k.COUNT_OR_NONE, "default: that of [sessions]"),
    ),
)

DATABASES: Final = Table(
    title="databases.NAME",
    struct=st.Database,
    doc="a SQLite database whose locks are watched",
    unique=("path",),
    keys=(
        _value("path", k.PATH, "the database file", required=True),
        _value("busy_for", k.DURATION, "a lock without progress for this long is an incident"),
        _value("act_after", k.DURATION, "a holder is ended only after this, and 2 checks"),
        _value("on_stale", k.choice("heal", "alert"), "what is done about a stale lock"),
        _set("may_kill", k.TEXT, "whose holders may be ended too: names or command lines, with *"),
        _set("keep", k.TEXT, "whose holders are never acted on; wins over may_kill"),
        _value("rollback_shells", k.BOOL, "type ROLLBACK into a forgotten sqlite3 in a tmux pane"),
        _value("end_readers", k.BOOL, "end workers that only read and pin a large -wal, too"),
    ),
)

BUDGETS: Final = Table(
    title="disk.budgets",
    struct=st.Budget,
    doc="a directory with a ceiling of its own, same thresholds",
    unique=("path",),
    keys=(
        _value("path", k.PATH, "the directory", required=True),
        _value("limit", k.SIZE, "what counts as 100 %", required=True),
    ),
)

THRESHOLDS: Final = Table(
    title="disk.thresholds",
    struct=st.Thresholds,
    doc="lines of one file system or budget, where they differ from those of [disk]",
    unique=("path",),
    keys=(
        _value("path", k.PATH, "which one of disk.paths or disk.budgets", required=True),
        _value("warning", k.PERCENT, "default: disk.warning"),
        _value("critical", k.PERCENT, "default: disk.critical"),
        _value("target", k.PERCENT, "default: disk.target"),
    ),
)

RULES: Final = Table(
    title="disk.rules",
    struct=st.Rule,
    doc="which files may go, and how",
    unique=("name",),
    keys=(
        _value("name", k.NAME, "what it is called", required=True),
        _set("paths", k.CLEANABLE, "the directories", least=1),
        _set("patterns", k.PATTERN, "the names of files that may go", least=1),
        _value(
            "older_than",
            k.DURATION,
            "age; default: disk.log_retention for logs, disk.temp_age for temporary files",
        ),
        _value("larger_than", k.SIZE, "only files with more bytes than this"),
        _value("smaller_than", k.SIZE, "only files with fewer bytes than this"),
        _set("owner", k.USER, "only files of these users: names or numbers"),
        _value(
            "action", k.choice("delete", "compress", "trash", "truncate"), "what is done with them"
        ),
        _value(
            "compression",
            k.choice("gzip", "zstd"),
            "how `compress` does it, and the copies of `truncate`",
        ),
        _set("exclude", k.PATTERN, "the names of files that stay"),
        _value("recursive", k.BOOL, "also in the directories below"),
        _value(
            "keep_newest",
            k.COUNT_OR_NONE,
            "how many stay in each directory, the newest; of `truncate`: copies of each log",
        ),
        _value("backup", k.BACKUP, "verified upload before removal"),
    ),
)

DISK: Final = Table(
    title="disk",
    struct=st.Disk,
    doc="file systems and budgets",
    keys=(
        _value("warning", k.PERCENT, "percentage in use that is a WARNING"),
        _value("critical", k.PERCENT, "percentage in use that is CRITICAL, and is cleaned"),
        _value("target", k.PERCENT, "cleaning stops once below"),
        _value("hysteresis", k.PERCENT, "percentage points below a threshold that end its alert"),
        _value("horizon", k.PAUSE, "warn when it will be full within this; 0s: never"),
        _value("log_retention", k.DURATION, "age at which logs may go"),
        _value("temp_age", k.DURATION, "age at which temporary files may go"),
        _value("max_files", k.COUNT_OR_NONE, "most files that cleaning takes by itself"),
        _value("max_bytes", k.LIMIT, "most bytes that cleaning takes by itself; 0: no limit"),
        _value("max_within", k.DURATION, "for how long that counts, unless a person cleans"),
        _value("max_per_second", k.COUNT_OR_NONE, "most files that cleaning takes in a second"),
        _set("protect", k.PATH, "files and directories that no rule touches"),
        _value("trash_for", k.DURATION, "how long what was put aside can be taken back"),
        _set("paths", k.PATH, "file systems to watch"),
        _table("tables", BUDGETS),
        _table("tables", THRESHOLDS),
        _table("tables", RULES),
    ),
)

ALERTS: Final = Table(
    title="alerts",
    struct=st.Alerts,
    doc="the alert inbox",
    keys=(
        _value("acknowledge_for", k.DURATION, "how long an acknowledgement holds"),
        _value("confirm_checks", k.COUNT, "checks that must find it before it is an alert"),
        _value("confirm_for", k.PAUSE, "or how long it must have been there; 0s: at once"),
        _value("clear_checks", k.COUNT, "checks that must find nothing before it is over"),
        _value("reopen_within", k.PAUSE, "the same again within this is the same incident"),
        _value("stale_checks", k.COUNT, "checks without an answer after which it is stale"),
        _value("flapping", k.BOOL, "what comes and goes is told once"),
        _value("flapping_start", k.PERCENT, "percentage of changes at which that begins"),
        _value("flapping_end", k.PERCENT, "percentage of changes below which it ends"),
    ),
)

CHANNELS: Final = Table(
    title="notify.channels.NAME",
    struct=st.Channel,
    doc="one way out for notices: exactly one of url, url_env, url_file, command",
    keys=(
        _value("url", k.ADDRESS, "where notices go; never shown, logged or stored"),
        _value("url_env", k.VARIABLE, "the environment variable that holds the URL"),
        _value("url_file", k.PATH, "a file whose first line is the URL"),
        _list("command", k.ARGUMENT, "gets each notice as JSON on its input", least=1),
        _value("severity", k.choice("CRITICAL", "WARNING"), "the least that it is told of"),
        _value("rate", k.RATE, "how much it may be told; what is more is told together"),
        _set(
            "topics",
            k.choice("opened", "reminder", "recovered", "summary", "report"),
            "what it is told",
        ),
        _value("timeout", k.duration(1.0), "how long one delivery may take"),
    ),
)

STEPS: Final = Table(
    title="notify.steps",
    struct=st.Rung,
    doc="who is told of an alert that nobody answers",
    keys=(
        _value("after", k.PAUSE, "how long it has been unanswered", required=True),
        _set("channels", k.TEXT, "who is told then", least=1),
    ),
)

NOTIFY: Final = Table(
    title="notify",
    struct=st.Notify,
    doc="who is told outside of healmon, and when",
    keys=(
        _value("quiet", k.HOURS, "local hours in which only CRITICAL is told"),
        _value("repeat_every", k.PAUSE, "how often it is told again; 0s: never"),
        _value("report_at", k.TIME, "local time at which the morning page is told, day by day"),
        _value("group_within", k.PAUSE, "how close together is one notice"),
        _table("named", CHANNELS, "channels"),
        _table("tables", STEPS),
    ),
)

STORE: Final = Table(
    title="store",
    struct=st.Store,
    doc="the health store",
    keys=(_value("retention", k.DURATION, "how long history is kept; open alerts stay"),),
)

ROOT: Final = Table(
    title="",
    struct=st.Settings,
    doc="healmon.toml",
    keys=(
        _table("table", MONITOR),
        _table("named", WORKERS),
        _table("table", SESSIONS),
        _table("named", TASKS),
        _table("named", DATABASES),
        _table("table", DISK),
        _table("table", ALERTS),
        _table("table", NOTIFY),
        _table("table", STORE),
        _table("table", UI),
        _table("table", WEB),
        _table("table", METRICS),
    ),
)

TABLES: Final = (
    *(MONITOR, WORKERS, READY, LIVENESS, SESSIONS, TASKS),
    *(DATABASES, DISK, BUDGETS, THRESHOLDS, RULES, ALERTS),
    *(NOTIFY, CHANNELS, STEPS, STORE, UI, WEB, METRICS),
)
"""All tables in the order of the key reference."""
