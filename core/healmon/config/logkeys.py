"""Keys of `[monitor]` about its log and about rereading the file (see `config.keys`)."""

from __future__ import annotations

from typing import Final

from healmon.config import kinds as k
from healmon.config.schema import Key

LOG_KEYS: Final = (
    Key(
        name="reload_on_change",
        kind=k.BOOL,
        doc="reread the file by itself when it has changed, at the next cycle",
    ),
    Key(name="log_format", kind=k.choice("text", "json"), doc="lines for people, or JSON lines"),
    Key(name="log_size", kind=k.SIZE, doc="the log is set aside when it is as big as this"),
    Key(name="log_keep", kind=k.COUNT, doc="how many of those set aside are kept"),
)
