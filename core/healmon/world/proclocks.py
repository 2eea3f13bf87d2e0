"""The kernel's list of file locks, `/proc/locks` (proc_locks(5)).

It is complete but not atomic: it comes in pieces of about 4 KiB, and between them rows move, so a
row may be missing or come twice. It completes what F_GETLK said; nothing is concluded from it.
"""

from __future__ import annotations

import os
from typing import Final

import msgspec

LOCKS: Final = "/proc/locks"
_LIMIT: Final = 4 << 20
"""Bytes read at most: some 60,000 locks."""


class LockRow(msgspec.Struct, frozen=True, order=True):
    """A lock that is held: bytes `start` to `end`, both included; pid -1 for an OFD lock."""

    pid: int
    exclusive: bool
    start: int
    end: int


def parse(text: str, device: int, inode: int) -> frozenset[LockRow]:
    """Return the POSIX and OFD locks on one file, each once; waiters (`->`) are no holders.

    Args:
        text: what `/proc/locks` said.
        device: the file's device number, major and minor in one as `os.major` takes them.
        inode: the file's inode number.
    """
    token = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    found: set[LockRow] = set()
    for line in _lines(text, token):
        fields = line.split()
        # the token as a whole field: inode 214 must not match 2147
        if len(fields) != 8 or fields[5] != token or fields[1] not in {"POSIX", "OFDLCK"}:
            continue
        try:
            end = (1 << 63) - 1 if fields[7] == "EOF" else int(fields[7])
            row = LockRow(int(fields[4]), fields[3] == "WRITE", int(fields[6]), end)
        except ValueError:
            continue
        found.add(row)
    return frozenset(found)


def _lines(text: str, token: str) -> list[str]:
    """Return the lines that may be about a file; most lists hold none, and splitting is dear."""
    return [line for line in text.splitlines() if token in line] if token in text else []


def waiters(text: str, device: int, inode: int) -> set[int]:
    """Return the pids that wait in the kernel for a lock on one file (rows with `->`)."""
    token = f"{os.major(device):02x}:{os.minor(device):02x}:{inode}"
    found: set[int] = set()
    for line in _lines(text, token):
        fields = line.split()
        if len(fields) == 9 and fields[1] == "->" and fields[6] == token and fields[5].isdecimal():
            found.add(int(fields[5]))
    return found


def read() -> str:
    """Return the list as it is now; empty where the kernel shows none."""
    try:
        with open(LOCKS, encoding="ascii", errors="replace") as file:  # noqa: PTH123 - hot
            return file.read(_LIMIT)
    except OSError:
        return ""
