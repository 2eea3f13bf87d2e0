"""Others who look after the same things: monitors, timers, healmons on another state directory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from posixpath import basename

from healmon.config.settings import Worker
from healmon.redact import command_line
from healmon.service.doctor.model import Finding, Ground
from healmon.service.starter import programs
from healmon.text import clean
from healmon.world import ground as kernel
from healmon.world import survey
from healmon.world.processes import DEAD, ProcessFacts

NAME = "rivals"
MONITORS = {
    "supervisord": "supervisord", "monit": "monit", "runsvdir": "runit", "s6-svscan": "s6",
    "circusd": "circus", "god": "god", "pm2": "pm2",
}  # fmt: skip
LOCK = "/healmon.lock"


def rivals(ground: Ground) -> Iterator[Finding]:
    """Look who else would start, end or clean what healmon looks after."""
    everyone = _everyone(ground)
    yield from _monitors(everyone)
    yield from _healers(ground, everyone)
    if ground.settings is not None:
        yield from _written(ground, ground.settings.workers)


def _everyone(ground: Ground) -> dict[int, ProcessFacts]:
    return {
        facts.identity.pid: facts
        for facts in ground.processes.everyone()
        if facts.state not in DEAD and facts.command
    }


def _monitors(everyone: dict[int, ProcessFacts]) -> Iterator[Finding]:
    for pid, facts in sorted(everyone.items()):
        words = {facts.name, *(basename(word) for word in facts.command[:2])}
        known = next((MONITORS[word] for word in words if word in MONITORS), "")
        if not known and facts.command[0].startswith("PM2 "):
            known = "pm2"
        if known:
            yield Finding(
                NAME, "ok", f"{known} runs (pid {pid}); it is a rival only of what it is told to"
                " look after",
            )  # fmt: skip
        elif programs.MONITORS.search(" ".join(map(basename, facts.command[:2]))):
            shown = command_line(facts.command, 120)
            yield Finding(
                NAME, "warning", f"another monitor runs (pid {pid}): {shown}", "",
                "let one of the two look after the workers: end it, or leave healmon's out",
            )  # fmt: skip


def _healers(ground: Ground, everyone: dict[int, ProcessFacts]) -> Iterator[Finding]:
    own = f"{os.path.realpath(ground.state_dir)}{LOCK}"
    for pid, facts in sorted(everyone.items()):
        if pid == ground.processes.own_pid:
            continue
        locks = {path for path in survey.open_paths(facts.identity) if path.endswith(LOCK)}
        for lock in sorted(locks - {own}):
            place = clean(lock.removesuffix(LOCK))
            yield Finding(
                NAME, "warning", f"another healer runs (pid {pid}) on {place}", place,
                "make sure that the two look after different workers, sessions and disks",
            )  # fmt: skip


def _written(ground: Ground, workers: tuple[Worker, ...]) -> Iterator[Finding]:
    """Look into what other monitors are told; only whole paths and names of scripts count."""
    home = os.path.expanduser("~")  # noqa: PTH111 - text
    places = ground.rivals

    def at(*folders: str) -> tuple[str, ...]:
        return tuple(f"{home}{f[1:]}" if f.startswith("~") else f for f in folders)

    sorts = (
        ("a systemd unit", kernel.texts(at(*places.units), (".service",)), ("Exec",)),
        ("cron", kernel.texts(at(*places.cron), ()), ()),
        ("another supervisor", kernel.texts(at(*places.others), ()), ()),
    )
    clean_so_far = True
    for what, texts, begins in sorts:
        for path, text in texts.items():
            for worker, line in _mentions(text, begins, workers):
                clean_so_far = False
                yield Finding(
                    NAME, "critical", f"{what} starts {worker.name}, too: {clean(line, limit=160)}",
                    clean(path), "let one of the two start it: take it out there, or out of"
                    f" {ground.at('workers', worker.name)}",
                )  # fmt: skip
    if clean_so_far and workers:
        yield Finding(NAME, "ok", "no unit, crontab or supervisor that can be read starts a worker")


def _mentions(
    text: str, begins: tuple[str, ...], workers: tuple[Worker, ...]
) -> Iterator[tuple[Worker, str]]:
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith(("#", ";")) or (begins and not line.startswith(begins)):
            continue
        words = {word.strip("\"',;()=") for word in line.replace("=", " ").split()}
        for worker in workers:
            if _own_words(worker) & words and "healmon" not in line:
                yield worker, line


def _own_words(worker: Worker) -> set[str]:
    """Return the paths by which a worker is known: of its script, or of a program of its own."""
    if worker.script:
        return {worker.script, "/".join(worker.script.rsplit("/", 2)[1:])}
    program, *words = worker.argv
    return {word for word in words if "/" in word and "." in basename(word)} or {program} - {
        basename(program)
    }


def unseen(ground: Ground) -> Iterator[Finding]:
    """Tell when the crontabs of users could not be looked into."""
    for folder in ground.rivals.cron:
        try:
            os.listdir(folder)  # noqa: PTH208 - asked whether it may be
        except PermissionError:
            yield Finding(
                NAME, "unknown", f"{folder} may not be read: @reboot lines there are not seen",
                folder, "look yourself: crontab -l",
            )  # fmt: skip
        except OSError:
            continue
