"""The configuration file in, settings out; or one error that lists everything wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec.structs import replace

from healmon.config import faces
from healmon.config.faults import Faults
from healmon.config.lines import key_lines
from healmon.config.overrides import override
from healmon.config.paths import place_of
from healmon.config.read import read
from healmon.config.settings import Settings
from healmon.config.source import parse, read_text, shown, too_deep
from healmon.config.trust import must_not_be_open
from healmon.errors import ConfigError


def load(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    screen: bool = False,
    whole: bool = False,
    owners: Collection[int] | None = None,
) -> Settings:
    """Return the configuration, complete and resolved.

    Without a file these are the settings of a healmon that watches file systems and tmux
    sessions and acts on nothing.

    Args:
        path: the file, as `locate.find_config` returns it.
        environ: the environment, whose `HEALMON_SECTION__KEY` variables override keys.
        screen: whether its theme must be there, too: no healer is to fail for its looks.
        whole: whether the extras that it asks for must be there, too: nor for who looks on.
        owners: whose the file must be; None: anybody's.

    Raises:
        ConfigError: `problems` has every fault found, the message one line for each; anybody may
            write the file, or it is somebody else's.
    """
    if path is not None:
        must_not_be_open(path)
    text = "" if path is None else read_text(path, owners)
    return understood(text, path, environ, screen=screen, whole=whole)


def understood(
    text: str,
    path: Path | None,
    environ: Mapping[str, str],
    *,
    screen: bool = False,
    whole: bool = False,
) -> Settings:
    """Return what a text means as the configuration at `path`, be it there or not.

    Raises:
        ConfigError: as `load`.
    """
    file = "the environment" if path is None else shown(path)
    document = parse(text, file)
    try:
        faults = Faults(file, key_lines(text))
        override(document, environ, faults)
        settings = read(document, place_of(path, environ), faults)
        if screen and settings is not None and not faults.bad(("ui", "theme")):
            from healmon.config import themefiles  # noqa: PLC0415 - for screens only

            themefiles.check(settings.ui.theme, path, environ, faults)
        if whole and settings is not None:
            for key, what in faces.missing(settings):
                faults.add(key, what)
    except RecursionError as error:
        raise ConfigError(problems=(too_deep(file),)) from error
    problems = faults.problems()
    if problems or settings is None:
        raise ConfigError(problems=problems)
    return replace(settings, source=None if path is None else str(path.absolute()))
