"""`healmon completion`: a script for the shell, and what may come next on a line.

The scripts know nothing: they ask `healmon completion SHELL -- WORDS…` what may come next, so they
fit whatever version is installed. Names come from the health store, read only: no healer is woken.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final

from healmon.config import locate
from healmon.config.paths import here
from healmon.errors import HealmonError
from healmon.service import shellwords
from healmon.service.commandtable import COMMANDS, COMMON, Arg, Command, Either
from healmon.store import read
from healmon.store.names import names
from healmon.text import clean

PLACES: Final = ("file", "dir")
"""Kinds that the shell itself completes: it is told `@file` or `@dir`."""
_SHELLS_OWN: Final = tuple(f"@{place}" for place in PLACES)
Names = Callable[[str], Iterable[tuple[str, str]]]
"""Gives the names of a kind, each with a word about it."""

BASH: Final = r"""
_healmon() {
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        case $line in
            @file) compopt -o default; return ;;
            @dir) compopt -o dirnames; return ;;
        esac
        COMPREPLY+=("$line")
    done < <("${1%-tui}" completion bash -- "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _healmon healmon healmon-tui
"""
ZSH: Final = r"""
#compdef healmon healmon-tui
_healmon() {
    local line
    local -a values
    for line in "${(@f)$("${words[1]%-tui}" completion zsh -- "${(@Q)words[1,CURRENT-1]}" \
            "${words[CURRENT]}" 2>/dev/null)}"; do
        case $line in
            @file) compset -P '--*='; _files; return ;;
            @dir) compset -P '--*='; _files -/; return ;;
            ?*) values+=("${${${line%%$'\t'*}//\\/\\\\}//:/\\:}:${line#*$'\t'}") ;;
        esac
    done
    _describe healmon values
}
if [[ $funcstack[1] == _healmon ]]; then _healmon "$@"; else compdef _healmon healmon healmon-tui; fi
"""  # noqa: E501 - one command of the shell
FISH: Final = r"""
function __healmon_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l program (string replace -r -- '-tui$' '' $words[1])
    set -l lines ($program completion fish -- $words 2>/dev/null)
    switch "$lines[1]"
        case @file
            __fish_complete_path (commandline -ct)
        case @dir
            __fish_complete_directories (commandline -ct)
        case '*'
            printf '%s\n' $lines
    end
