"""The newest state of another process's healer, folded on as its store grows.

For whoever looks on without a screen: a store that is begun anew is read anew.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from healmon.events import Recorded
from healmon.service.following import Following
from healmon.service.statedir import DATABASE
from healmon.state import Snapshot, apply
from healmon.store import read, stream
from healmon.store.bearers import Files, bearers

PAGE: Final = 500
"""Events read at once."""


class Folding:
    """Reads and folds; belongs to one thread.

    Args:
        state_dir: whose healer is looked at; none need run, nor ever have.

    Attributes:
        snapshot: the newest state that was read.
        epoch: which store it is of; empty: none was read.
    """

    def __init__(self, state_dir: Path) -> None:
        self.snapshot = Snapshot()
        self.epoch = ""
        self._database = state_dir / DATABASE
        self._file: Files | None = None
        self._following: Following[Recorded] | None = None

    def look(self) -> Snapshot:
        """Return the newest state. After an error the next look goes on where this one ended.

        Raises:
            HealmonError: the store cannot be read now.
            OSError: likewise.
            msgspec.MsgspecError: another version wrote it.
        """
        file = bearers(self._database)
        if file is None or file != self._file:
            self.close()
            self._begin()
            self._file = file
        assert self._following is not None
        for record in self._following.look():
            self.snapshot = apply(self.snapshot, record)
        return self.snapshot

    @property
    def there(self) -> bool:
        """Whether there is a store, or was one; readable or not."""
        return bool(self.epoch) or self._database.exists()

    def _begin(self) -> None:
        connection = read.open_reader(self._database)
        try:
            self.epoch = read.meta(connection).get("epoch", "")
            self.snapshot = stream.read_snapshot(connection)
        finally:
            connection.close()
        self._following = Following(
            self._database, self.snapshot.last_id,
            lambda c, after: stream.read_events(c, after, PAGE), lambda record: record.id,
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the file; another look opens it again."""
        following, self._following, self._file = self._following, None, None
        if following is not None:
            following.close()
