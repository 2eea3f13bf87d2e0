"""A directory of another host as a backup target, over SFTP.

Through asyncssh, which reads ~/.ssh/config, known_hosts, keys and the agent as ssh does; only
`depotchild` imports this. A file is sent under a name of its own, flushed, read back and compared,
and only then named; what was sent of it before is gone on with.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import suppress
from typing import Any, Final, TypeVar

import asyncssh
from asyncssh.constants import FILEXFER_TYPE_REGULAR

from healmon.config.depot import Depot
from healmon.world.depotrecord import PART
from healmon.world.depotwords import DepotError, Fault, told

CHUNK: Final = 1 << 20
_FAULTS: Final[tuple[tuple[tuple[type[Exception], ...], Fault], ...]] = (
    ((asyncssh.HostKeyNotVerifiable,), "host key"),
    (
        (
            asyncssh.PermissionDenied,
            asyncssh.SFTPPermissionDenied,
            asyncssh.SFTPWriteProtect,
            PermissionError,
        ),
        "denied",
    ),
    ((asyncssh.SFTPNoSpaceOnFilesystem, asyncssh.SFTPQuotaExceeded), "full"),
    ((asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath), "absent"),
    ((asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection), "unreachable"),
    ((asyncssh.SFTPError,), "failed"),
    ((asyncssh.Error, OSError), "unreachable"),
)
"""The first that fits; a time that ran out is an OSError."""
T = TypeVar("T")


class SftpTarget:
    """One directory of another host, open.

    Args:
        depot: which one.
        patience: seconds that one answer may take.

    Raises:
        DepotError: it cannot be opened.
    """

    def __init__(self, depot: Depot, patience: float) -> None:
        self._top = depot.prefix
        self._patience = patience
        self._made: set[str] = set()
        self._loop = asyncio.new_event_loop()
        self._connection, self._client = self._wait(self._connect(depot))

    async def _connect(self, depot: Depot) -> tuple[asyncssh.SSHClientConnection, Any]:
        given: dict[str, Any] = {"username": depot.user} if depot.user else {}
        if depot.port:
            given["port"] = depot.port
        connection = await asyncssh.connect(
            depot.place,
            **given,
            connect_timeout=self._patience,
            login_timeout=self._patience,
            keepalive_interval=15,
            # nobody is there to type
            password_auth=False,
            kbdint_auth=False,
        )
        return connection, await connection.start_sftp_client()

    def _wait(self, asked: Coroutine[Any, Any, T]) -> T:
        async def answered() -> T:
            async with asyncio.timeout(self._patience):
                return await asked

        try:
            return self._loop.run_until_complete(answered())
        except (asyncssh.Error, OSError, TimeoutError, ValueError) as error:
            raise _fault(error) from error

    def begun(self, key: str, size: int) -> int:
        """Return how much of a file was sent before it was interrupted."""
        there = self._size(key + PART)
        return there if there is not None and there <= size else 0

    def find(self, key: str) -> tuple[int, str] | None:
        """Return the size of a file, and no digest: none is told; None: it is not there.

        Raises:
            DepotError: that cannot be told.
        """
        size = self._size(key)
        return None if size is None else (size, "")

    def _size(self, key: str) -> int | None:
        try:
            size: int | None = self._wait(self._client.getsize(self._at(key)))
        except DepotError as error:
            if error.fault == "absent":
                return None
            raise
        return size

    def write(self, key: str, size: int, chunks: Iterator[bytes]) -> str:
        """Send a file, or the rest of it; returns no digest: none is told.

        Raises:
            DepotError: it is not there.
        """
        self._make_room(key, size)
        part = self._at(key + PART)
        at = self.begun(key, size)
        private = asyncssh.SFTPAttrs(permissions=0o600)
        file = self._wait(self._client.open(part, "r+b" if at else "wb", attrs=private))
        try:
            for chunk in chunks:
                self._wait(file.write(chunk, at))
                at += len(chunk)
            with suppress(DepotError):  # an extension; the comparison does not need it
                self._wait(file.fsync())
        finally:
            with suppress(DepotError):
                self._wait(file.close())
        return ""

    def staged(self, key: str) -> str:
        """Return the name of a file while it is being sent."""
        return key + PART

    def publish(self, key: str) -> None:
        """Give a file that was compared its name.

        Raises:
            DepotError: it has it not.
        """
        part, name = self._at(key + PART), self._at(key)
        try:
            self._wait(self._client.posix_rename(part, name))
        except DepotError:
            # without the extension nothing may stand there
            with suppress(DepotError):
                self._wait(self._client.remove(name))
            self._wait(self._client.rename(part, name))

    def _make_room(self, key: str, size: int) -> None:
        folder = self._at(key).rpartition("/")[0]
        if folder not in self._made:
            # the directory itself is not made: a host whose disk is not mounted gets nothing
            self._wait(self._client.stat(self._top))
            private = asyncssh.SFTPAttrs(permissions=0o700)
            self._wait(self._client.makedirs(folder, private, exist_ok=True))
            self._made.add(folder)
        try:
            room = self._wait(self._client.statvfs(self._top))
        except DepotError:
            return  # an extension
        if room.bavail * room.frsize < size:
            raise DepotError("full", f"{size} bytes are needed, {room.bavail * room.frsize} free")

    def read(self, key: str) -> Iterator[bytes]:
        """Pass over the content of a file.

        Raises:
            DepotError: it cannot be read to its end.
        """
        file = self._wait(self._client.open(self._at(key), "rb"))
        try:
            at = 0
            while chunk := self._wait(file.read(CHUNK, at)):
                at += len(chunk)
                yield chunk
        finally:
            with suppress(DepotError):
                self._wait(file.close())

    def remove(self, key: str) -> None:
        """Remove a file that is not what it should be, if that is allowed."""
        with suppress(DepotError):
            self._wait(self._client.remove(self._at(key)))

    def listed(self, under: str) -> Iterator[tuple[str, int, float]]:
        """Pass over keys, sizes and the wall seconds of their last change.

        Raises:
            DepotError: they cannot be listed.
        """
        try:
            found = self._wait(self._client.readdir(self._at(under)))
        except DepotError as error:
            if error.fault == "absent":
                return
            raise
        for one in found:
            attrs = one.attrs
            if attrs.type == FILEXFER_TYPE_REGULAR:
                yield f"{under}/{one.filename}", attrs.size or 0, float(attrs.mtime or 0)

    def check(self) -> None:
        """Return when the directory is there. Writes nothing.

        Raises:
            DepotError: it is not.
        """
        self._wait(self._client.stat(self._top))

    def close(self) -> None:
        """End the connection."""
        self._connection.abort()
        self._loop.run_until_complete(self._connection.wait_closed())
        self._loop.close()

    def _at(self, key: str) -> str:
        return f"{self._top}/{key}"


def _fault(error: Exception) -> DepotError:
    return DepotError(_kind(error), told(str(error)))


def _kind(error: Exception) -> Fault:
    for kinds, fault in _FAULTS:
        if isinstance(error, kinds):
            return fault
    return "failed"
