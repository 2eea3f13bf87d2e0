"""A standing program that forks shims.

Run as `python -I -S -E nursery.py` with healmon's socket as stdin: standard library only, and
little of that. What is in memory before a fork, all shims share.

The *nursery* keeps one shim in waiting, so that a start pays for one process only. A *shim in
waiting* leads a session of its own, blocks every signal, inherits whatever will be orphaned below
it, and waits for an order: a message on healmon's socket that carries another socket, on which the
order is read and answered. Then the nursery forks the next one. When healmon's end of the first
socket closes, the nursery and the shim in waiting end; when the nursery ends, no other shim does.
"""

from __future__ import annotations

import _socket  # socket.py brings a megabyte of Python along
import gc
import os
import sys
import time

# the directory that holds the package: isolated mode knows of none
sys.path.append(os.path.abspath(f"{__file__}/../../../.."))  # noqa: PTH100 - pathlib is a megabyte, too

from healmon.world.programs import signals
from healmon.world.programs.shim import answer, hung_up, name_us, receive, shim

PAUSE = 0.2
"""Seconds until the next shim after one that died in waiting."""


def nurse(line: _socket.socket) -> None:
    """Keep one shim in waiting until healmon hangs up."""
    desk: _socket.socket | None = None
    while not hung_up(line):
        reader, taken = os.pipe()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(reader)
            os.close(taken)
            if desk is not None:
                answer(desk, b"no fork %d\n" % (error.errno or 0))
            desk = receive(line)  # and tries again with it
            continue
        if not pid:
            try:
                os.close(reader)
                shim(line, taken, desk)
            finally:
                os._exit(0)
        os.close(taken)
        desk = None
        if not os.read(reader, 1):
            time.sleep(PAUSE)
        os.close(reader)


def main() -> None:
    """Be the nursery."""
    line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET, 0, os.dup(0))
    null = os.open("/dev/null", os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    # what is blocked here is blocked in every shim from its first moment on
    signals.block_all()
    # shims are nobody's zombies
    signals.ignore(signals.CHILD)
    name_us(b"healmon-nursery")
    gc.collect()
    gc.freeze()
    gc.disable()
    nurse(line)


if __name__ == "__main__":
    main()
