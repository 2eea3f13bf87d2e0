"""When a TCP connection last received anything: the kernel's own answer (sock_diag(7)).

A program that waits for a server looks the same whether the server thinks or is dead; its socket
knows how long nothing has come. No privilege is needed. Where the kernel does not answer, nothing
is known and nothing fails.
"""

from __future__ import annotations

import re
import socket
import struct
from contextlib import suppress
from typing import Final

from healmon.world import procfs

_FAMILY: Final = 4  # NETLINK_SOCK_DIAG
_REQUEST: Final = 20  # SOCK_DIAG_BY_FAMILY
_DONE, _ERROR = 3, 2
_FLAGS: Final = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_TCP: Final = 6
_ESTABLISHED: Final = 1 << 1
_INFO: Final = 2  # INET_DIAG_INFO: a struct tcp_info
_ASK: Final = struct.Struct("=IHHIIBBBxI48x")
_HEAD: Final = struct.Struct("=IHHII")
_INODE_AT: Final = _HEAD.size + 68  # idiag_inode in struct inet_diag_msg
_ATTRIBUTES_AT: Final = _HEAD.size + 72
_RECEIVED_AT: Final = 52  # tcpi_last_data_recv in struct tcp_info, milliseconds
_ANSWER_LIMIT: Final = 1 << 18
_MESSAGES: Final = 4096
"""Answers of the kernel that are read: some 50 connections each."""
_PATIENCE: Final = 0.5
_SOCKET: Final = re.compile(r"socket:\[([0-9]{1,20})\]")


def last_received() -> dict[int, float]:
    """Return by inode the seconds since each TCP connection here last received anything."""
    found: dict[int, float] = {}
    for family in (socket.AF_INET, socket.AF_INET6):
        with suppress(OSError, struct.error), _asked(family) as answers:
            for _ in range(_MESSAGES):
                if not _read(answers.recv(_ANSWER_LIMIT), found):
                    break
    return found


def sockets_of(directory: int) -> set[int]:
    """Return the inodes of the sockets of a process; none when they may not be seen.

    Args:
        directory: from `procfs.opened`.
    """
    links = (_SOCKET.fullmatch(target) for _, target in procfs.open_files(directory))
    return {int(link[1]) for link in links if link is not None}


def _asked(family: int) -> socket.socket:
    asked = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _FAMILY)
    try:
        asked.settimeout(_PATIENCE)
        asked.send(
            _ASK.pack(
                _ASK.size, _REQUEST, _FLAGS, 1, 0, family, _TCP, 1 << (_INFO - 1), _ESTABLISHED
            )
        )
    except OSError:
        asked.close()
        raise
    return asked


def _read(answer: bytes, found: dict[int, float]) -> bool:
    """Take what one answer tells; return whether there is more to come."""
    at = 0
    while at + _HEAD.size <= len(answer):
        size, kind = _HEAD.unpack_from(answer, at)[:2]
        if kind in {_DONE, _ERROR} or size < _HEAD.size:
            return False
        message = answer[at : at + size]
        received = _received(message)
        if received is not None:
            found[int(struct.unpack_from("=I", message, _INODE_AT)[0])] = received
        at += (size + 3) & ~3
    return at > 0


def _received(message: bytes) -> float | None:
    at = _ATTRIBUTES_AT
    while at + 4 <= len(message):
        size, kind = struct.unpack_from("=HH", message, at)
        if size < 4:
            return None
        if kind == _INFO and size >= 4 + _RECEIVED_AT + 4:
            return int(struct.unpack_from("=I", message, at + 4 + _RECEIVED_AT)[0]) / 1000
        at += (size + 3) & ~3
    return None
