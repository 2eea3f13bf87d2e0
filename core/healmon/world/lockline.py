"""The line to the standing lock child: start it, ask it, and never wait for it too long."""

from __future__ import annotations

import json
import os
import select
import subprocess
import threading
from functools import lru_cache
from pathlib import Path
from typing import Final

from healmon.clock import process_seconds
from healmon.errors import ProbeError
from healmon.world.standing import Standing

PROGRAM: Final = Path(__file__).with_name("lockchild.py")
DEADLINE: Final = 2.0
"""Seconds that one question may take."""
START: Final = 5.0
"""Seconds that a new child may take to say that it is ready."""
LEAVE: Final = 1.0
"""Seconds that a child may take to end by itself once its line is closed."""
GRACE: Final = 0.2
"""Seconds that a killed child may take to be gone before it counts as stuck in the kernel."""


class ChildDiedError(ProbeError):
    """The child ended, or answered nonsense, instead of answering."""


class ChildHangsError(ProbeError):
    """The child did not answer in time."""


class _Child(Standing):
    def __init__(self) -> None:
        super().__init__(PROGRAM, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._to = self.process.stdin.fileno()
        self._from = self.process.stdout.fileno()
        os.set_blocking(self._to, False)

    def ask(self, question: bytes, until: float) -> bytes:
        try:
            sent = os.write(self._to, question) if question else 0
        except BlockingIOError:
            sent = -1
        except BrokenPipeError as error:
            raise ChildDiedError("the lock child is gone") from error
        if sent != len(question):
            raise ChildHangsError("the lock child does not read")
        return self._answer(until)

    def _answer(self, until: float) -> bytes:
        got = b""
        waiter = select.poll()
        waiter.register(self._from, select.POLLIN)
        while not got.endswith(b"\n"):
            left = until - process_seconds()
            if left <= 0 or not waiter.poll(left * 1000):
                raise ChildHangsError("the lock child does not answer")
            part = os.read(self._from, 65536)
            if not part:
                raise ChildDiedError("the lock child ended instead of answering")
            got += part
        return got


@lru_cache(maxsize=64)
def _question(path: str) -> bytes:
    return json.dumps({"path": os.fsencode(path).decode("latin-1")}).encode() + b"\n"


class LockLine:
    """Asks one child, and replaces it when it dies or hangs. Safe from any thread.

    A child that hangs in the kernel (dead network mount) cannot be killed: it is left behind, and
    its path is not asked about again until it is gone, so that at most one hangs for each path.
    """

    def __init__(self, deadline: float = DEADLINE) -> None:
        self._deadline = deadline
        self._lock = threading.Lock()
        self._child: _Child | None = None
        self._stuck: dict[str, tuple[_Child, float]] = {}
        self._closed = False

    def ask(self, path: str) -> bytes:
        """Return the child's answer, one line of JSON.

        Raises:
            ChildHangsError: no answer within the deadline, or an earlier one is still awaited.
            ChildDiedError: it died of this question twice.
            ProbeError: no child can be started, or the line is closed.
        """
        question = _question(path)
        with self._lock:
            if self._closed:
                raise ProbeError("the lock child has been sent away")
            self._refuse_if_stuck(path)
            try:
                return self._put(path, question)
            except ChildDiedError:
                # somebody may have killed it between two questions: that says nothing of this one
                return self._put(path, question)

    def _put(self, path: str, question: bytes) -> bytes:
        child = self._child or self._start()
        asked = process_seconds()
        try:
            return child.ask(question, asked + self._deadline)
        except ChildDiedError:
            self._drop(child)
            raise
        except ChildHangsError as error:
            if not self._drop(child):
                self._stuck[path] = (child, asked)
            raise ChildHangsError(f"no answer within {self._deadline:g} s") from error

    def _start(self) -> _Child:
        try:
            child = _Child()
        except OSError as error:
            raise ProbeError(f"the lock child cannot be started: {error.strerror}") from error
        try:
            child.ask(b"", process_seconds() + START)
        except ProbeError:
            self._drop(child)
            raise
        self._child = child
        return child

    def _drop(self, child: _Child) -> bool:
        if self._child is child:
            self._child = None
        return child.end(GRACE)

    def _refuse_if_stuck(self, path: str) -> None:
        self._stuck = {p: entry for p, entry in self._stuck.items() if not entry[0].gone()}
        entry = self._stuck.get(path)
        if entry is not None:
            seconds = process_seconds() - entry[1]
            raise ChildHangsError(f"an earlier look has been hanging for {seconds:.0f} s")

    @property
    def pid(self) -> int | None:
        """The child's pid, for people; None while there is none."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """Send the child away; returns when it is gone, or cannot be made to go."""
        with self._lock:
            self._closed = True
            child, self._child = self._child, None
            if child is not None:
                child.send_away(LEAVE, GRACE)
