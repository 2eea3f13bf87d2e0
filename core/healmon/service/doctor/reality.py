"""The rest of the configuration against what is there: tasks, databases, disks, notices."""

from __future__ import annotations

import os
import pwd
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from healmon.config import extras, trust
from healmon.config.depot import is_remote
from healmon.config.faces import missing as missing_faces
from healmon.config.settings import Channel, Rule
from healmon.errors import ConfigError, ProbeError
from healmon.service.doctor.model import Finding, Ground
from healmon.sessions.packs import user
from healmon.text import clean
from healmon.world import farmounts, notes
from healmon.world.sqlite import SystemLocks
from healmon.world.taskdb import SystemTaskDatabases

_WEBHOOK = re.compile(r"https?://")


def sources(ground: Ground) -> Iterator[Finding]:
    """Look whether tasks can be read."""
    name = "tasks"
    for tasks in ground.settings.tasks if ground.settings is not None else ():
        where = ground.at("tasks", tasks.name, "command" if tasks.command else "path")
        try:
            view = SystemTaskDatabases().look(tasks)
        except ProbeError as error:
            said = f"{tasks.name}: {clean(str(error.args[0]))}"
            remedy = error.remedy or "correct the path, or say how it is laid out: docs/tasks.md"
            yield Finding(name, "critical", said, where, remedy)
        else:
            yield Finding(name, "ok", f"{tasks.name}: {len(view.active)} active tasks", where)


def databases(ground: Ground) -> Iterator[Finding]:
    """Look whether databases can be looked at."""
    name, locks = "databases", SystemLocks()
    try:
        for database in ground.settings.databases if ground.settings is not None else ():
            where = ground.at("databases", database.name, "path")
            try:
                seen = locks.look(database.path)
            except ProbeError as error:
                said = f"{database.name}: {clean(database.path)}: {clean(str(error.args[0]))}"
                yield Finding(name, "critical", said, where, error.remedy or "correct the path")
                continue
            if seen.network:
                said = f"{database.name} lies on {seen.network}: locks of other hosts are not seen"
                yield Finding(name, "warning", said, where, "keep it on a disk of this host")
            elif seen.links > 1:
                said = f"{database.name} has {seen.links} names: those who use another see old data"
                yield Finding(name, "warning", said, where, "remove the other names")
            else:
                yield Finding(name, "ok", f"{database.name}: {seen.mode} mode", where)
    finally:
        locks.close()


def disks(ground: Ground) -> Iterator[Finding]:
    """Look at file systems, budgets and what rules may touch."""
    name = "disk"
    if ground.settings is None:
        return
    disk, mounts = ground.settings.disk, farmounts.mounts()
    for index, path in enumerate(disk.paths):
        where = ground.at("disk", "paths", index)
        if mounts.far(path) is not None:
            yield Finding(name, "ok", f"{clean(path)} lies on another host", where)
        elif not Path(path).exists():
            said = f"{clean(path)} is not there"
            yield Finding(name, "critical", said, where, "mount it, or take it out")
        elif not Path(path).is_mount():
            said = f"{clean(path)} is no mount point: the file system that it lies on is judged"
            yield Finding(name, "ok", said, where)
    for index, budget in enumerate(disk.budgets):
        if mounts.far(budget.path) is None and not Path(budget.path).is_dir():
            where = ground.at("disk", "budgets", index, "path")
            said = f"{clean(budget.path)} is no directory: nothing is counted"
            yield Finding(name, "warning", said, where, "make it, or correct the path")
    for index, rule in enumerate(disk.rules):
        yield from _rule(ground, rule, index, mounts)
        yield from _owners(ground, rule, index)
    if not disk.rules:
        yield Finding(name, "ok", "no rule says what may be cleaned", ground.at("disk"))


