"""What several keys together must keep to, once each of them is right by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any, Final

import msgspec

from healmon.config import extras, facesettings, metricskeys, screenchecks, webkeys
from healmon.config import settings as st
from healmon.config.derive import Context
from healmon.config.lines import KeyPath
from healmon.config.nearest import nearest
from healmon.config.toml import literal, path_text
from healmon.units import duration_text, size_text

PROBES: Final = ("log", "tcp", "http", "command", "heartbeat")
"""The keys of `ready` and `liveness` of which exactly one is given."""
LIMITS: Final = ("as", "core", "cpu", "data", "fsize", "memlock", "nofile", "nproc", "stack")
"""The resource limits of setrlimit(2) that a worker may be given."""
WAYS: Final = ("url", "url_env", "url_file", "command")
"""The keys of a channel of which exactly one is given."""
TASK_COLUMNS: Final = (
    "id", "session", "status", "assigned_at", "completed_at", "error", "retries", "max_retries",
    "timeout", "heartbeat", "not_before", "stuck_after", "target",
)  # fmt: skip
"""The keys of a source of tasks that name a column."""
TASK_KEYS: Final = (
    "layout", "table", *TASK_COLUMNS, "timeout_unit", "active", "pending", "failed", "needs_human",
    "history",
)  # fmt: skip
"""Those that only a database has."""


def _settings(settings: st.Settings, _path: KeyPath, context: Context) -> None:
    names = {worker.name for worker in settings.workers}
    for worker in settings.workers:
        for index, name in enumerate(worker.after):
            # a worker that is at fault itself exists nevertheless
            if name not in names and not context.faults.bad(("workers", name)):
                path = ("workers", worker.name, "after", index)
                near = nearest(name, names)
                context.faults.add(path, "no such worker", found=name, nearest=near)
    _check_circles({worker.name: list(worker.after) for worker in settings.workers}, context)
    _check_sources(settings.tasks, context)
    web, numbers = settings.web.listen, settings.metrics.listen
    if webkeys.same_place(web, numbers):
        what = (
            f"web.listen has it already ({web}), and serves /metrics there, too, to who has a"
            " token: give another port, or leave this out"
        )
        context.faults.add(("metrics", "listen"), what, found=numbers)


def _check_sources(sources: Sequence[st.Tasks], context: Context) -> None:
    """Two sources may share a file when each says which table it means, and they differ."""
    for index, one in enumerate(sources):
        for other in sources[:index]:
            tables = {_table_of(one), _table_of(other)}
            if one.path and one.path == other.path and (len(tables) == 1 or "" in tables):
                what = f"is the same as {path_text(('tasks', other.name, 'path'))}"
                context.faults.add(("tasks", one.name, "path"), what, found=one.path)


def _table_of(tasks: st.Tasks) -> str:
    return (tasks.table or st.TASK_TABLES.get(tasks.layout or "", "")).lower()


def _check_circles(waits_for: dict[str, list[str]], context: Context) -> None:
    while True:
        try:
            TopologicalSorter(waits_for).prepare()
        except CycleError as error:
            # graphlib names who is waited for before who waits
            circle: list[str] = error.args[1][::-1]
            what = f"goes in a circle: {' waits for '.join(circle)}"
            context.faults.add(("workers", circle[0], "after"), what)
            waits_for[circle[0]].remove(circle[1])
        else:
            return


def _worker(worker: st.Worker, path: KeyPath, context: Context) -> None:
    if worker.restart_delay > worker.restart_delay_max:
        first, longest = map(duration_text, (worker.restart_delay, worker.restart_delay_max))
        what = f"the first delay ({first}) is longer than the longest ({longest})"
        context.faults.clash(path, ("restart_delay", "restart_delay_max"), what)
    if worker.quarantine > worker.quarantine_max:
        first, longest = map(duration_text, (worker.quarantine, worker.quarantine_max))
        what = f"the first quarantine ({first}) is longer than the longest ({longest})"
        context.faults.clash(path, ("quarantine", "quarantine_max"), what)
    for name in worker.limits:
        if name not in LIMITS:
            where = (*path, "limits", name)
            what = "no such resource limit"
            context.faults.add(
                where, what, allowed=", ".join(LIMITS), nearest=nearest(name, LIMITS)
            )
    for key, probe in (("ready", worker.ready), ("liveness", worker.liveness)):
        if probe is not None and probe.heartbeat and not worker.heartbeat_file:
            context.faults.clash(path, (key, "heartbeat_file"), "heartbeat needs a heartbeat_file")


def _ready(ready: st.Ready, path: KeyPath, context: Context) -> None:
    given = tuple(probe for probe in PROBES if getattr(ready, probe))
    if len(given) != 1:
        what = f"has {' and '.join(given)}" if given else "has no probe"
        keys = given or PROBES
        context.faults.clash(path, keys, f"{what}; give exactly one of {', '.join(PROBES)}")
    elif ready.log and path[-1] == "liveness":
        what = "a line in the log shows that a worker became ready, not that it still works"
        context.faults.clash(path, ("log",), what)


def _tasks(tasks: st.Tasks, path: KeyPath, context: Context) -> None:
    given = [key for key in TASK_KEYS if getattr(tasks, key) is not None]
    if tasks.command and given:
        what = f"{given[0]} says how a database is laid out; a command tells its tasks itself"
        context.faults.clash(path, (given[0], "command"), what)
    if tasks.settle_command and not tasks.command:
        what = "settles tasks that a command tells, and there is none"
        context.faults.clash(path, ("settle_command", "command"), what)
    if tasks.layout == "table" and tasks.table is None:
        context.faults.clash(path, ("layout", "table"), 'layout "table" needs a table')
    first: dict[str, str] = {}
    for key in TASK_COLUMNS:
        column = (getattr(tasks, key) or "").lower()
        if column and first.setdefault(column, key) != key:
            what = f"is the same column as {first[column]}"
            context.faults.clash(path, (key, first[column]), what)


def _database(database: st.Database, path: KeyPath, context: Context) -> None:
    if database.act_after < database.busy_for:
        busy, act = map(duration_text, (database.busy_for, database.act_after))
        what = f"act_after ({act}) is shorter than busy_for ({busy})"
        context.faults.clash(path, ("act_after", "busy_for"), what)


def _disk(disk: st.Disk, path: KeyPath, context: Context) -> None:
    for lower, upper in (("target", "warning"), ("warning", "critical")):
        low, high = getattr(disk, lower), getattr(disk, upper)
        if low >= high:
            what = f"{lower} ({literal(low)}) must be below {upper} ({literal(high)})"
            context.faults.clash(path, (lower, upper), what)
    watched = {*disk.paths, *(budget.path for budget in disk.budgets)}
    for index, one in enumerate(disk.thresholds):
        where = (*path, "thresholds", index)
        if one.path not in watched:
            what = "is neither in disk.paths nor a budget"
            near = nearest(one.path, watched)
            context.faults.add((*where, "path"), what, found=one.path, nearest=near)
        _check_own(one, disk, where, context)


def _rule(rule: st.Rule, path: KeyPath, context: Context) -> None:
    large, small = rule.larger_than, rule.smaller_than
    if large is not None and small is not None and large >= small:
        what = f"no file is larger than {size_text(large)} and smaller than {size_text(small)}"
        context.faults.clash(path, ("larger_than", "smaller_than"), what)
    if rule.action == "truncate":
        _truncate(rule, path, context)
    _compression(rule, path, context)


def _truncate(rule: st.Rule, path: KeyPath, context: Context) -> None:
    size = (*path, "larger_than")
    if rule.larger_than is None and not context.faults.bad(size):
        what = 'is missing; action = "truncate" makes logs shorter that are larger than this'
        context.faults.add(size, what)
    if rule.backup:
        what = 'is not for action = "truncate": let another rule save the copies that it makes'
        context.faults.add((*path, "backup"), what)


def _compression(rule: st.Rule, path: KeyPath, context: Context) -> None:
    if rule.compression != "zstd":
        return
    where = (*path, "compression")
    if rule.action not in {"compress", "truncate"}:
        what = f'is for action = "compress" and "truncate", not for {literal(rule.action)}'
        context.faults.add(where, what)
    elif not extras.installed(extras.ZSTD):
        what = "zstd is not installed; say: pip install 'healmon[zstd]', or use \"gzip\""
        context.faults.add(where, what)


def _check_own(one: st.Thresholds, disk: st.Disk, where: KeyPath, context: Context) -> None:
    for lower, upper in (("target", "warning"), ("warning", "critical")):
        low, high = (
            getattr(disk, name) if getattr(one, name) is None else getattr(one, name)
            for name in (lower, upper)
        )
        given = [name for name in (lower, upper) if getattr(one, name) is not None]
        if given and low >= high:
            what = f"{lower} ({literal(low)}) must be below {upper} ({literal(high)})"
            context.faults.add((*where, given[0]), what)


def _channel(channel: st.Channel, path: KeyPath, context: Context) -> None:
    given = tuple(way for way in WAYS if getattr(channel, way))
    if len(given) != 1:
        what = f"has {' and '.join(given)}" if given else "has no way out"
        what = f"{what}; give exactly one of {', '.join(WAYS)}"
        context.faults.clash(path, given or WAYS, what)


def _notify(notify: st.Notify, path: KeyPath, context: Context) -> None:
    names = [channel.name for channel in notify.channels]
    for index, step in enumerate(notify.steps):
        for place, name in enumerate(step.channels):
            # a channel that is at fault itself exists nevertheless
            if name not in names and not context.faults.bad((*path, "channels", name)):
                where = (*path, "steps", index, "channels", place)
                near = nearest(name, names)
                context.faults.add(where, "no such channel", found=name, nearest=near)


def _alerts(alerts: st.Alerts, path: KeyPath, context: Context) -> None:
    if alerts.flapping_end >= alerts.flapping_start:
        end, start = literal(alerts.flapping_end), literal(alerts.flapping_start)
        what = f"flapping_end ({end}) must be below flapping_start ({start})"
        context.faults.clash(path, ("flapping_end", "flapping_start"), what)


CHECK: Final[Mapping[type[msgspec.Struct], Callable[[Any, KeyPath, Context], None]]] = {
    st.Settings: _settings,
    st.Worker: _worker,
    st.Ready: _ready,
    st.Tasks: _tasks,
    st.Database: _database,
    st.Rule: _rule,
    st.Disk: _disk,
    st.Channel: _channel,
    st.Notify: _notify,
    st.Alerts: _alerts,
    facesettings.Ui: screenchecks.check,
    facesettings.Web: webkeys.check,
    facesettings.Metrics: metricskeys.check,
}
