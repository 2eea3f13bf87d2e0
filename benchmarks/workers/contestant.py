"""What every contestant is: how it is told about the workers, started, and ended by pid."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import msgspec

from benchmarks.workers.fetch import Tools
from benchmarks.workers.keeper import die_with_parent, end_all, family
from benchmarks.workers.stamps import TroubleError

ROUNDS_OF_ENDING = 50
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LANG": "C.UTF-8"}
"""The same for all, without what the person's own shell carries."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where one contestant works.

    Attributes:
        folder: its own, empty at first.
        fifo: where its workers say that they are ready.
        names: of its workers.
        worker: the words of a command that runs one.
    """

    folder: Path
    fifo: Path
    names: tuple[str, ...]
    worker: tuple[str, ...]

    def argv(self, name: str) -> list[str]:
        """Return the command of one worker."""
        return [*self.worker, str(self.fifo), name]

    def write(self, name: str, text: str, mode: int = 0o600) -> Path:
        """Write a file into the folder and return its path."""
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return path


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What runs a supervisor in the foreground; `env` comes on top of `ENVIRONMENT`."""

    argv: Sequence[str]
    env: dict[str, str] = {}


class Contestant:
    """One supervisor. A subclass says how it is configured and run.

    Attributes:
        name: as it is called on the command line.
        about: its settings, in a line.
        period: seconds between rounds that it makes by itself; 0.0: none, or shorter than any
            window.
        readopts: whether it takes its workers up again after its own crash.
        limit: seconds within which one replacement must be ready.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    period: ClassVar[float] = 0.0
    readopts: ClassVar[bool] = False
    limit: ClassVar[float] = 30.0

    def __init__(self, tools: Tools) -> None:
        self.tools = tools
        self._main: subprocess.Popen[bytes] | None = None
        self._command: Command | None = None

    def prepare(self) -> str:
        """Build or fetch what is needed and return its version.

        Raises:
            UnavailableError: it cannot take part, and why.
        """
        raise NotImplementedError

    def configure(self, place: Place) -> Command:
        """Write the configuration of all workers and return what runs them."""
        raise NotImplementedError

    def start(self, place: Place) -> None:
        """Start the supervisor on a new place; returns at once."""
        self._command = self.configure(place)
        self.again(place)

    def again(self, place: Place) -> None:
        """Start the supervisor on a place where it has been before."""
        assert self._command is not None
        with (place.folder / "output.log").open("ab") as log:
            self._main = subprocess.Popen(
                self._command.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=place.folder,
                env={**ENVIRONMENT, **self._command.env},
                start_new_session=True,
                preexec_fn=die_with_parent,  # noqa: PLW1509 - the benchmark has one thread
            )

    def crash(self) -> None:
        """Kill the supervisor's main process; its workers live on."""
        assert self._main is not None
        end_all([self._main.pid])
        self._main.wait()

    def settled(self, place: Place) -> bool:  # noqa: ARG002 - for those that tell
        """Return whether it has begun to watch all its workers."""
        return True

    def trouble(self) -> str:
        """Return why it cannot go on; empty: it runs."""
        if self._main is None or self._main.poll() is None:
            return ""
        return f"it ended by itself with code {self._main.returncode}"

    def own(self, workers: set[int]) -> set[int]:
        """Return the pids of the supervisor's own processes: all that are not its workers."""
        return family() - workers

    def end(self, workers: set[int]) -> None:
        """End the supervisor first, then its workers, until nobody is left.

        Raises:
            TroubleError: somebody cannot be ended.
        """
        left = family()
        for _ in range(ROUNDS_OF_ENDING):
            end_all(left - workers or left)
            left = family()
            if not left:
                break
        self._main = None
        if left:
            raise TroubleError(f"{self.name} cannot be ended: pids {sorted(left)[:5]}")


def tail(place: Place, lines: int = 3) -> str:
    """Return the last words of a supervisor."""
    log = place.folder / "output.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:]) if log.exists() else ""
