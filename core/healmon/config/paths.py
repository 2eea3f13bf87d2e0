"""Paths as people write them, made absolute; and the ones no cleaning rule may name.

Standard library only. Nothing here asks the file system: what a path leads to may change until
the moment of acting, and is looked at then.
"""

from __future__ import annotations

import os
import os.path
import pwd
from collections.abc import Mapping
from pathlib import Path

from healmon.named import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_SYSTEM: Final = (
    *("/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32"),
    *("/proc", "/sbin", "/sys", "/usr"),
)
"""Never cleaned, nor anything below."""
_SHARED: Final = ("/home", "/opt", "/root", "/run", "/var", "/var/lib")
"""Never cleaned as a whole; a directory further down may be."""
_PARENTS_OF_OWNERS: Final = ("/home", "/var/lib")
"""What stands directly in these belongs to one person or one service, as a whole."""
_JOURNAL: Final = "/var/log/journal"
"""Nor this; beside it are logs that may be cleaned."""
GONE: Final = "/dev/null/the working directory was removed"
"""Where it was, to whoever asks for something below it: it says so, and nothing can be there."""


NAME_MOST: Final = 255
"""Bytes of one name in a path, on every file system of Linux."""
PATH_MOST: Final = 4095
"""Bytes of a path that the kernel takes."""
STORE_MOST: Final = 493
"""Bytes of the path of a directory in which SQLite opens a `healmon.db`: 512 with its own names."""
_SHOWN: Final = 40
"""Characters that are shown of each end of a path too long."""


class Place(NamedTuple):
    """Where relative paths begin, and what `~` stands for."""

    directory: str
    home: str


def here() -> Path:
    """Return the working directory; one that was removed keeps nobody from naming whole paths."""
    try:
        return Path.cwd()
    except FileNotFoundError:
        return Path(GONE)


def place_of(config: Path | None, environ: Mapping[str, str]) -> Place:
    """Return the place of a configuration file; without one, of the current directory."""
    directory = here() if config is None else config.absolute().parent
    return Place(str(directory), home_of(environ))


def home_of(environ: Mapping[str, str]) -> str:
    """Return `$HOME`, or the home directory that the user database tells; else `/`."""
    found = environ.get("HOME") or os.path.expanduser("~")  # noqa: PTH111 - Path would raise
    return "/" if found == "~" else found


def absolute(text: str, place: Place) -> str:
    """Return a path absolute, with `~` expanded and `.` and `..` resolved by their letters."""
    if text == "~" or text.startswith("~/"):
        text = place.home + text[1:]
    elif text.startswith("~"):
        text = os.path.expanduser(text)  # noqa: PTH111 - Path would raise for an unknown user
    if place.directory == GONE and not text.startswith("/"):
        return f"{GONE}/{text}"  # its dots lead nowhere
    path = os.path.normpath(os.path.join(place.directory, text))  # noqa: PTH118 - text in, text out
    # normpath keeps two leading slashes, as POSIX allows it to; Linux knows no difference
    return "/" + path.lstrip("/")


def typed(text: str, environ: Mapping[str, str]) -> Path:
    """Return a path of the command line, absolute: not every shell expands `--config=~/x`."""
    home = text.startswith("~")
    return Path(absolute(text, Place("/", home_of(environ)))) if home else Path(text).absolute()


def too_long(path: str) -> str:
    """Return why no file can have this path, in words; empty: one can."""
    longest = max((len(os.fsencode(name)) for name in path.split("/")), default=0)
    if longest > NAME_MOST:
        return f"is too long: a name in it has {longest} bytes, and {NAME_MOST} are the most"
    size = len(os.fsencode(path))
    if size > PATH_MOST:
        return f"is too long: it has {size} bytes, and {PATH_MOST} are the most"
    return ""


def holds_no_store(path: str) -> str:
    """Return why a directory of this path can hold no health store; empty: it can."""
    why, size = too_long(path), len(os.fsencode(path))
    if why or size <= STORE_MOST:
        return why
    return f"is too long: it has {size} bytes, and SQLite opens none beyond {STORE_MOST}"


def short(path: str) -> str:
    """Return a path as it is told to people; of one too long its ends."""
    return f"{path[:_SHOWN]}…{path[-_SHOWN:]}" if len(path) > 512 or too_long(path) else path


def user_number(name: str) -> int | None:
    """Return the number of a user, by its name or in digits; None: there is no such user."""
    if name.isdecimal():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None


def never_cleaned(path: str, place: Place) -> str:
    """Return why a cleaning rule may not have this absolute path as its root; empty: it may."""
    if path == "/":
        return "the root of the file system is never cleaned"
    for tree in (*_SYSTEM, _JOURNAL):
        if path == tree or path.startswith(f"{tree}/"):
            return f"{tree} belongs to the system and is never cleaned"
    homes = {place.home, *(entry.pw_dir for entry in pwd.getpwall() if entry.pw_uid >= 1000)}
    if path in homes:
        return "a whole home directory is never cleaned; name a directory in it"
    if any(home.startswith(f"{path}/") for home in homes):
        return "holds a home directory and is never cleaned as a whole; name a directory in it"
    if path in _SHARED or os.path.dirname(path) in _PARENTS_OF_OWNERS:  # noqa: PTH120 - text in
        return "is never cleaned as a whole; name a directory in it"
    return ""
