"""Ways to find out who holds a database's lock: each answers with the pids that it names."""

from __future__ import annotations

import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

import psutil  # type: ignore[import-untyped]

from healmon.world.sqlite import SystemLocks

ENDS: Final = ("", "-wal", "-shm")


class Contestant(ABC):
    """One way."""

    name: str = ""
    program: str = ""

    @classmethod
    def missing(cls) -> str:
        """Why it cannot take part; empty: it can."""
        return "" if not cls.program or shutil.which(cls.program) else "not installed"

    @abstractmethod
    def holders(self, path: str) -> set[int]:
        """Whom it names."""

    def standing(self) -> list[int]:
        """Pids of helpers that stand by."""
        return []

    def close(self) -> None:  # noqa: B027 - most need nothing
        """Let go of what it needs."""


class Healmon(Contestant):
    """F_GETLK by the standing child, completed by /proc/locks: the product's own look."""

    name = "healmon"

    def __init__(self) -> None:
        self._locks = SystemLocks()

    def holders(self, path: str) -> set[int]:
        writer = self._locks.look(path).writer
        return {writer.pid} if writer is not None else set()

    def standing(self) -> list[int]:
        pid = self._locks._line.pid  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - the product has no need to tell it
        return [] if pid is None else [pid]

    def close(self) -> None:
        self._locks.close()


def files(path: str) -> list[str]:
    return [path + end for end in ENDS if Path(path + end).exists()]


def output(argv: list[str]) -> str:
    return subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60).stdout


class Lsof(Contestant):
    name, program = "lsof", "lsof"

    def holders(self, path: str) -> set[int]:
        return {int(word) for word in output(["lsof", "-t", *files(path)]).split()}


class Fuser(Contestant):
    name, program = "fuser", "fuser"

    def holders(self, path: str) -> set[int]:
        return {int(word) for word in output(["fuser", *files(path)]).split()}


class Lslocks(Contestant):
    """Any lock on any of the files: it does not know which byte means what."""

    name, program = "lslocks", "lslocks"

    def holders(self, path: str) -> set[int]:
        wanted = {str(Path(file).stat().st_ino) for file in files(path)}
        lines = output(["lslocks", "-n", "-r", "-o", "PID,INODE"]).splitlines()
        rows = (line.split() for line in lines)
        return {int(row[0]) for row in rows if len(row) == 2 and row[1] in wanted}


class Psutil(Contestant):
    """`open_files()` of every process."""

    name = "psutil"

    def holders(self, path: str) -> set[int]:
        wanted = set(files(path))
        found = set[int]()
        for process in psutil.process_iter():
            try:
                if any(file.path in wanted for file in process.open_files()):
                    found.add(process.pid)
            except psutil.Error:
                continue
        return found


CONTESTANTS: Final[tuple[type[Contestant], ...]] = (Healmon, Lslocks, Psutil, Fuser, Lsof)
