"""The two ways to compress a stream, behind one face: gzip always, zstd where it is installed.

Level 1 of both: on log text zstd's makes as little of it as gzip's default, at eleven times the
speed; for more, CPU time is dearer than disk.
"""

from __future__ import annotations

import errno
import zlib
from collections.abc import Iterable, Iterator
from typing import Final, Protocol

from healmon.world.filecontent import CHUNK, DamagedError
from healmon.world.filedata import Compression

SUFFIXES: Final[dict[Compression, str]] = {"gzip": ".gz", "zstd": ".zst"}
_GZIP: Final = 31
"""zlib's word for the gzip format with the largest window."""
_LEVEL: Final = 1


class Squeezer(Protocol):
    """Compresses one stream."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what is ready of the compressed stream after more of the plain one."""
        ...

    def flush(self) -> bytes:
        """Return the rest; the plain stream has ended."""
        ...


class _Zstd(Protocol):
    """The two functions of `zstdstream`."""

    def squeezer(self, level: int) -> Squeezer: ...
    def expanded(self, chunks: Iterable[bytes]) -> Iterator[bytes]: ...


def _zstd() -> _Zstd:
    try:
        from healmon.world import zstdstream  # noqa: PLC0415 - an extra, loaded when it is used
    except ImportError as error:
        raise OSError(errno.ENOSYS, "zstd is not installed") from error
    return zstdstream


def squeezer(how: Compression) -> Squeezer:
    """Return what compresses one stream.

    Raises:
        OSError: it is not installed.
    """
    if how == "gzip":
        return zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return _zstd().squeezer(_LEVEL)


def expanded(chunks: Iterable[bytes], how: Compression) -> Iterator[bytes]:
    """Pass over what a compressed stream holds, in parts of a bounded size.

    Raises:
        DamagedError: it is damaged, cut short, or goes on behind its end.
        OSError: it is not installed, or the stream cannot be read.
    """
    return _gunzipped(chunks) if how == "gzip" else _zstd().expanded(chunks)


def _gunzipped(chunks: Iterable[bytes]) -> Iterator[bytes]:
    expand = zlib.decompressobj(_GZIP)
    try:
        for chunk in chunks:
            if expand.eof:
                raise DamagedError
            left = chunk
            while left and not expand.eof:
                yield expand.decompress(left, CHUNK)
                left = expand.unconsumed_tail
    except zlib.error as error:
        raise DamagedError from error
    if not expand.eof or expand.unused_data:
        raise DamagedError
