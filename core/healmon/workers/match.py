"""Is this process that worker? Whole arguments are compared, never parts of a command line.

A tmux server, an editor or `tail -f worker.log` carries the worker's name in its arguments, and
`worker.py --status` even its script: none of them is the worker. A relative path counts when the
directory it was meant from is known; where it is not, the answer is "unclear".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from posixpath import basename, isabs, join, normpath
from typing import Literal

from healmon.config.settings import Worker
from healmon.text import clean
from healmon.workers.places import far
from healmon.world import notes
from healmon.world.processes import Origin, ProcessFacts
from healmon.world.procfs import ARGUMENT_SHOWN

Likeness = Literal["", "unclear", "exact"]

_PYTHON = re.compile(r"(python|pypy)[\d.]*[dmtu]{0,2}")
_INTERPRETER = re.compile(
    r"(python|pypy|perl|ruby|node|nodejs|php|lua|tclsh)[\d.]*[dmtu]{0,2}|(ba|da|z|k|c|tc|fi|a)?sh|busybox"
)
_TAKES_VALUE = {"-X", "-W", "--check-hash-based-pycs"}
_RUNS_ELSE = re.compile(r"-[A-Za-z]*[cm]|-")
"""Python options after which no script follows: `-c`, `-m`, also as `-Im`."""


def needle(worker: Worker) -> str:
    """Return the word that is among the first arguments of every process that is the worker."""
    return clean(basename(worker.script or worker.argv[0]), limit=ARGUMENT_SHOWN)


def arguments(worker: Worker) -> tuple[str, ...]:
    """Return what every command line that is the worker ends with, as `ProcessFacts` shows it."""
    own = worker.argv.index(worker.script) if worker.script and worker.script in worker.argv else 0
    return tuple(clean(part, limit=ARGUMENT_SHOWN) for part in worker.argv[own + 1 :])


class Index:
    """Finds the workers that a process may be, however many there are of one program.

    Args:
        workers: all of them.
    """

    def __init__(self, workers: Iterable[Worker]) -> None:
        self._known: dict[str, dict[int, dict[tuple[str, ...], list[Worker]]]] = {}
        for worker in workers:
            ending = arguments(worker)
            by_length = self._known.setdefault(needle(worker), {}).setdefault(len(ending), {})
            by_length.setdefault(ending, []).append(worker)

    def twins(self, worker: Worker) -> list[str]:
        """Return the names of other workers that are started with the same words.

        Their command lines do not tell which of them a process is.
        """
        ending = arguments(worker)
        alike = self._known[needle(worker)][len(ending)][ending]
        return [other.name for other in alike if other.name != worker.name]

    def may_be(self, facts: ProcessFacts) -> list[Worker]:
        """Return the workers whose program and last arguments a process has; proves nothing."""
        command, found = facts.command, list[Worker]()
        for needle in {part.rpartition("/")[2] for part in command[:8]} & self._known.keys():
            for length, endings in self._known[needle].items():
                if length < len(command):
                    found += endings.get(command[len(command) - length :], ())
        return found


def likeness(worker: Worker, origin: Origin) -> Likeness:
    """Return whether a process is the worker, by what it was started as."""
    if not origin.argv:
        return ""
    if worker.script:
        return _like_script(worker, origin)
    return _like_command(worker, origin)


def _like_script(worker: Worker, origin: Origin) -> Likeness:
    place = script_place(origin.argv)
    own = worker.argv.index(worker.script) if worker.script in worker.argv else 1
    if place is None or origin.argv[place + 1 :] != worker.argv[own + 1 :]:
        return ""
    return _same_file(origin.argv[place], worker.script, origin.directories)


def script_place(argv: tuple[str, ...]) -> int | None:
    """Return where in a command line of Python the script stands; 0 when it is run by itself."""
    if not _PYTHON.fullmatch(basename(argv[0])):
        return 0
    place = 1
    while place < len(argv) and argv[place].startswith("-"):
        if _RUNS_ELSE.fullmatch(argv[place]):
            return None
        place += 2 if argv[place] in _TAKES_VALUE else 1
    return place if place < len(argv) else None


def _like_command(worker: Worker, origin: Origin) -> Likeness:
    program, *arguments = worker.argv
    place = len(origin.argv) - len(worker.argv)  # the kernel puts `#!` and its option before it
    if place not in (0, 1, 2) or list(origin.argv[place + 1 :]) != arguments:
        return ""
    if place > 0 and not _INTERPRETER.fullmatch(basename(origin.argv[0])):
        return ""
    if place == 2 and not origin.argv[1].startswith("-"):
        return ""
    like = _same_program(origin.argv[place], program, origin.directories)
    return _same_words(worker, arguments, origin.directories) if like == "exact" else like


def _same_words(worker: Worker, arguments: list[str], directories: tuple[str, ...]) -> Likeness:
    """Return whether arguments that name files of the worker's directory name the same files.

    `node server.js` is another program in another project's directory. Of a process that is in the
    worker's own they are the same, and no file is asked; nor where another host must answer.

    Args:
        worker: its settings.
        arguments: what both have.
        directories: where the process is, and where it may have been started.
    """
    if directories and directories[0] == worker.cwd:
        return "exact"
    if far(worker.cwd):
        return "exact" if worker.cwd in directories else "unclear"
    answer: Likeness = "exact"
    for word in arguments:
        own = _own_file(worker.cwd, word)
        like = _same_file(own, normpath(join(worker.cwd, own)), directories) if own else "exact"
        if not like:
            # it changed its directory, or a link leads to a newer release by now
            return "unclear" if worker.cwd in directories else ""
        answer = answer if like == "exact" else like
    return answer


def _own_file(cwd: str, word: str) -> str:
    """Return what a word means in a directory: a file or a module there; empty: neither."""
    name = word.rpartition("=")[2] if word.startswith("-") else word  # --config=app.toml
    if not cwd or not name or isabs(name):
        return ""
    module = name.partition(":")[0].replace(".", "/")  # -m app.main, gunicorn app.main:api
    ways = (name, f"{module}.py", f"{module}/__main__.py", f"{module}/__init__.py")
    return next((way for way in ways if notes.is_file(join(cwd, way))), "")


def _same_program(given: str, configured: str, directories: tuple[str, ...]) -> Likeness:
    if given == configured:
        return "exact"
    if "/" in given and "/" in configured:
        return _same_file(given, configured, directories)
    # one of them is looked up in PATH
    paths = [path if "/" in path else notes.find_program(path) for path in (given, configured)]
    if not all(map(isabs, paths)):
        return ""
    return "exact" if notes.resolve(paths[0]) == notes.resolve(paths[1]) else ""


def _same_file(given: str, configured: str, directories: tuple[str, ...]) -> Likeness:
    if isabs(given):
        same = given == configured or notes.resolve(given) == notes.resolve(configured)
        return "exact" if same else ""
    for directory in directories:
        path = normpath(join(directory, given))
        if path == configured or notes.resolve(path) == notes.resolve(configured):
            return "exact"
        if notes.is_file(path):
            return ""  # the same name in another place: somebody else's
    return "unclear" if configured.endswith(f"/{normpath(given)}") else ""
