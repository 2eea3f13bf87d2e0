"""Units for systemd: what they say, as a pure function, and where they go.

Workers must outlive healmon, also when its unit is stopped, restarted or killed by the watchdog,
so only the main process is ever killed; they stay in the unit's control group, and the next start
finds them by their locks. Whatever a unit takes from a service it takes from the workers, too,
which healmon starts: so it takes next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from healmon.errors import DataError, StateDirError
from healmon.text import clean

NAME: Final = "healmon.service"
STATE_DIR: Final = "/var/lib/healmon"
"""Where the host's service keeps its state, unless the configuration says where."""
SYSTEM_DIR: Final = "/etc/systemd/system"
WATCHDOG: Final = 300
"""Seconds that systemd waits for a sign of life, of which healmon gives two."""
STOP: Final = 60
"""Seconds for the current action and the last notices; `healmon stop` has 45."""
NO_RESTART: Final = "64 73 78"
"""Exit codes that no restart mends: usage, state directory, configuration."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_CONTROL: Final = re.compile(r"[\x01-\x1f\x7f]")
_ODD: Final = re.compile(r"[\x01-\x1f\x7f\"'$\\]")
ENV: Final = "/usr/bin/env"
_HARDENING: Final = """\
# What is forbidden here is forbidden to every worker, so it is little: no private /tmp (tmux
# sockets and pid files are there), no protected file systems (disks are cleaned), all of /proc,
# and new privileges, for workers that use sudo.
LockPersonality=yes
ProtectKernelModules=yes
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What a unit is for.

    Attributes:
        command: the absolute path of `healmon`, and arguments before its own, if any.
        config: absolute path of the configuration; empty: healmon finds it.
        state_dir: absolute path; empty: /var/lib/healmon for the host's, healmon's own choice for
            a user's.
        system: for the host, not for the user who runs systemd.
        user: whom the host's runs as.
        placed: absolute path of the state directory that the configuration names; empty: none.
    """

    command: tuple[str, ...]
    config: str = ""
    state_dir: str = ""
    system: bool = False
    user: str = "root"
    placed: str = ""

    @property
    def kept(self) -> bool:
        """Whether systemd makes the state directory, as nobody says where else it is."""
        return self.system and not self.state_dir and not self.placed


def render(service: Service) -> str:
    """Return the unit. Pure."""
    blocks = [_unit(service), _service(service)]
    blocks.append(f"[Install]\nWantedBy={'multi-user' if service.system else 'default'}.target\n")
    return "\n".join(blocks)


def _unit(service: Service) -> str:
    return (
        "[Unit]\n"
        "Description=healmon, a self-healing health monitor for this host\n"
        "After=network.target\n"
        f"{_mounts(service)}"
        "# a monitor is tried again for ever\n"
        "StartLimitIntervalSec=0\n"
    )


def _mounts(service: Service) -> str:
    """Return the line that has a boot wait for the file systems that are read first.

    Before they are there the configuration is missing, which no restart would mend.
    """
    paths = [path for path in (service.config, service.state_dir or service.placed) if path]
    if not service.system or not paths or any(map(_CONTROL.search, paths)):
        return ""  # a user's systemd mounts nothing
    return f"RequiresMountsFor={' '.join(map(_path, paths))}\n"


def _path(text: str) -> str:
    """Return a path as systemd reads it where no command is meant: a $ is a $."""
    return _word(text).replace("$$", "$")


def _service(service: Service) -> str:
    rows = [
        "[Service]",
        "Type=notify",
        f"ExecStart={_command(service, 'run')}",
        "# fails when the new configuration is wrong: the old one stays in force",
        f"ExecReload={_command(service, 'reload')}",
        "# workers outlive healmon: only its own process is ever signalled or killed",
        "KillMode=process",
        "# and a worker that the kernel ends for want of memory is healed, not a reason to stop",
        "OOMPolicy=continue",
        "TasksMax=infinity",
        "Restart=on-failure",
        "RestartSec=10",
        f"RestartPreventExitStatus={NO_RESTART}",
        "TimeoutStartSec=180",
        f"TimeoutStopSec={STOP}",
        "# an engine that hangs is ended and started again; workers do not notice",
        f"WatchdogSec={WATCHDOG}",
        "# the report of each cycle is for terminals; the journal gets the events",
        "StandardOutput=null",
        "StandardError=journal",
        "SyslogIdentifier=healmon",
    ]
    if service.system:
        rows.append(f"User={clean(service.user)}")
        if service.kept:
            rows += ["StateDirectory=healmon", "StateDirectoryMode=0700"]
        if service.user == "root":
            rows.append(_HARDENING.rstrip())
    return "\n".join(rows) + "\n"


def _command(service: Service, verb: str) -> str:
    words = [*service.command, verb]
    if service.config:
        words += ["--config", service.config]
    if service.state_dir:
        words += ["--state-dir", service.state_dir]
    elif service.kept:
        words += ["--state-dir", STATE_DIR]
    # systemd takes fewer letters in the name of a program than in its arguments
    head = [] if not _ODD.search(words[0]) else [ENV]
    return " ".join(map(_word, [*head, *words]))


def _word(text: str) -> str:
    """Return one word of a command line as systemd.service(5) reads it."""
    text = text.replace("%", "%%").replace("$", "$$")
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    escaped = _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", escaped)
    return f'"{escaped}"'


def command(executable: str) -> tuple[str, ...]:
    """Return how healmon is run by this Python: its script, or a line of Python where it has none.

    Args:
        executable: `sys.executable`.
    """
    script = Path(executable).parent / "healmon"
    if script.exists():
        return (str(script),)
    return (executable, "-P", "-c", "from healmon.cli import entry; entry()")


def place(service: Service, environ: Mapping[str, str]) -> Path:
    """Return where the unit belongs."""
    if service.system:
        return Path(SYSTEM_DIR) / NAME
    named = environ.get("XDG_CONFIG_HOME", "")
    home = environ.get("HOME", "/")
    base = Path(named) if named.startswith("/") else Path(home) / ".config"
    return base / "systemd" / "user" / NAME


def write(service: Service, target: Path) -> Path:
    """Write the unit and return where it is; never overwrites.

    Args:
        service: what it is for.
        target: the file, from `place`, or a directory that it goes into.

    Raises:
        DataError: something else is there already (the same unit is no fault), or a path in it is
            no text, as all of a unit must be.
        StateDirError: it cannot be written.
    """
    path = target / NAME if target.is_dir() else target
    text = render(service)
    shown = clean(str(path))
    try:
        text.encode()
    except UnicodeEncodeError:
        raise DataError(
            f"{shown} cannot name all paths: one of them is not UTF-8",
            remedy="rename the configuration, the state directory or where healmon is installed",
        ) from None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        if not path.is_file():
            raise StateDirError(
                f"{shown} cannot be written: {error.strerror}",
                remedy="write the host's unit as root, or a unit for yourself",
            ) from error
        if path.read_text("utf-8", "replace") != text:
            raise DataError(
                f"{shown} is there already and says something else",
                remedy="move it away first, or name another place",
            ) from None
    return path


def next_steps(service: Service, path: Path) -> list[str]:
    """Return what a person types once the unit is written."""
    ctl = "systemctl" if service.system else "systemctl --user"
    known = path.parent == Path(SYSTEM_DIR) or path.parent.name == "user"
    steps = [] if known else [f"{ctl} link {clean(str(path))}"]
    steps += [f"{ctl} daemon-reload", f"{ctl} enable --now {NAME}", f"{ctl} status {NAME}"]
    if service.kept:
        steps.append(f"export HEALMON_STATE_DIR={STATE_DIR}   # for each command: it is kept there")
    if not service.system:
        steps.append("loginctl enable-linger   # or it ends, with its workers, when you log out")
    return steps
