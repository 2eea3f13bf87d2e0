"""Whose word a configuration is: whoever can change it has healmon run what he likes.

A file that anybody may change is refused. So is one that somebody else left in the directory where
a person happens to be; by its name it may be given, and is told of then. Standard library only:
`healmon-tui --status` comes through here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress

from healmon.errors import ConfigError, Problem
from healmon.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Final

    from healmon.config.settings import Settings

_OTHERS_READ: Final = 0o044
_OTHERS_WRITE: Final = 0o022


class Worry(NamedTuple):
    """What about a file is not as safe as it should be, and how to mend it."""

    path: Path
    what: str
    remedy: str


def must_not_be_open(path: Path) -> None:
    """Return if not everybody may write a configuration, a pack or a folder of packs.

    What is not there is fine.

    Raises:
        ConfigError: everybody may.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and mode & stat.S_IWOTH:
        what = f"can be written by anybody (mode {stat.S_IMODE(mode):04o}), and says what healmon"
        raise _refused(path, f"{what} runs: chmod go-w {_shown(path)}")


def must_be_known(path: Path, environ: Mapping[str, str]) -> None:
    """Return if a configuration that nobody named is ours, root's, or of who called `sudo`.

    Raises:
        ConfigError: it is somebody else's.
    """
    known = vouched(environ)
    try:
        # of a link, too: whoever made it lets it lead elsewhere in the next moment
        strangers = [uid for uid in (path.lstat().st_uid, path.stat().st_uid) if uid not in known]
    except (OSError, ValueError):
        return
    if strangers:
        what = f"belongs to uid {strangers[0]}, who could have healmon run anything"
        raise _refused(path, f"{what}: read it, then name it with --config {_shown(path)}")


def vouched(environ: Mapping[str, str]) -> frozenset[int]:
    """Return whose files are ours: our own, root's, and those of who called `sudo`."""
    asked_by = environ.get("SUDO_UID", "") if os.geteuid() == 0 else ""
    sudo = {int(asked_by)} if asked_by.isascii() and asked_by.isdigit() else set[int]()
    return frozenset({0, os.geteuid()} | sudo)


def still_known(path: Path | None, environ: Mapping[str, str]) -> frozenset[int]:
    """Return whose file a configuration may be when it is read again: as now, or ours."""
    with suppress(OSError, ValueError):
        if path is not None:
            return vouched(environ) | {path.lstat().st_uid, path.stat().st_uid}
    return vouched(environ)


def worries(settings: Settings) -> list[Worry]:
    """Return what others may do with the files of a configuration that they had better not."""
    return [*strangers(settings), *_secrets(settings)]


def strangers(settings: Settings) -> list[Worry]:
    """Return which of the files that healmon goes by others can change."""
    from pathlib import Path  # noqa: PLC0415 - the others are given one

    found: list[Worry] = []
    if settings.source is not None:
        source = Path(settings.source)
        found += _changeable(source, "what healmon runs") or _replaceable(source)
    if settings.sessions.packs:
        folder = Path(settings.sessions.packs)
        for path in (folder, *sorted(folder.glob("*.toml"))):
            found += _changeable(path, "how healmon reads screens")
    return found


def _changeable(path: Path, says: str) -> list[Worry]:
    """Return whether somebody else owns or may write a file that is relied upon."""
    found = _stat(path)
    if found is None:
        return []
    shown = _shown(path)
    if found.st_uid not in {0, os.geteuid()}:
        what = f"belongs to uid {found.st_uid}, who can change {says}"
        return [Worry(path, what, f"chown {os.geteuid()} {shown}")]
    if found.st_mode & stat.S_IWOTH or (
        found.st_mode & _OTHERS_WRITE and found.st_gid not in {0, os.getegid()}
    ):
        mode = stat.S_IMODE(found.st_mode)
        what = f"can be written by others, who can change {says} (mode {mode:04o})"
        return [Worry(path, what, f"chmod go-w {shown}")]
    return []


def _replaceable(path: Path) -> list[Worry]:
    """Return whether somebody else owns or may write a directory that a file is reached by."""
    for parent in dict.fromkeys((path.parent, *path.resolve().parents)):
        found = _stat(parent)
        sticky = found is not None and found.st_mode & stat.S_ISVTX
        if found is None or (sticky and found.st_uid in {0, os.geteuid()}):
            continue
        for worry in _changeable(parent, "what lies there"):
            return [worry._replace(path=path, what=f"lies in {_shown(parent)}: that {worry.what}")]
    return []


def _secrets(settings: Settings) -> list[Worry]:
    """Return which files that hold secrets others can read."""
    from pathlib import Path  # noqa: PLC0415 - as above

    from healmon.config.mask import looks_secret  # noqa: PLC0415 - the status needs no mask
    from healmon.text import clean  # noqa: PLC0415 - likewise

    channels = settings.notify.channels
    held = ["heartbeat_url"] if settings.monitor.heartbeat_url else []
    held += [c.name for c in channels if c.url]
    held += [w.name for w in settings.workers if any(map(looks_secret, w.env))]
    files = [(Path(settings.source), held)] if held and settings.source is not None else []
    files += [(Path(c.url_file), [c.name]) for c in channels if c.url_file]
    return [
        Worry(
            path,
            f"others can read it, and it holds secrets ({clean(', '.join(names[:5]))})",
            f"chmod 0600 {_shown(path)}",
        )
        for path, names in files
        if (found := _stat(path)) is not None and found.st_mode & _OTHERS_READ
    ]


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except (OSError, ValueError):
        return None


def _refused(path: Path, what: str) -> ConfigError:
    return ConfigError(problems=(Problem(_shown(path), None, "", what),))


def _shown(path: Path) -> str:
    from healmon.text import clean  # noqa: PLC0415 - only what is wrong needs it

    return clean(str(path))
