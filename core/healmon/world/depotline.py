"""The line to the program that speaks with a backup target: orders out, answers in, in time.

While the far end is slow, the file that is being saved is asked again and again whether somebody
else wants it: who opens it waits for us.
"""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from healmon.clock import process_seconds
from healmon.world.depotchild import FRAME
from healmon.world.depotwords import DepotError
from healmon.world.filecontent import WantedError

TICK: Final = 50
"""Milliseconds between two looks at whether the file is wanted."""
END: Final = 3.0
"""Seconds that a program may take to give up what it was doing."""
_ROOT: Final = str(Path(__file__).parents[2])
_RUN: Final = (
    "import sys; sys.path.append(sys.argv[1]); from healmon.world.depotchild import main; main()"
)
_LONGEST: Final = 1 << 20
"""Bytes of one answer at most."""

Answer = dict[str, Any]


class Line:
    """One running program: begin with it, and close it.

    Args:
        url: the backup target.
        patience: seconds of silence that are borne.

    Attributes:
        until: process seconds at which it has taken too long, silent or not.

    Raises:
        DepotError: no program can be started.
    """

    def __init__(self, url: str, patience: float) -> None:
        self.until = math.inf
        self._patience = patience
        try:
            self._process = subprocess.Popen(
                # nothing of a working directory is imported
                [sys.executable, "-P", "-c", _RUN, _ROOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise DepotError("failed", f"no program could be started: {error.strerror}") from error
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._into, self._out = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._into, False)
        os.set_blocking(self._out, False)
        self._read = b""
        self._url = url

    @property
    def pid(self) -> int:
        """The program's number."""
        return self._process.pid

    def begin(self, undisturbed: Callable[[], bool] = lambda: True) -> None:
        """Return when the target is open.

        Raises:
            DepotError: it cannot be opened.
            WantedError: somebody else wants the file.
        """
        self.order(url=self._url, patience=self._patience)
        self.answer(undisturbed)

    def order(self, **order: object) -> None:
        """Give an order.

        Raises:
            DepotError: nobody takes it.
        """
        self._send(json.dumps(order).encode() + b"\n", _at_ease)

    def feed(self, data: bytes, undisturbed: Callable[[], bool] = lambda: True) -> None:
        """Give one frame of content; an empty one ends it.

        Raises:
            DepotError: nobody takes it in time.
            WantedError: somebody else wants the file.
        """
        self._send(len(data).to_bytes(FRAME, "big") + data, undisturbed)

    def answer(self, undisturbed: Callable[[], bool] = lambda: True) -> Answer:
        """Return the next answer that is more than a sign of life.

        Raises:
            DepotError: the answer is a fault, or none comes in time.
            WantedError: somebody else wants the file.
        """
        while True:
            while b"\n" not in self._read:
                if len(self._read) > _LONGEST:
                    raise DepotError("failed", "an answer that has no end")
                self._read += self._receive(undisturbed)
            line, _, self._read = self._read.partition(b"\n")
            try:
                answer: Answer = json.loads(line)
            except ValueError as error:
                raise DepotError("failed", "an answer that is none") from error
            if answer["word"] == "fault":
                raise DepotError(answer["fault"], answer["text"])
            if answer["word"] != "busy":
                return answer
            if process_seconds() > self.until:
                raise DepotError("unreachable", "it takes too long")
            if not undisturbed():
                raise WantedError

    def content(self) -> Iterator[bytes]:
        """Pass over the content that answers bring, to its end.

        Raises:
            DepotError: it breaks off.
        """
        while (answer := self.answer())["word"] == "chunk":
            while len(self._read) < answer["size"]:
                self._read += self._receive(_at_ease)
            data, self._read = self._read[: answer["size"]], self._read[answer["size"] :]
            yield data

    def leave(self) -> None:
        """Let the program give up what it is doing, and end; returns at once. Close it later."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def close(self) -> None:
        """End the program: it gives up what it is doing, and is gone afterwards."""
        self.leave()
        try:
            self._process.wait(END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(END)

    def _send(self, data: bytes, undisturbed: Callable[[], bool]) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._into, left) :]
            except BlockingIOError:
                self._wait(self._into, select.POLLOUT, undisturbed)
            except OSError:
                # it may have said why before it went
                self.answer(undisturbed)
                raise DepotError("failed", "the program that sends it ended") from None

    def _receive(self, undisturbed: Callable[[], bool]) -> bytes:
        while True:
            with suppress(BlockingIOError):
                data = os.read(self._out, 1 << 16)
                if data:
                    return data
                raise DepotError("failed", "the program that sends it ended")
            self._wait(self._out, select.POLLIN, undisturbed)

    def _wait(self, fd: int, event: int, undisturbed: Callable[[], bool]) -> None:
        """Wait until a pipe is ready; whatever else happens on the other one stays there."""
        poll = select.poll()
        poll.register(fd, event)
        if fd == self._into:
            # a fault that is told meanwhile: nobody takes any more
            poll.register(self._out, select.POLLIN)
        until = process_seconds() + self._patience
        while not (ready := poll.poll(TICK)):
            if not undisturbed():
                raise WantedError
            if process_seconds() > self.until:
                raise DepotError("unreachable", "it takes too long")
            if process_seconds() > until:
                raise DepotError("unreachable", f"no answer for {self._patience:g} s")
        if fd == self._into and all(other != fd for other, _ in ready):
            self._read += self._receive(undisturbed)
            if b'"fault"' in self._read:
                self.answer(undisturbed)


def _at_ease() -> bool:
    return True
