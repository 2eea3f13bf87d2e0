"""What a check says, and what it is given to look at."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, NamedTuple

from healmon.config.lines import KeyPath
from healmon.config.settings import Settings
from healmon.config.source import shown
from healmon.config.toml import path_text
from healmon.world.processes import Processes
from healmon.world.tmux import Tmux

Level = Literal["ok", "warning", "critical", "unknown"]
CODES: Final[Mapping[Level, int]] = {"ok": 0, "warning": 1, "critical": 2, "unknown": 3}
RANK: Final[Mapping[Level, int]] = {"ok": 0, "unknown": 1, "warning": 2, "critical": 3}


class Finding(NamedTuple):
    """One thing a check found.

    Attributes:
        where: file and line and key, or a path; empty: the host.
        remedy: how to mend it; empty: nothing to mend.
    """

    check: str
    level: Level
    what: str
    where: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rivals:
    """Where other monitors keep what they look after."""

    units: tuple[str, ...] = (
        "/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system",
        "/lib/systemd/system", "/etc/systemd/user", "~/.config/systemd/user",
    )  # fmt: skip
    cron: tuple[str, ...] = (
        "/etc/crontab", "/etc/cron.d", "/var/spool/cron", "/var/spool/cron/crontabs",
    )  # fmt: skip
    others: tuple[str, ...] = (
        "/etc/supervisord.conf", "/etc/supervisor", "/etc/supervisor/conf.d", "/etc/supervisord.d",
        "/etc/monitrc", "/etc/monit", "/etc/monit/conf.d", "/etc/monit/conf-enabled",
        "~/.pm2/dump.pm2",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What all checks are given.

    Attributes:
        settings: None where the configuration is wrong.
        source: the configuration file; None: there is none.
        lines: on which line each key stands.
        state_dir: where the store is; it may not be there.
    """

    settings: Settings | None
    source: Path | None
    lines: Mapping[KeyPath, int]
    state_dir: Path
    processes: Processes
    tmux: Tmux
    rivals: Rivals = field(default_factory=Rivals)
    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)

    def at(self, *path: str | int) -> str:
        """Return file, line and key of a setting, or of the nearest table that is written."""
        key = path_text(path)
        if self.source is None:
            return key
        file = shown(self.source)
        for end in range(len(path), 0, -1):
            line = self.lines.get(path[:end])
            if line is not None:
                return f"{file}:{line}: {key}"
        return f"{file}: {key}"


Check = Callable[[Ground], Iterable[Finding]]


class Checked(NamedTuple):
    """A check and its name."""

    name: str
    look: Callable[[Ground], Iterator[Finding]]


def worst(findings: Iterable[Finding]) -> Level:
    """Return the worst level; what could not be told counts less than a warning."""
    levels: list[Level] = ["ok", *(finding.level for finding in findings)]
    return max(levels, key=lambda level: RANK[level])