end
complete -c healmon -f -a '(__healmon_complete)'
complete -c healmon-tui -f -a '(__healmon_complete)'
"""
SCRIPTS: Final = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def completion(args: argparse.Namespace) -> int:
    """Print the script for a shell, or what may come next behind some words; returns 0."""
    if not args.words:
        print(SCRIPTS[args.shell].strip())  # noqa: T201 - this is the command line
        return 0
    line = args.words[-1]
    typed, _ = shellwords.split(line)
    bash = args.shell == "bash"  # gives all of the line; the others words, the last one as typed
    words = shellwords.from_ours(typed) if bash else [*args.words[:-1], " ".join(typed)]
    state_dir = _state_dir(words)
    for value, about in following(words, lambda kind: known(state_dir, kind)):
        if bash and value not in _SHELLS_OWN:
            print(shellwords.for_bash(value, line))  # noqa: T201 - likewise
        else:
            print(f"{value}\t{clean(about)}" if about else value)  # noqa: T201 - likewise
    return 0


def following(words: Sequence[str], known_names: Names) -> Iterator[tuple[str, str]]:
    """Give what the last word may become, each with a word about it; `@file`, `@dir`: any such.

    Args:
        words: the line up to the cursor; the last one is being typed, and may be empty.
        known_names: gives the names of a kind.
    """
    *before, current = words[1:] or [""]
    if Path(words[0]).name == "healmon-tui":
        yield from _of_the_screen(before, current, known_names)
        return
    command, typed, asking = _understood(before)
    name, equals, value = current.partition("=")
    if asking is not None:
        yield from _values(asking, current, known_names)
    elif equals and name in (known_options := _options(command)):
        found = _values(known_options[name], value, known_names)
        yield from ((v if v.startswith("@") else f"{name}={v}", about) for v, about in found)
    elif current.startswith("-"):
        yield from _started(current, _described(_options(command)))
    elif command is None and not typed:
        yield from _started(current, ((one.name, one.text) for one in COMMANDS.values()))
    elif command is not None:
        at = _positional(command, typed)
        yield from () if at is None else _values(at, current, known_names)


def _of_the_screen(
    before: Sequence[str], current: str, known_names: Names
) -> Iterator[tuple[str, str]]:
    from healmon.service.parsers import tui_parser  # noqa: PLC0415 - its options are not in a table

    common = _options(None)
    asking = common.get(before[-1]) if before else None
    if asking is not None and _takes_value(asking):
        yield from _values(asking, current, known_names)
    elif current.startswith("-") or not current:
        yield from _started(current, ((one, "") for one in tui_parser().options if one != "-h"))


def _understood(before: Sequence[str]) -> tuple[Command | None, int, Arg | None]:
    """Return the command, how many of its words stand there, and the option that wants a value."""
    command, typed, asking = None, 0, None
    for word in before:
        if asking is not None:
            asking = None
        elif word.startswith("-"):
            option = _options(command).get(word)
            asking = option if option is not None and _takes_value(option) else None
        elif command is None and not typed and word in COMMANDS:
            command = COMMANDS[word]
        else:
            typed += 1  # without a command: a word that is none, and nothing follows it
    return command, typed, asking


def _args(command: Command | None) -> Iterator[Arg]:
    for one in () if command is None else command.args:
        yield from one.args if isinstance(one, Either) else (one,)


def _options(command: Command | None) -> dict[str, Arg]:
    every = (*_args(command), *COMMON)
    return {one.names[0]: one for one in every if one.names[0].startswith("-")}


def _takes_value(option: Arg) -> bool:
    return "action" not in option.options


def _described(options: dict[str, Arg]) -> Iterator[tuple[str, str]]:
    for name, one in options.items():
        yield name, str(one.options.get("help", ""))
    yield from (("--version", "print the version"), ("--help", "print the help"))


def _positional(command: Command, typed: int) -> Arg | None:
    words = [one for one in _args(command) if not one.names[0].startswith("-")]
    if words and typed >= len(words) and words[-1].options.get("nargs") in ("+", "*"):
        return words[-1]
    return words[typed] if typed < len(words) else None


def _values(one: Arg, current: str, known_names: Names) -> Iterable[tuple[str, str]]:
    if one.completes in PLACES:
        return ((f"@{one.completes}", ""),)
    choices: Sequence[str] = one.options.get("choices", ())
    if one.completes == "command":
        return _started(current, ((c.name, c.text) for c in COMMANDS.values()))
    if choices:
        return _started(current, ((choice, "") for choice in choices))
    return _started(current, known_names(one.completes)) if one.completes else ()


def _started(current: str, found: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    for value, about in found:
        # what a line cannot hold is not offered; a shell quotes all else
        if value.startswith(current) and value.isprintable():
            yield value, about


def _state_dir(words: Sequence[str]) -> Path | None:
    given: dict[str, str] = {}
    for word, after in zip(words, (*words[1:], ""), strict=True):
        name, equals, value = word.partition("=")
        given[name] = value if equals else after
    try:
        config = locate.find_config(given.get("--config"), os.environ, here())
        return locate.state_dir(given.get("--state-dir"), os.environ, config)
    except (HealmonError, OSError):
        return None


def known(state_dir: Path | None, kind: str) -> list[tuple[str, str]]:
    """Return the names of a kind that the health store knows; none where it cannot be read."""
    if state_dir is None:
        return []
    try:
        with closing(read.open_reader(state_dir / "healmon.db")) as connection:
            return names(connection, kind)
    except (HealmonError, OSError):
        return []
