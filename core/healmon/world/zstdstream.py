"""The zstd of the standard library, or what brings it to Pythons before 3.14 (extra `zstd`)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from healmon.world.filecontent import CHUNK, DamagedError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def squeezer(level: int) -> zstd.ZstdCompressor:
    """Return what compresses one stream; its end carries a checksum."""
    options: dict[int, int] = {
        zstd.CompressionParameter.compression_level: level,
        zstd.CompressionParameter.checksum_flag: 1,
    }
    return zstd.ZstdCompressor(options=options)


def _has_more(expand: zstd.ZstdDecompressor) -> bool:
    return not (expand.eof or expand.needs_input)


def expanded(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Pass over what a stream of one frame holds, in parts of a bounded size.

    Raises:
        DamagedError: it is damaged, cut short, or goes on behind its end.
    """
    expand = zstd.ZstdDecompressor()
    try:
        for chunk in chunks:
            if expand.eof:
                raise DamagedError
            yield expand.decompress(chunk, CHUNK)
            while _has_more(expand):
                yield expand.decompress(b"", CHUNK)
    except zstd.ZstdError as error:
        raise DamagedError from error
    if not expand.eof or expand.unused_data:
        raise DamagedError
