"""Detaching a daemon, and proving that it came up before the terminal is let go.

The starter forks twice, so that the daemon is nobody's child and has no terminal. A pipe tells it
how the start went: `up PID` once the daemon is proven up, an error otherwise; end of file without
a word means that it died.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from healmon.errors import HealmonError, HolderError

_log = logging.getLogger(__name__)

UP = "up "
TAIL = 15
"""Log lines shown when the daemon did not come up."""


class _DaemonError(HealmonError):
    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.exit_code = code  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue] - the daemon's own code is passed on


@dataclass(frozen=True, slots=True)
class Started:
    """How a start went: `pid` of the daemon, or None and what it said."""

    pid: int | None
    said: str
    code: int

    def error(self, log_file: Path, before: int) -> HealmonError:
        """Return the error to show, with the log's last lines.

        Those of an earlier run are called so, and told only where it wrote none itself: `before` is
        how long the log was then. Where another healer holds the state directory they would be that
        one's: it is named alone.
        """
        if self.code == HolderError.exit_code:
            return _DaemonError(self.said, self.code)
        try:
            written = log_file.read_bytes()
            # shorter than it was: it was set aside meanwhile, and all of it is new
            new = written[before if len(written) >= before else 0 :]
        except OSError:
            written = new = b""
        tail = (new or written).decode("utf-8", "replace").splitlines()[-TAIL:]
        said = self.said or "the daemon ended without a word"
        whose = "log" if new else "earlier log"
        shown = "".join(f"\n  {whose}: {row}" for row in tail)
        return _DaemonError(f"the daemon did not come up: {said}{shown}", self.code)


def logged(log_file: Path) -> int:
    """Return how long the log is; 0 where there is none."""
    try:
        return log_file.stat().st_size
    except OSError:
        return 0


def detach(serve: Callable[[Callable[[], None]], None]) -> Started:
    """Run `serve(up)` in a detached process; return when it called `up()` or ended.

    Call it before any thread exists. In the daemon it never returns.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _become_daemon(writer, serve)
    os.close(writer)
    os.waitpid(child, 0)
    with os.fdopen(reader, "r", encoding="utf-8", errors="replace") as pipe:
        said = pipe.read()
    if said.startswith(UP):
        return Started(int(said.removeprefix(UP)), "", 0)
    code, _, text = said.partition(" ")
    return Started(None, text, int(code) if code.isdigit() else 70)


def _become_daemon(writer: int, serve: Callable[[Callable[[], None]], None]) -> None:
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(0o077)
    # whatever the starter had open (a lock, a pipe that somebody reads to its end) is not ours
    os.closerange(3, writer)
    os.closerange(writer + 1, os.sysconf("SC_OPEN_MAX"))
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    if null > 2:
        os.close(null)
    told = False

    def tell(text: str) -> None:
        nonlocal told
        if told:
            return
        told = True
        # whoever started us may have gone meanwhile: that ends no healer
        with contextlib.suppress(OSError):
            os.write(writer, text.encode("utf-8", "replace"))
        os.close(writer)

    code = 0
    try:
        serve(lambda: tell(f"{UP}{os.getpid()}"))
    except HealmonError as error:
        code = error.exit_code
        tell(f"{code} {error}")
    except BaseException:  # noqa: BLE001 - the starter must hear of whatever ended the daemon
        code = 70
        tell(f"70 {traceback.format_exc(limit=-3)}")
    finally:
        os._exit(code)


def write_pid_file(path: Path) -> None:
    """Write our pid for tools that want one, if that can be; nothing of ours ever trusts it."""
    try:
        path.write_text(f"{os.getpid()}\n", "ascii")
    except OSError as error:
        # a full disk is what healmon is there for
        _log.warning("%s cannot be written: %s", path.name, error.strerror)


def remove_pid_file(path: Path) -> None:
    """Remove the pid file, if it is still ours."""
    try:
        if path.read_text("ascii").strip() == str(os.getpid()):
            path.unlink()
    except (OSError, UnicodeDecodeError):
        return
