"""Runs a check command with a deadline, off the event loop, and leaves nothing of it behind."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Final

import msgspec
from msgspec.structs import replace

from healmon.errors import ProbeError
from healmon.text import clean
from healmon.world.hands import Hands
from healmon.world.launching import launch as start
from healmon.world.processes import KILL, Ended, Identity, Launch, Processes, ProcessFacts

WORDS: Final = 4096
"""Bytes of the newest output that are kept."""
PATIENCE: Final = 1.0
"""Seconds that a killed command may take to be gone before it is left to end by itself."""
_READ: Final = 1 << 16


class CommandEnd(msgspec.Struct, frozen=True):
    """How a command ended; `ended` is None when it was killed for being late.

    Attributes:
        words: its last line of output.
    """

    ended: Ended | None
    words: str = ""


async def run(
    launch: Launch,
    timeout: float,  # noqa: ASYNC109 - the caller's patience
    processes: Processes,
    hands: Hands,
) -> CommandEnd:
    """Return how a command ended; its process group is ended with it, and all of it when late.

    Args:
        launch: what to run, and as whom; its `log_path` is not used.
        timeout: seconds after which it is killed.
        processes: the door.
        hands: a thread for what may hang.

    Raises:
        SpawnError: it could not be started.
    """
    starting = asyncio.ensure_future(hands.call(partial(_started, launch)))
    try:
        # a call that is given up on goes on in its thread: what it starts must end, too
        command = _Command(*await asyncio.shield(starting))
    except asyncio.CancelledError:
        starting.add_done_callback(_forsake)
        raise
    try:
        if await command.ends_within(timeout):
            return command.told()
        with suppress(ProbeError):
            await hands.call(partial(_kill_below, command.pid, processes))
    finally:
        command.kill()
    await command.ends_within(PATIENCE)
    return CommandEnd(None, command.told().words)


def _started(launch: Launch) -> tuple[int, int]:
    """Return the pid of a started command, and where its output can be read."""
    output, into = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        return start(replace(launch, log_path=f"/proc/{os.getpid()}/fd/{into}")), output
    except BaseException:
        os.close(output)
        raise
    finally:
        os.close(into)


def _forsake(starting: asyncio.Future[tuple[int, int]]) -> None:
    """End a command that nobody waits for any more."""
    if not starting.cancelled() and starting.exception() is None:
        _Command(*starting.result()).kill()


class _Command:
    """A child of ours; taken leave of as soon as it ends, with all that is left of its group."""

    def __init__(self, pid: int, output: int) -> None:
        self.pid = pid
        self._output = output
        self._words = b""
        self._over = asyncio.Event()
        self._ended = Ended()
        self._loop = asyncio.get_running_loop()
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError:
            _kill_group(pid)  # nobody would ever hear of its end
            os.close(output)
            raise
        self._loop.add_reader(self._pidfd, self._end)
        self._loop.add_reader(output, self._listen)

    async def ends_within(self, seconds: float) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._over.wait()
        return self._over.is_set()

    def told(self) -> CommandEnd:
        lines = [line for line in self._words.splitlines() if line.strip()]
        return CommandEnd(self._ended, clean(lines[-1].strip(), limit=200) if lines else "")

    def kill(self) -> None:
        # until it is reaped nobody else can have its pid, nor a group of that number
        if not self._over.is_set():
            _kill_group(self.pid)

    def _end(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        _kill_group(self.pid)
        self._ended = _reaped(self.pid)
        self._listen()
        if self._output >= 0:
            self._loop.remove_reader(self._output)
            os.close(self._output)
        self._over.set()

    def _listen(self) -> None:
        """Take what was written, so that nobody waits for us to read; keep the end of it."""
        if self._output < 0:
            return
        with suppress(BlockingIOError):
            data = os.read(self._output, _READ)
            self._words = (self._words + data)[-WORDS:]
            if not data:
                self._loop.remove_reader(self._output)
                os.close(self._output)
                self._output = -1


def _kill_group(leader: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _reaped(pid: int) -> Ended:
    with suppress(ChildProcessError):
        result = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG)
        if result is not None:
            exited = result.si_code == os.CLD_EXITED
            return Ended(code=result.si_status) if exited else Ended(signal=result.si_status)
    return Ended()


def _kill_below(pid: int, processes: Processes) -> None:
    """Kill everything below a process, also what left its group."""
    for identity in _below(pid, processes.everyone()):
        with suppress(PermissionError):
            processes.signal(identity, KILL)


def _below(pid: int, everyone: Iterable[ProcessFacts]) -> list[Identity]:
    children: dict[int, list[Identity]] = {}
    for facts in everyone:
        children.setdefault(facts.parent, []).append(facts.identity)
    found: list[Identity] = []
    level = children.get(pid, [])
    while level and len(found) <= len(children):
        found += level
        level = [child for one in level for child in children.get(one.pid, ())]
    return found
