"""Listens to the terminal and sleeps meanwhile: Textual's own driver wakes ten times a second.

It does so to see whether it is to end, and whether an escape was all that came. Here the end rings,
and the clock counts only while an escape may be the beginning of something.
"""

from __future__ import annotations

import os
import select
from codecs import getincrementaldecoder
from contextlib import suppress
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, Final

from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from textual.app import App

AT_ONCE: Final = 4096
"""Bytes that are read at once."""


class Bell(Event):
    """An event that can be waited for beside a terminal: `fileno` can be read while it is set."""

    def __init__(self) -> None:
        super().__init__()
        self._ear, self._hammer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def fileno(self) -> int:
        """Return what `poll` takes."""
        return self._ear

    def set(self) -> None:
        """Ring."""
        super().set()
        with suppress(BlockingIOError):
            os.write(self._hammer, b"!")

    def clear(self) -> None:
        """Be silent again."""
        super().clear()
        with suppress(BlockingIOError):
            while os.read(self._ear, AT_ONCE):
                pass


class Listener(LinuxDriver):
    """Textual's driver, but for its thread that reads what is typed."""

    def __init__(self, app: App[Any], **how: Any) -> None:  # noqa: ANN401 - as Textual says it
        super().__init__(app, **how)  # pyright: ignore[reportUnknownMemberType] - App is generic
        self._bell = self.exit_event = Bell()

    def run_input_thread(self) -> None:
        """Hand on what is typed until the bell rings, and what is there then."""
        parser, decode = XTermParser(self._debug), getincrementaldecoder("utf-8")().decode
        poll = select.poll()
        poll.register(self.fileno, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        try:
            while not self.exit_event.is_set():
                ready = dict(poll.poll(_wait(parser)))
                if self.fileno in ready and not self._read(parser, decode):
                    poll.unregister(self.fileno)  # nobody types there any more
                self._hand_on(parser.tick())
            if select.select([self.fileno], [], [], 0)[0]:
                self._read(parser, decode)
        finally:
            with suppress(EOFError, ParseError):
                for _ in parser.feed(""):
                    pass

    def _read(self, parser: XTermParser, decode: Any) -> bool:  # noqa: ANN401 - codecs do not say it
        """Hand on what came; tell whether more can come."""
        data = os.read(self.fileno, AT_ONCE)
        text = decode(data)
        if text:
            self._hand_on(parser.feed(text))
        return bool(data)

    def _hand_on(self, messages: Any) -> None:  # noqa: ANN401
        for message in messages:
            self.process_message(message)


def _wait(parser: XTermParser) -> float | None:
    """Return for how many milliseconds nothing can happen; None: for ever."""
    until = parser._timeout_time  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return None if until is None else max(until - monotonic(), 0.0) * 1000 + 1
