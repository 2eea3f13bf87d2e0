"""What a table's struct has that is not simply one of its keys: argv, host name, default ages.

Each function in `DERIVE` turns the values of a table's keys into the values of its struct's
fields, in place. A table without one is its keys.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec
from msgspec.structs import replace

from healmon.config import settings as st
from healmon.config.faults import Faults
from healmon.config.lines import KeyPath
from healmon.config.paths import Place, absolute
from healmon.text import clean

Values: TypeAlias = dict[str, Any]

_NOT_GIVEN: Final = 0.0
"""Stands for the age that a rule leaves to its disk's defaults; no rule can say it itself."""


@dataclass(frozen=True, slots=True)
class Context:
    """What is known besides the values themselves."""

    place: Place
    faults: Faults


def host_name() -> str:
    """Return what this host calls itself."""
    return clean(os.uname().nodename) or "localhost"


def _settings(values: Values, _path: KeyPath, _context: Context) -> None:
    values.setdefault("monitor", st.Monitor(name=host_name()))
    sessions = values.get("sessions", st.Sessions())
    values["tasks"] = tuple(_with_limits(one, sessions) for one in values.get("tasks", ()))


def _with_limits(tasks: st.Tasks, sessions: st.Sessions) -> st.Tasks:
    backoff, most = tasks.requeue_backoff, tasks.max_requeues
    return replace(
        tasks,
        requeue_backoff=sessions.requeue_backoff if backoff is None else backoff,
        max_requeues=sessions.max_requeues if most is None else most,
    )


def _monitor(values: Values, _path: KeyPath, _context: Context) -> None:
    values.setdefault("name", host_name())


def _ready(values: Values, _path: KeyPath, context: Context) -> None:
    if "command" in values:
        values["command"] = _runnable(values["command"], context.place)


def _worker(values: Values, path: KeyPath, context: Context) -> None:
    args = values.pop("args", ())
    command = values.pop("command", None)
    script = values.get("script")
    # relative paths mean the same wherever healmon was started, for the worker too
    values.setdefault("cwd", context.place.directory)
    if script is not None:
        values["argv"] = (sys.executable, script, *args)
    elif command is not None:
        values["argv"] = (*_runnable(command, context.place), *args)
    else:
        values["argv"] = ()
        context.faults.clash(path, ("script", "command"), 'is missing; give "script" or "command"')


def _sessions(values: Values, _path: KeyPath, _context: Context) -> None:
    if "socket" in values:
        values["sockets"] = (values.pop("socket"),)


def _tasks(values: Values, path: KeyPath, context: Context) -> None:
    for key in ("command", "settle_command"):
        if values.get(key):
            values[key] = _runnable(values[key], context.place)
    if "path" not in values and "command" not in values:
        context.faults.clash(path, ("path", "command"), 'is missing; give "path" or "command"')


def _rule(values: Values, path: KeyPath, context: Context) -> None:
    if values.get("action") == "truncate":
        if "older_than" in values:
            what = 'is not for action = "truncate": a log that is written is never old'
            context.faults.add((*path, "older_than"), what)
        values["older_than"] = _NOT_GIVEN
    elif "older_than" not in values:
        values["older_than"] = _NOT_GIVEN
        if not default_age_key(values["name"], values["patterns"]):
            key = (*path, "older_than")
            if not context.faults.bad(key):
                what = "is missing; only rules for logs or temporary files have a default"
                context.faults.add(key, what)


def _disk(values: Values, _path: KeyPath, _context: Context) -> None:
    known = st.Disk(**values)
    values["rules"] = tuple(
        replace(rule, older_than=getattr(known, default_age_key(rule.name, rule.patterns)))
        if rule.action != "truncate"
        and rule.older_than == _NOT_GIVEN
        and default_age_key(rule.name, rule.patterns)
        else rule
        for rule in known.rules
    )


def _channel(values: Values, _path: KeyPath, context: Context) -> None:
    if values.get("command"):
        values["command"] = _runnable(values["command"], context.place)


def _notify(values: Values, _path: KeyPath, _context: Context) -> None:
    names = tuple(channel.name for channel in values.get("channels", ()))
    if not values.get("steps") and names:
        ladder = ((5 * st.MINUTE, names[:1]), (15 * st.MINUTE, names[1:]))
        values["steps"] = tuple(
            st.Rung(after=after, channels=channels) for after, channels in ladder if channels
        )


def default_age_key(name: str, patterns: tuple[str, ...]) -> str:
    """Return which key of `[disk]` is the default age of a rule; empty: none is."""
    words = set(re.split("[^a-z0-9]+", name.lower()))
    if words & {"tmp", "temp", "temporary"}:
        return "temp_age"
    if words & {"log", "logs"} or all(".log" in pattern for pattern in patterns):
        return "log_retention"
    return ""


def _runnable(argv: tuple[str, ...], place: Place) -> tuple[str, ...]:
    program, *rest = argv
    # a bare word is looked up in PATH when it is run; a path is one of this file's
    return (absolute(program, place) if "/" in program else program, *rest)


DERIVE: Final[Mapping[type[msgspec.Struct], Callable[[Values, KeyPath, Context], None]]] = {
    st.Settings: _settings,
    st.Monitor: _monitor,
    st.Ready: _ready,
    st.Worker: _worker,
    st.Sessions: _sessions,
    st.Tasks: _tasks,
    st.Channel: _channel,
    st.Notify: _notify,
    st.Rule: _rule,
    st.Disk: _disk,
}
