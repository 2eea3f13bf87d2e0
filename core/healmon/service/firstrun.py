"""A first run, without a configuration: what is seen here, and how to begin."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from healmon.config import locate
from healmon.config.paths import home_of
from healmon.errors import DataError, MissingPartError
from healmon.text import clean
from healmon.world import sighting
from healmon.world.sighting import FileSystem, OpenDatabase, PidFile

__all__ = ["FileSystem", "FirstRun", "OpenDatabase", "PidFile", "Sights", "SystemFirstRun"]

_STARTER: Final = "healmon.service.starter"


class Sights(NamedTuple):
    """What a host has; `hidden`: processes that may not be looked into."""

    disks: tuple[FileSystem, ...]
    databases: tuple[OpenDatabase, ...]
    daemons: tuple[PidFile, ...]
    hidden: int = 0


class FirstRun(Protocol):
    """How the screen asks about a first run.

    Attributes:
        where: where a starter configuration would be written, for people.
        again: the person wants healmon started again, with the configuration.
    """

    where: str
    again: bool

    def look(self) -> Sights:
        """Return what is seen here; may take seconds."""
        ...

    def found(self) -> Path | None:
        """Return the configuration that is there by now."""
        ...

    def preview(self) -> str:
        """Return what would be written.

        Raises:
            HealmonError: it cannot be made.
        """
        ...

    def write(self) -> str:
        """Write the starter configuration, never over another one; return what was written.

        Raises:
            HealmonError: it cannot be written.
        """
        ...


class SystemFirstRun:
    """A first run on this machine."""

    def __init__(self, environ: Mapping[str, str], cwd: Path, state_dir: Path) -> None:
        self._path = locate.config_home(environ) / locate.NAME
        home = Path(home_of(environ))
        inside = self._path.is_relative_to(home) and home != Path("/")
        self.where = clean(f"~/{self._path.relative_to(home)}" if inside else str(self._path))
        self.again = False
        self._environ = environ
        self._cwd = cwd
        self._state_dir = state_dir

    def look(self) -> Sights:
        """Return what is seen here."""
        found = sighting.processes((self._cwd,), self._state_dir)
        return Sights(sighting.file_systems(), found.databases, found.daemons, found.hidden)

    def found(self) -> Path | None:
        """Return the configuration that is there by now."""
        return locate.find_config(None, self._environ, self._cwd)

    def preview(self) -> str:
        """Return what would be written."""
        # it is made twice: what is written is told again, should the host have changed meanwhile
        with tempfile.TemporaryDirectory(prefix="healmon-") as scratch:
            return _starter()(Path(scratch) / locate.NAME)

    def write(self) -> str:
        """Write the starter configuration, never over another one."""
        there = self.found()
        if there is not None:
            raise DataError(f"{there} is there already; nothing was written")
        return _starter()(self._path)


def _starter() -> Callable[[Path], str]:
    if find_spec(_STARTER) is None:
        raise MissingPartError("this healmon cannot write a starter configuration")
    write: Callable[[Path], str] = import_module(_STARTER).write
    return write
