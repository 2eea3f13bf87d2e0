"""A first run, without a configuration: what is seen here, and how to begin."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from healmon.config import locate
from healmon.config.paths import home_of
from healmon.errors import DataError
from healmon.text import clean

if TYPE_CHECKING:
    from healmon.service.starter import Found


class FirstRun(Protocol):
    """How the screen asks about a first run.

    Attributes:
        where: where a starter configuration would be written, for people.
        again: the person wants healmon started again, with the configuration.
    """

    where: str
    again: bool

    def look(self) -> Found:
        """Return what is seen here; may take seconds."""
        ...

    def found(self) -> Path | None:
        """Return the configuration that is there by now."""
        ...

    def preview(self) -> str:
        """Return what would be written; may take seconds.

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
    """A first run on this machine: as `healmon init` sees it, and does it."""

    def __init__(self, environ: Mapping[str, str], cwd: Path) -> None:
        self._path = locate.config_home(environ) / locate.NAME
        home = Path(home_of(environ))
        inside = self._path.is_relative_to(home) and home != Path("/")
        self.where = clean(f"~/{self._path.relative_to(home)}" if inside else str(self._path))
        self.again = False
        self._environ = environ
        self._cwd = cwd

    def look(self) -> Found:
        """Return what is seen here."""
        from healmon.service import starter  # noqa: PLC0415 - needed once in a host's life

        return starter.seen(starter.roots())

    def found(self) -> Path | None:
        """Return the configuration that is there by now."""
        return locate.find_config(None, self._environ, self._cwd)

    def preview(self) -> str:
        """Return what would be written."""
        from healmon.service import starter  # noqa: PLC0415 - likewise

        return starter.preview(self._path, starter.roots())

    def write(self) -> str:
        """Write the starter configuration, never over another one."""
        from healmon.service import starter  # noqa: PLC0415 - likewise

        there = self.found()
        if there is not None:
            raise DataError(f"{clean(str(there))} is there already; nothing was written")
        return starter.write(self._path, starter.roots())
