"""Where the server that runs is to be found, for the command that prints its address."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from healmon.errors import ProbeError
from healmon.service import instance
from healmon.service.statedir import WEB
from healmon.world import notes

SERVED: Final = "served.json"
"""In the folder of the web server: where the newest server was to be found."""


class Served(msgspec.Struct, frozen=True):
    """Where a server is to be found."""

    url: str


def note(state_dir: Path, url: str) -> None:
    """Keep where a server is to be found, for `web-token`.

    Raises:
        OSError: it cannot be written.
    """
    notes.write_record(state_dir / WEB / SERVED, msgspec.json.encode(Served(url)))


def where(state_dir: Path) -> str:
    """Return where the server that runs is to be found; empty: none runs."""
    folder = state_dir / WEB
    if not folder.is_dir() or instance.holder(folder) is None:
        return ""
    try:
        return msgspec.json.decode(notes.read_small(folder / SERVED) or b"", type=Served).url
    except (ProbeError, msgspec.MsgspecError):
        return ""
