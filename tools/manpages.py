"""Write the manual pages under docs/man from the parsers, the table of commands and the keys.

Usage: python -m tools.manpages [DIRECTORY]
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from healmon import __version__
from healmon.config.keys import TABLES
from healmon.config.schema import Key, Table, default_text
from healmon.service.commandtable import COMMANDS, COMMON, GROUPS, Arg, Command, Either
from healmon.service.parsers import tui_parser, usage

DATE = "2026-11-27"
"""Of the newest change that a reader should notice."""
MAN = Path(__file__).parents[1] / "docs" / "man"
CODES = (
    ("0", "done; all is healthy or healed and verified; a healer runs, nothing is CRITICAL"),
    ("1", "the worst open condition is WARNING (once, status)"),
    ("2", "the worst open condition is CRITICAL (once, status)"),
    ("3", "no healer runs (status); some check could not be made and nothing is worse (once)"),
    ("64", "wrong usage"),
    ("65", "the command line names something that does not exist, or it was refused"),
    ("69", "a part that is needed is missing"),
    ("73", "the state directory or the store cannot be used"),
    ("75", "another healer holds the state directory, or none runs where one is needed"),
    ("78", "the configuration is wrong: every fault is listed"),
)  # fmt: skip
VARIABLES = (
    ("HEALMON_CONFIG", "the configuration, where --config names none"),
    ("HEALMON_STATE_DIR", "the state directory, where --state-dir names none"),
    ("HEALMON_TABLE__KEY", "overrides one key: HEALMON_MONITOR__CHECK_INTERVAL=5s"),
    ("NO_COLOR, CLICOLOR", "no colours"),
)  # fmt: skip
FILES = (
    ("./healmon.toml, ~/.config/healmon/healmon.toml, /etc/healmon/healmon.toml",
     "the configuration; the first that is there"),
    ("~/.local/state/healmon", "the state directory, unless it is named"),
    ("healmon.db", "in it: the health store (SQLite)"),
    ("healmon.log", "in it: the log of a daemon"),
    ("healmon.sock", "in it: tells whoever looks on that there is news"),
)  # fmt: skip


def text(words: str) -> str:
    """Return words as roff text: nothing in them is a request."""
    escaped = words.replace("\\", "\\e").replace("-", "\\-")
    for char, name in {"'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}.items():
        escaped = escaped.replace(char, name)
    escaped = re.sub(r"[^\x00-\x7f]", lambda found: f"\\[u{ord(found[0]):04X}]", escaped)
    return f"\\&{escaped}" if escaped[:1] in {".", "'"} else escaped


def bold(words: str) -> str:
    """Return words in bold."""
    return f"\\fB{text(words)}\\fR"


def head(title: str, section: int, about: str) -> Iterator[str]:
    """Give the head of a page."""
    yield '.\\" Made by `python -m tools.manpages`; a test keeps it so.'
    yield f'.TH {title.upper()} {section} "{DATE}" "healmon {__version__}" "healmon"'
    yield ".SH NAME"
    yield f"{text(title)} \\- {text(about)}"


def item(term: str, about: str) -> Iterator[str]:
    """Give a term, already roff, and words about it."""
    yield from (".TP", term, text(about))


def listed(title: str, rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    """Give a section that is a list."""
    yield f".SH {title}"
    for term, about in rows:
        yield from item(bold(term), about)


def term_of(one: Arg) -> str:
    """Return a word or option as roff."""
    words = ", ".join(bold(name) for name in one.names if name.startswith("-"))
    value = str(one.options.get("metavar", ""))
    return " ".join(part for part in (words, f"\\fI{text(value)}\\fR" if value else "") if part)


def options(args: tuple[Arg | Either, ...]) -> Iterator[str]:
    """Give those words and options that say something."""
    for one in (a for arg in args for a in (arg.args if isinstance(arg, Either) else (arg,))):
        about = str(one.options.get("help", ""))
        if about or one.names[0].startswith("-"):
            yield from item(term_of(one), about)


def command(one: Command) -> Iterator[str]:
    """Give a command with its words and options."""
    yield ".TP"
    yield bold(usage(one).removeprefix("healmon ").replace(" [OPTION]…", ""))
    yield text(f"{one.text[0].upper()}{one.text[1:]}.")
    inner = list(options(one.args))
    if inner:
        yield from (".RS", *inner, ".RE")


def healmon() -> Iterator[str]:
    """Give the page of the command for scripts."""
    yield from head("healmon", 1, "a self-healing health monitor for one host, for scripts")
    yield from (".SH SYNOPSIS", f"{bold('healmon')} [\\fIOPTION\\fR]... \\fICOMMAND\\fR ...")
    yield ".SH DESCRIPTION"
    yield text("Everything that the screen, healmon-tui(1), can do, for scripts. Overrides are")
    yield text("queued durably, done at most once by the running healer, and answered.")
    for group in GROUPS:
        yield f'.SH "COMMANDS: {group.upper()}"'
        for one in COMMANDS.values():
            if one.group == group:
                yield from command(one)
    yield ".SH OPTIONS"
    yield text("Before or after the command:")
    yield from options(COMMON)
    yield from item(bold("--version"), "print the version")
    yield from item(bold("-h") + ", " + bold("--help"), "print help")
    yield ".SH EXAMPLES"
    for one in COMMANDS.values():
        line, _, about = one.example.partition("   # ")
        yield from item(bold(line), about or f"{one.text}")
    yield from listed("EXIT STATUS", CODES)
    yield from listed("ENVIRONMENT", VARIABLES)
    yield from listed("FILES", FILES)
    yield from (".SH SEE ALSO", f"{bold('healmon-tui')}(1), {bold('healmon.toml')}(5)")


def healmon_tui() -> Iterator[str]:
    """Give the page of the screen."""
    yield from head("healmon-tui", 1, "a self-healing health monitor for one host, its screen")
    yield from (".SH SYNOPSIS", f"{bold('healmon-tui')} [\\fIOPTION\\fR]...")
    yield ".SH DESCRIPTION"
    yield text("Opens the terminal UI. If no healer runs on the state directory, one runs inside")
    yield text("it; if one runs already, the screen attaches to it and never heals beside it.")
    yield ".SH OPTIONS"
    for action in tui_parser()._actions:  # noqa: SLF001 - argparse has no other list of them
        if action.help and action.help != argparse.SUPPRESS:
            value = f" \\fI{text(str(action.metavar))}\\fR" if action.metavar else ""
            names = ", ".join(map(bold, action.option_strings))
            yield from item(names + value, action.help)
    yield from listed("EXIT STATUS", CODES)
    yield from listed("ENVIRONMENT", VARIABLES)
    yield from listed("FILES", FILES)
    yield from (".SH SEE ALSO", f"{bold('healmon')}(1), {bold('healmon.toml')}(5)")


def healmon_toml() -> Iterator[str]:
    """Give the page of the configuration."""
    yield from head("healmon.toml", 5, "configuration of healmon")
    yield ".SH DESCRIPTION"
    yield text('TOML. Durations are "5s", "30m", "7d" or whole seconds; sizes are "500MB",')
    yield text('"2GiB" or bytes; percentages are numbers. Relative paths are relative to the file.')
    yield text("Unknown keys are errors. Check it with:")
    yield from (".PP", bold("healmon check"))
    for table in TABLES:
        yield f'.SH "[{text(table.title)}]"'
        yield text(f"{table.doc[0].upper()}{table.doc[1:]}.")
        for key in table.keys:
            yield from keyed(table, key)
    yield from (".SH SEE ALSO", f"{bold('healmon')}(1), {bold('healmon-tui')}(1)")


def keyed(table: Table, key: Key) -> Iterator[str]:
    """Give a key of the configuration."""
    default = default_text(table, key)
    said = [f"{key.doc}.", f"Allowed: {key.allowed}."]
    said += [f"Default: {default}."] if default else []
    said += ["Required."] if key.required else []
    said += [f"Not together with {key.rival}."] if key.rival else []
    yield from item(bold(key.name), " ".join(said))


PAGES = {"healmon.1": healmon, "healmon-tui.1": healmon_tui, "healmon.toml.5": healmon_toml}


def page(name: str) -> str:
    """Return one page."""
    return "\n".join(PAGES[name]()) + "\n"


def main() -> None:
    """Write all pages."""
    directory = Path(sys.argv[1]) if len(sys.argv) > 1 else MAN
    directory.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (directory / name).write_text(page(name), "utf-8")


if __name__ == "__main__":
    main()
