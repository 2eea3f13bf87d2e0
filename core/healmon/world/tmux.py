"""The door to tmux: which panes there are, what they show, one key into exactly one of them.

Panes are named by `%id` and recognised by the server's pid and start, the session's birth and the
pane's process; a name is never a target, for tmux takes it as a prefix and a pattern. A key travels
with its own condition and deadline: the server itself compares who the pane is and what time it is
at the moment of pressing, so that a key can neither reach a newcomer nor come out of a server that
was stopped and wakes up later.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Final, Protocol

from healmon.clock import Clock, SystemClock
from healmon.errors import MissingPartError, ProbeError, RemedyError, VetoError
from healmon.text import clean
from healmon.world import sockets, terminal, tmux_wire
from healmon.world.pane import Pane
from healmon.world.programs import mark
from healmon.world.programs.begin import Failed
from healmon.world.runner import Finished, run
from healmon.world.sgr import Painted
from healmon.world.sockets import shown
from healmon.world.terminal import Terminal

DEADLINE: Final = 3.0
"""Seconds that one call of tmux may take."""
_ABSENT: Final = ("no server running", "No such file or directory", "Connection refused")
_REFUSED: Final = (
    "ermission denied", "not permitted", "unsafe permissions", "access not allowed",
)  # fmt: skip
_LEAVING: Final = ("server exited", "lost server")
_ENV: Final = frozenset((
    "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LOCPATH", "TZ", "TMPDIR",
    "TMUX_TMPDIR", "LD_LIBRARY_PATH",
))  # fmt: skip
"""What a client is given of our environment, and all `LC_…`: it hands that on to its server, whose
owner may be somebody else, and ours may hold secrets."""


class TmuxAbsentError(MissingPartError):
    """No tmux server listens on this socket: there is nothing to watch."""


class Tmux(Protocol):
    """Everything healmon does with tmux. Calls block, each with a deadline of a few seconds.

    A socket is a name (`default`, as `tmux -L`) or an absolute path (as `tmux -S`). The server
    must be of version 3.2 or newer.
    """

    def panes(self, socket: str) -> tuple[Pane, ...]:
        """Return every pane of a server, each once.

        Raises:
            TmuxAbsentError: no server listens there, or tmux is not installed.
            ProbeError: it did not answer, or not so that it can be understood: nothing is known.
        """
        ...

    def screens(self, socket: str, panes: Iterable[Pane]) -> dict[str, str]:
        """Return what these panes show, by pane id; those that are gone are missing.

        Raises:
            TmuxAbsentError: the server is gone.
            ProbeError: it did not answer.
        """
        ...

    def painted(self, pane: Pane) -> Painted | None:
        """Return what a pane shows in its colours; None when it is gone.

        Raises:
            TmuxAbsentError: the server is gone.
            ProbeError: it did not answer.
        """
        ...

    def terminal(self, pane: Pane) -> Terminal | None:
        """Return what the pane's terminal tells; None when it cannot be read."""
        ...

    def claim(self, pane: Pane) -> AbstractContextManager[None]:
        """Be the one healmon of this host that touches a pane, until this is left.

        Raises:
            VetoError: another one is.
        """
        ...

    def press(self, pane: Pane, keys: tuple[str, ...]) -> None:
        """Press keys in exactly this pane, if it still is who it was, shows no mode and takes keys.

        Raises:
            VetoError: it is not so; nothing was pressed.
            RemedyError: it is unknown whether they were pressed; they are not pressed later.
        """
        ...

    def leave_mode(self, pane: Pane) -> None:
        """Leave every mode (copy, clock, tree) of exactly this pane; without one, do nothing.

        Raises:
            VetoError: the pane is not who it was; nothing was done.
            RemedyError: it is unknown whether it was done.
        """
        ...

    def respawn(self, pane: Pane, argv: tuple[str, ...]) -> None:
        """Start a program in exactly this pane, whose own has ended and left it there.

        Raises:
            VetoError: the pane is not who it was, or not dead; nothing was started.
            RemedyError: it is unknown whether it was done.
            ValueError: a word of the command is more than letters, digits and `./_=:@%+-`.
        """
        ...


