"""A network mount whose server dies: the kernel's own FUSE, answered from here until `die()`.

It holds one empty file, `held`. Once dead, whoever asks it for anything waits for ever, as below a
hard NFS mount whose server is gone; leaving the block ends the connection and frees them all.
"""

from __future__ import annotations

import errno
import os
import select
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

LOOKUP, FORGET, GETATTR, OPEN, STATFS, INIT, OPENDIR = 1, 2, 3, 14, 17, 26, 27
READDIR, BATCH_FORGET = 28, 42
ROOT, HELD = 1, 2
HEAD = struct.Struct("<IIQQIIII")
_ENTRY = struct.pack("<QQII8s", HELD, 1, 4, 8, b"held")


class Server:
    """Answers what the kernel asks about the mount, until told to die."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def die(self) -> None:
        """Answer nobody any more."""
        self._ended.set()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ended.is_set():
            if not select.select([self._fd], [], [], 0.02)[0]:
                continue
            try:
                asked = os.read(self._fd, 1 << 18)
            except OSError:
                return
            _, code, unique, node, *_ = HEAD.unpack_from(asked)
            if code in {FORGET, BATCH_FORGET}:
                continue
            told = _answer(code, node, asked[HEAD.size :])
            error, body = (-told, b"") if isinstance(told, int) else (0, told)
            os.write(self._fd, struct.pack("<IiQ", 16 + len(body), error, unique) + body)


WRITTEN = int(time.time())
"""When the file was written: one without a date is no rule's, and an old one no heartbeat."""


def _answer(code: int, node: int, body: bytes) -> bytes | int:
    """Return the body of an answer, or the number of an error."""
    if code == LOOKUP and body.rstrip(b"\0") != b"held":
        return errno.ENOENT
    handle = struct.pack("<QII", 0, 0, 0)
    known: dict[int, bytes] = {
        INIT: struct.pack("<IIIIHHIIHHI28x", 7, 31, 0, 0, 0, 0, 1 << 16, 1, 0, 0, 0),
        GETATTR: struct.pack("<QII", 0, 0, 0) + _attributes(node),
        LOOKUP: struct.pack("<QQQQII", HELD, 0, 0, 0, 0, 0) + _attributes(HELD),
        OPEN: handle,
        OPENDIR: handle,
        READDIR: b"" if body[8:16].strip(b"\0") else _ENTRY,
        STATFS: struct.pack("<QQQQQIIII24x", 1000, 500, 500, 1000, 500, 4096, 255, 4096, 0),
    }
    return known.get(code, errno.ENOSYS)


def _attributes(node: int) -> bytes:
    mode = stat.S_IFDIR | 0o755 if node == ROOT else stat.S_IFREG | 0o644
    times = (WRITTEN, WRITTEN, WRITTEN, 0, 0, 0)
    return struct.pack("<QQQQQQIIIIIIIIII", node, 0, 0, *times, mode, 1, 0, 0, 0, 4096, 0)


@contextmanager
def network_mount(place: Path) -> Iterator[Server]:
    """Give a mount at a directory; skips, with the reason, where there can be none."""
    if os.geteuid() != 0 or not Path("/dev/fuse").exists():
        pytest.skip("needs root and /dev/fuse")
    try:
        fd = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        pytest.skip(f"/dev/fuse: {error.strerror}")
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other"
    argv = ["mount", "-i", "-t", "fuse", "-o", options, "far:/export", str(place)]
    try:
        done = subprocess.run(argv, pass_fds=(fd,), capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"mount: {done.stderr.strip()}")
        server = Server(fd)
        try:
            yield server
        finally:
            subprocess.run(["umount", "--lazy", str(place)], check=True)
            server.die()
    finally:
        os.close(fd)