def _rule(ground: Ground, rule: Rule, index: int, mounts: farmounts.Mounts) -> Iterator[Finding]:
    for place, path in enumerate(rule.paths):
        where = ground.at("disk", "rules", index, "paths", place)
        if mounts.far(path) is not None:
            continue
        try:
            found = os.lstat(path)
        except OSError as error:
            said = f"rule {rule.name}: {clean(path)}: {error.strerror}"
            yield Finding("disk", "warning", said, where, "make it, or correct the path")
            continue
        if stat.S_ISLNK(found.st_mode):
            said = f"rule {rule.name}: {clean(path)} is a link: nothing behind it is touched"
            yield Finding("disk", "warning", said, where, "name the directory itself")
        elif not os.access(path, os.W_OK | os.X_OK, effective_ids=True):
            said = f"rule {rule.name}: {clean(path)} may not be written: nothing there can go"
            yield Finding(
                "disk", "warning", said, where, "mend its permissions, or run as its owner"
            )
        elif found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
            said = f"rule {rule.name}: anybody may write into {clean(path)}"
            yield Finding("disk", "warning", said, where, f"chmod o-w {clean(path)}")
    if rule.backup:
        where = ground.at("disk", "rules", index, "backup")
        module = "asyncssh" if rule.backup.startswith("sftp:") else "obstore"
        if is_remote(rule.backup) and not extras.installed(module):
            said = f"rule {rule.name}: {module} is not installed: nothing is saved, nothing goes"
            yield Finding("disk", "critical", said, where, "pip install 'healmon[backup]'")


def _owners(ground: Ground, rule: Rule, index: int) -> Iterator[Finding]:
    for owner in rule.owner:
        if not owner.isdecimal() and not _is_user(owner):
            where = ground.at("disk", "rules", index, "owner")
            said = f"rule {rule.name}: there is no user {clean(owner)}"
            yield Finding("disk", "warning", said, where, "correct the name")


def _is_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def packs(ground: Ground) -> Iterator[Finding]:
    """Look whether detection packs of one's own read their screens."""
    folder = ground.settings.sessions.packs if ground.settings is not None else ""
    if folder:
        where = ground.at("sessions", "packs")
        try:
            count = user.tried(folder)
        except ConfigError as error:
            yield Finding(
                "packs", "critical", clean(str(error.args[0])), where, "see: healmon check"
            )
        else:
            yield Finding("packs", "ok", f"{count} test screens are read as they say", where)


def faces(ground: Ground) -> Iterator[Finding]:
    """Look whether what is to be served beside the healer can be."""
    if ground.settings is None:
        return
    for path, what in missing_faces(ground.settings):
        said, _, remedy = what.partition(": ")
        said = f"{said}, which is not installed: nothing is served; healing goes on"
        yield Finding("faces", "warning", said, ground.at(*path), remedy)


# -- notices


def notices(ground: Ground) -> Iterator[Finding]:
    """Look whether channels could be used; nothing is sent."""
    name = "notify"
    channels = ground.settings.notify.channels if ground.settings is not None else ()
    if ground.settings is not None and not channels:
        yield Finding(name, "ok", "no channel: nobody is told but who looks", ground.at("notify"))
    for channel in channels:
        fault = _channel(channel, ground)
        key = next(
            (k for k in ("url", "url_env", "url_file", "command") if getattr(channel, k)), ""
        )
        where = ground.at("notify", "channels", channel.name, key)
        if fault:
            yield Finding(name, "critical", f"{channel.name}: {fault[0]}", where, fault[1])
        else:
            said = f"{channel.name} could be used"
            yield Finding(name, "ok", f"{said}; try it: healmon notify --test", where)


def _channel(channel: Channel, ground: Ground) -> tuple[str, str] | None:
    """Return what is wrong with a channel and how to mend it; None: nothing is seen."""
    if channel.command:
        program = channel.command[0]
        there = Path(program).exists() if "/" in program else bool(notes.find_program(program))
        return None if there else (f"{clean(program)} is found nowhere", "give its whole path")
    try:
        url, place, remedy = _url(channel, ground)
    except ProbeError as error:
        return str(error), "mend its permissions"
    if "://" not in url:
        return f"{place} holds no URL", remedy
    if not _WEBHOOK.match(url) and not extras.installed("apprise"):
        return "apprise is not installed", "pip install 'healmon[notify]'"
    return None


def _url(channel: Channel, ground: Ground) -> tuple[str, str, str]:
    if channel.url_env:
        remedy = "set it where the healer runs; of systemd: EnvironmentFile="
        return ground.environ.get(channel.url_env, ""), f"${channel.url_env} here", remedy
    if channel.url_file:
        raw = notes.read_small(channel.url_file) or b""
        return raw.decode("utf-8", "replace").strip(), clean(channel.url_file), "write it there"
    return channel.url, "it", "give one such as https://… or slack://…"


def secrets(ground: Ground) -> Iterator[Finding]:
    """Look whether others can read what opens doors, or change what healmon goes by."""
    for path, what, remedy in trust.worries(ground.settings) if ground.settings is not None else ():
        yield Finding("secrets", "warning", what, clean(str(path)), remedy)
