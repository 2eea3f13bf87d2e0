"""The programs behind a browser's tabs: started by argv, ended for sure."""

from __future__ import annotations

import asyncio
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from contextlib import suppress

from healmon.errors import SpawnError
from healmon.text import clean

LEAVE = 1.5
"""Seconds that a program gets to end when it is told, before each stronger word."""
LINE = 1 << 16


async def start(argv: Sequence[str], environ: Mapping[str, str]) -> Process:
    """Start a program that speaks on its standard streams, in a session of its own.

    Raises:
        SpawnError: it cannot be started.
    """
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=dict(environ),
            start_new_session=True,
            limit=LINE,
        )
    except OSError as error:
        raise SpawnError(f"{clean(argv[0])} cannot be started: {error.strerror}") from None


async def end(process: Process) -> int:
    """Return the exit code of a program once it is gone: it is told, asked, and then killed.

    It has been told in its own language; here its input is closed, SIGTERM and SIGKILL follow.
    """
    try:
        return await _ended(process)
    finally:
        # what it had still to say is read by nobody, and would keep the pipes open
        transport = getattr(process, "_transport", None)
        if isinstance(transport, asyncio.SubprocessTransport):
            transport.close()


async def _ended(process: Process) -> int:
    if process.stdin is not None:
        process.stdin.close()
    for stronger in (process.terminate, process.kill):
        with suppress(TimeoutError):
            return await asyncio.wait_for(process.wait(), LEAVE)
        with suppress(ProcessLookupError):
            stronger()
    return await process.wait()
