"""Saving files to backup targets elsewhere, each verified there before it may go from here.

A target that does not do what it should is left alone for a while, so that ten thousand files do
not each wait for it; the files stay. What is wrong is remembered until a file is saved there again
or, where reaching it was the trouble, until it answers.
"""

from __future__ import annotations

import hashlib
import math
import os
import stat
import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from healmon.clock import process_seconds
from healmon.world import filecontent
from healmon.world.depotline import TICK, Line
from healmon.world.depotrecord import Record, encoded, host_name, key_of
from healmon.world.depotwords import PASSING, DepotError, Fault, sentence
from healmon.world.filedata import Inode

PATIENCE: Final = 60.0
"""Seconds of silence that are borne of a target."""
HOLD: Final = 60.0
"""Seconds for which a target that failed is left alone."""
IN_A_ROW: Final = 3
"""So many files in a row that fail are the target's fault, not theirs."""
MENDED: Final[frozenset[Fault]] = frozenset({"unreachable", "absent", "host key", "library"})
"""What is over when a target answers; of anything else that showed in saving, saving will tell."""
FORGET: Final = 6 * 3600.0
"""Seconds after which what only saving shows is told no more, if the target answers."""
SLOWEST: Final = 32_768
"""Bytes of a file that must be dealt with in a second on the whole, there and back."""


class Backups(Protocol):
    """What is known of backup targets that are no directories."""

    def check(self, url: str) -> str:
        """Ask a target whether it answers and knows us; returns what is wrong, in words, or empty.

        Blocks. Writes nothing there. What went wrong in saving stays told, where an answer does not
        prove that it is over.
        """
        ...

    def trouble(self, url: str) -> str:
        """Return what is known to be wrong with a target, in words; empty: nothing."""
        ...


class Going(NamedTuple):
    """A file that is about to go.

    Attributes:
        fd: its descriptor, claimed.
        undisturbed: says whether nobody else has asked for it meanwhile.
        rule: why it goes; `run` names the cleaning.
    """

    path: str
    fd: int
    inode: Inode
    undisturbed: Callable[[], bool]
    rule: str = ""
    run: str = ""


@dataclass(slots=True)
class _State:
    """What is known of one target.

    Attributes:
        until: process seconds; it is left alone so long.
        failed: process seconds at which it did so last; `saving`: it was a file that it failed.
    """

    lock: threading.Lock
    line: Line | None = None
    left: list[Line] = field(default_factory=list[Line])
    until: float = 0.0
    failed: float = 0.0
    in_a_row: int = 0
    fault: Fault | None = None
    saving: bool = False
    trouble: str = ""


class Depots:
    """All backup targets elsewhere. Safe from any thread; calls may block.

    Args:
        patience: seconds of silence that are borne.
        hold: seconds for which a target that failed is left alone.
    """

    def __init__(self, patience: float = PATIENCE, hold: float = HOLD) -> None:
        self._patience = patience
        self._hold = hold
        self._states: dict[str, _State] = {}
        self._lock = threading.Lock()

    def save(self, url: str, going: Going) -> str:
        """Save a file and see it verified; returns why it must stay, or empty."""
        state = self._state(url)
        while not state.lock.acquire(timeout=TICK / 1000):
            if not going.undisturbed():
                return "open"
        try:
            return self._tried(url, state, going)
        finally:
            state.lock.release()

    def _tried(self, url: str, state: _State, going: Going) -> str:
        if process_seconds() < state.until:
            return "unsaved"
        try:
            self._save(url, state, going)
        except filecontent.WantedError:
            # whoever wants it waits for us
            self._leave(state)
            return "open"
        except OSError:
            self._leave(state)
            return "unsaved"
        except DepotError as error:
            self._leave(state)
            self._failed(url, state, error)
            return "unsaved"
        state.in_a_row, state.fault, state.trouble = 0, None, ""
        return ""

    def check(self, url: str) -> str:
        """Ask a target whether it answers and knows us; returns what is wrong, in words, or empty.

        What went wrong in saving stays told, where an answer does not prove that it is over.
        """
        state = self._state(url)
        if not state.lock.acquire(blocking=False):
            return state.trouble  # a file is being saved there: that tells more
        try:
            with closing(Line(url, self._patience)) as line:
                line.begin()
                line.order(verb="check")
                line.answer()
        except DepotError as error:
            self._failed(url, state, error, saving=False)
        else:
            old = process_seconds() - state.failed > FORGET
            if old or not state.saving or state.fault in MENDED:
                state.fault, state.trouble, state.until = None, "", 0.0
        finally:
            state.lock.release()
        return state.trouble

    def trouble(self, url: str) -> str:
        """Return what is known to be wrong with a target, in words; empty: nothing."""
        return self._state(url).trouble

    def rest(self) -> None:
        """End the programs that speak with targets; they are started again when needed."""
        for state in list(self._states.values()):
            # somebody else may be saving there: who does so ends it
            if state.lock.acquire(blocking=False):
                try:
                    self._hang_up(state)
                finally:
                    state.lock.release()

    def _state(self, url: str) -> _State:
        with self._lock:
            return self._states.setdefault(url, _State(threading.Lock()))

    @staticmethod
    def _leave(state: _State) -> None:
        if state.line is not None:
            state.line.leave()
            state.left.append(state.line)
            state.line = None

    def _hang_up(self, state: _State) -> None:
        self._leave(state)
        while state.left:
            state.left.pop().close()

    def _failed(self, url: str, state: _State, error: DepotError, *, saving: bool = True) -> None:
        state.in_a_row += 1
        if error.fault in PASSING and state.in_a_row < IN_A_ROW:
            return
        state.failed = process_seconds()
        state.until = state.failed + self._hold
        state.fault, state.saving = error.fault, saving
        state.trouble = sentence(url, error.fault, error.text)

    def _save(self, url: str, state: _State, going: Going) -> None:
        st = os.fstat(going.fd)
        md5, sha256 = _digests(going)
        key = key_of(host_name(), going.path, sha256)
        record = Record(
            path=going.path,
            key=key,
            host=host_name(),
            rule=going.rule,
            run=going.run,
            user=st.st_uid,
            group=st.st_gid,
            mode=stat.S_IMODE(st.st_mode),
            modified=going.inode.modified,
            size=st.st_size,
            sha256=sha256,
        )
        if state.line is None:
            state.line = Line(url, self._patience)
            state.line.begin(going.undisturbed)
        line, told = state.line, encoded(record).decode()
        line.order(verb="save", key=key, size=st.st_size, md5=md5, sha256=sha256, record=told)
        line.until = process_seconds() + self._patience * 2 + st.st_size / SLOWEST
        answer = line.answer(going.undisturbed)
        if answer["word"] == "send":
            for chunk in filecontent.chunks(going.fd, going.undisturbed, answer["at"]):
                line.feed(chunk, going.undisturbed)
            line.feed(b"", going.undisturbed)
            line.answer(going.undisturbed)
        line.until = math.inf


def _digests(going: Going) -> tuple[str, str]:
    """Return the MD5, by which stores tell what they hold, and the SHA-256 of a file."""
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    for chunk in filecontent.chunks(going.fd, going.undisturbed):
        md5.update(chunk)
        sha256.update(chunk)
    return md5.hexdigest(), sha256.hexdigest()
