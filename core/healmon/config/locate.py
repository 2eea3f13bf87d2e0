"""Where the configuration and the state are.

Standard library only: `healmon-tui --status` comes through here and must be instant.
"""

from __future__ import annotations

import os
import os.path
from collections.abc import Mapping
from pathlib import Path

from healmon.config.paths import (
    STORE_MOST,
    Place,
    absolute,
    here,
    holds_no_store,
    home_of,
    place_of,
    short,
    too_long,
)
from healmon.errors import ConfigError, Problem, StateDirError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

NAME: Final = "healmon.toml"
STATE_DIR_OVERRIDE: Final = "HEALMON_MONITOR__STATE_DIR"
"""The variable that overrides `monitor.state_dir`, as any key can be overridden."""
SHORTER: Final = "name a shorter one with --state-dir, $HEALMON_STATE_DIR or monitor.state_dir"


def find_config(explicit: str | None, environ: Mapping[str, str], cwd: Path) -> Path | None:
    """Return the configuration file to read, absolute, or None when there is none.

    The first of `--config`, `$HEALMON_CONFIG`, `./healmon.toml`,
    `$XDG_CONFIG_HOME/healmon/healmon.toml`, `/etc/healmon/healmon.toml`.

    Args:
        explicit: what `--config` says.
        environ: the environment.
        cwd: where `.` is.

    Raises:
        ConfigError: the one named by `--config` or `$HEALMON_CONFIG` does not exist; the one in
            the current directory is somebody else's.
    """
    named = explicit if explicit is not None else environ.get("HEALMON_CONFIG") or None
    if named is not None:
        path = Path(absolute(named, Place(str(cwd.absolute()), home_of(environ))))
        if not named or not os.path.lexists(path):
            from healmon.text import clean  # noqa: PLC0415 - only what is wrong needs it

            origin = "--config" if explicit is not None else "$HEALMON_CONFIG"
            why = too_long(str(path))
            what = f"{why}; {origin} names it" if why else f"does not exist, but {origin} names it"
            raise ConfigError(problems=(Problem(clean(short(named)) or '""', None, "", what),))
        return path
    candidates = (
        cwd.absolute() / NAME,
        config_home(environ) / NAME,
        Path("/etc/healmon") / NAME,
    )
    # a broken link counts as there: reading it says what is wrong, passing over it would not
    found = next((path for path in candidates if os.path.lexists(path)), None)
    if found is not None and found == candidates[0]:
        from healmon.config import trust  # noqa: PLC0415 - only that file needs it

        trust.must_be_known(found, environ)
    return found


def owners(
    explicit: str | None, environ: Mapping[str, str], config: Path | None, cwd: Path
) -> frozenset[int] | None:
    """Return whose file the configuration found must be, when it is read; None: anybody's.

    The name may be another file's by then, where others may write to the current directory.
    """
    if explicit is not None or environ.get("HEALMON_CONFIG") or config != cwd.absolute() / NAME:
        return None
    from healmon.config import trust  # noqa: PLC0415 - only that file needs it

    return trust.vouched(environ)


def config_home(environ: Mapping[str, str]) -> Path:
    """Return the directory of a person's own configuration, `$XDG_CONFIG_HOME/healmon`."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config") / "healmon"


def state_dir(explicit: str | None, environ: Mapping[str, str], config: Path | None) -> Path:
    """Return the state directory, absolute; it need not exist.

    The first of `--state-dir`, `$HEALMON_STATE_DIR`, `monitor.state_dir` of the configuration,
    `$XDG_STATE_HOME/healmon`, `~/.local/state/healmon`.

    Args:
        explicit: what `--state-dir` says.
        environ: the environment.
        config: what `find_config` returned.

    Raises:
        ConfigError: the configuration had to be asked and cannot be read.
        StateDirError: no health store can have such a path.
    """
    found = named_state_dir(explicit, environ, config)
    if why := no_place_for_a_store(str(found)):
        from healmon.text import clean  # noqa: PLC0415 - only what is wrong needs it

        raise StateDirError(f"state directory {clean(short(str(found)))} {why}", remedy=SHORTER)
    return found


def no_place_for_a_store(path: str) -> str:
    """Return why a directory of this path can hold no health store, in words; empty: it can."""
    if len(os.fsencode(path)) > STORE_MOST:
        path = os.path.realpath(path)  # a link may lead to a shorter one
    return holds_no_store(path)


def named_state_dir(explicit: str | None, environ: Mapping[str, str], config: Path | None) -> Path:
    """Return the same, whether anything can be there or not.

    Raises:
        ConfigError: the configuration had to be asked and cannot be read.
    """
    named = explicit or environ.get("HEALMON_STATE_DIR")
    if named:
        return Path(absolute(named, Place(str(here()), home_of(environ))))
    configured = environ.get(STATE_DIR_OVERRIDE) or (_configured(config) if config else "")
    if configured:
        return Path(absolute(configured, place_of(config, environ)))
    return _xdg(environ, "XDG_STATE_HOME", ".local/state") / "healmon"


def _configured(config: Path) -> str:
    from typing import cast  # noqa: PLC0415 - `status` does without it

    from healmon.config.source import parse, read_text, shown  # noqa: PLC0415 - slow, where there is no file

    file = shown(config)
    try:
        value: object = parse(read_text(config), file).get("monitor")
    except ConfigError as error:
        lost = "so the state directory is not known: mend it, or name that one with --state-dir"
        raise ConfigError(problems=error.problems, remedy=lost) from None
    if isinstance(value, dict):
        value = cast("dict[str, object]", value).get("state_dir")
    if value is None:
        return ""
    if isinstance(value, str) and "\0" not in value:
        return value
    raise ConfigError(problems=(Problem(file, None, "monitor.state_dir", allowed="a path"),))


def _xdg(environ: Mapping[str, str], variable: str, default: str) -> Path:
    named = environ.get(variable, "")
    # the XDG specification: a relative path here is to be ignored
    return Path(named) if named.startswith("/") else Path(home_of(environ)) / default