class SystemTmux:
    """The machine's tmux servers.

    Args:
        clock: tells the server until when a key may be pressed.
        deadline: seconds that one call of tmux may take.
        program: the tmux to run; default: the one on the PATH.
    """

    def __init__(
        self, clock: Clock | None = None, *, deadline: float = DEADLINE, program: str | None = None
    ) -> None:
        self._clock = SystemClock() if clock is None else clock
        self._deadline = deadline
        self._program = program
        self._found = ""
        self._env: dict[str, str] | None = None
        self._read: dict[str, tuple[bytes, tuple[Pane, ...]]] = {}

    def panes(self, socket: str) -> tuple[Pane, ...]:
        """Return every pane of a server, each once."""
        nonce = _nonce()
        answer = self._ask(socket, tmux_wire.list_words(nonce))
        if _said(answer, "no current target"):
            return ()  # a server that was told to stay without sessions
        self._refuse(socket, answer)
        # most answers are the one before, and no text of tmux holds a NUL
        said = answer.out.replace(nonce.encode(), b"\0")
        known = self._read.get(socket)
        if known is None or known[0] != said:
            known = self._read[socket] = said, tmux_wire.read_list(answer.out, nonce, socket)
        return known[1]

    def screens(self, socket: str, panes: Iterable[Pane]) -> dict[str, str]:
        """Return what these panes show, by pane id; those that are gone are missing."""
        wanted = list(panes)
        if not wanted:
            return {}
        nonce = _nonce()
        answer = self._batch(socket, tmux_wire.screen_lines(wanted, nonce))
        return tmux_wire.read_screens(answer, nonce, wanted)

    def painted(self, pane: Pane) -> Painted | None:
        """Return what a pane shows in its colours; None when it is gone."""
        nonce = _nonce()
        answer = self._batch(pane.socket, tmux_wire.screen_lines([pane], nonce, colours=True))
        return tmux_wire.read_painted(answer, nonce, pane)

    def _batch(self, socket: str, commands: str) -> bytes:
        # a batch goes on after a pane that is gone; its exit code tells of that only
        answer = self._ask(socket, ["source-file", "-"], commands.encode())
        if not answer.out:
            self._refuse(socket, answer)
        return answer.out

    def terminal(self, pane: Pane) -> Terminal | None:
        """Return what the pane's terminal tells; None when it cannot be read."""
        return None if pane.dead else terminal.look(pane.tty, pane.pid)

    @contextmanager
    def claim(self, pane: Pane) -> Generator[None]:
        """Be the one healmon of this host that touches a pane, until this is left."""
        try:
            owner = os.stat(f"/proc/{pane.server_pid}").st_uid  # noqa: PTH116 - no file
        except OSError:
            owner = os.geteuid()
        try:
            held = mark.hold(f"healmon/pane/{pane.key}".encode(), owner, tries=1)
        except Failed as rival:
            raise VetoError(f"another healmon (pid {rival.number}) is at pane {pane.id}") from None
        try:
            yield
        finally:
            if held is not None:
                held.close()

    def press(self, pane: Pane, keys: tuple[str, ...]) -> None:
        """Press keys in exactly this pane, if it still is who it was and can take them."""
        nonce = _nonce()
        self._do(pane, tmux_wire.press_words(pane, keys, nonce, self._until()), nonce)

    def leave_mode(self, pane: Pane) -> None:
        """Leave every mode of exactly this pane."""
        nonce = _nonce()
        self._do(pane, tmux_wire.leave_words(pane, nonce, self._until()), nonce)

    def respawn(self, pane: Pane, argv: tuple[str, ...]) -> None:
        """Start a program in exactly this pane, whose own has ended and left it there."""
        nonce = _nonce()
        self._do(pane, tmux_wire.respawn_words(pane, argv, nonce, self._until()), nonce)

    def _until(self) -> int:
        """Return the wall second from which on the server must not do what it is told now."""
        return int(self._clock.read().wall + self._deadline) + 1

    def _do(self, pane: Pane, words: Sequence[str], nonce: str) -> None:
        try:
            answer = self._ask(pane.socket, words)
            if nonce.encode() not in answer.out:
                self._refuse(pane.socket, answer)
        except TmuxAbsentError as error:
            raise VetoError(f"pane {pane.id} is gone: {error.args[0]}") from error
        except ProbeError as error:
            raise RemedyError(
                f"pane {pane.id}: {error.args[0]}; what became of it is not known"
            ) from error
        if f"{nonce}done".encode() not in answer.out:
            raise VetoError(f"pane {pane.id} is not what it was, or takes no keys")

    def _ask(self, socket: str, words: Sequence[str], stdin: bytes = b"") -> Finished:
        program = self._client()
        # without -u, tmux writes `_` for what the locale of the healer cannot show
        argv = [program, "-u", *where(socket), *words]
        if self._env is None:  # it stays as it was when healmon began
            self._env = {k: v for k, v in os.environ.items() if k in _ENV or k.startswith("LC_")}
        rights = sockets.rights_for(socket)
        for last in (False, True):
            try:
                answer = run(
                    argv, timeout=self._deadline, stdin=stdin, env=self._env, rights=rights
                )
            except TimeoutError as error:
                raise ProbeError(
                    f"tmux on {shown(socket)}: {error}",
                    remedy="is its server stopped or overloaded? nothing is touched meanwhile",
                ) from None
            except OSError as error:
                raise ProbeError(f"{program} cannot be run: {error.strerror}") from error
            # the last session has just ended, and somebody may start the next server right now
            if last or not _said(answer, *_LEAVING):
                break
        return answer

    def _client(self) -> str:
        """Return the tmux to run, looked for again once it is gone from where it was."""
        if self._program is not None:
            return self._program
        if not (self._found and os.access(self._found, os.X_OK)):
            self._found = shutil.which("tmux") or ""
        if not self._found:
            raise TmuxAbsentError(
                "tmux is not installed", remedy="install it, or set sessions.sockets = []"
            )
        return self._found

    def _refuse(self, socket: str, answer: Finished) -> None:
        """Raise what a failed answer means; one with exit code 0 has not failed."""
        if answer.code == 0:
            return
        said = clean(answer.err.strip(), limit=300) or f"exit {answer.code}"
        if _said(answer, *_ABSENT):
            raise TmuxAbsentError(sockets.absence(socket))
        remedy = ""
        if _said(answer, *_REFUSED):
            if sockets.is_foreign(socket):
                said = f"it belongs to {sockets.owner(socket) or 'somebody else'} ({said})"
            remedy = "run healmon as the user that the tmux server belongs to, or as root"
        elif _said(answer, "protocol version"):
            remedy = "the server was started by another version of tmux: restart it"
        raise ProbeError(f"tmux on {shown(socket)}: {said}", remedy=remedy)


def where(socket: str) -> tuple[str, str]:
    """Return the option that names a socket to tmux."""
    return ("-S", socket) if "/" in socket else ("-L", socket)


def _said(answer: Finished, *texts: str) -> bool:
    return answer.code != 0 and any(text.encode() in answer.err for text in texts)


def _nonce() -> str:
    return f"h{os.urandom(8).hex()}"
