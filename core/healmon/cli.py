"""The command line: what was asked, who does it, how it ends.

`service.commandtable` has all commands; everything heavy is imported by the command that needs it:
`--status` must feel instant.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module

from healmon import quiet
from healmon.errors import HealmonError, StateDirError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from pathlib import Path
    from typing import NoReturn, TypeAlias

OpenScreen: TypeAlias = Callable[..., int]
"""Opens the terminal UI on a link and returns its exit code; `healmon-tui` hands it in."""
FLAGS = {"no-ui": "run"}
"""Flags of `healmon-tui` whose command has another name."""
HEALERS = {"run": "no_ui", "once": "once", "daemon": "daemon"}
"""Commands that are a healer, with their function of `service.foreground`, as in the table."""
QUICK = {name: name for name in ("status", *HEALERS)}
"""What is understood without a parser, and the command that it means; below: `healmon-tui`'s."""
QUICK_FLAGS = {f"--{flag}": FLAGS.get(flag, flag) for flag in ("status", "no-ui", "once", "daemon")}
PLACES = {"--config": "config", "--state-dir": "state_dir"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run `healmon`; returns the exit code of the contract."""
    words = sys.argv[1:] if argv is None else argv
    return _guarded(lambda: _healmon(words))


def entry() -> NoReturn:
    """Be the command `healmon`."""
    leave(main)


def leave(run: Callable[[], int]) -> NoReturn:
    """End this process as `run` says; at once where nothing was begun that wants an end.

    To take an interpreter down costs as much as to look into the health store.
    """
    _lend_streams()
    try:
        code = run()
    except SystemExit as end:  # how argparse ends after --help
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BrokenPipeError:  # whoever read has enough; what the code says is true all the same
        quiet.now()
    except OSError as error:
        if code != StateDirError.exit_code:  # else it was told already
            code = _unwritten(error)
        quiet.now()
    if {"asyncio", "threading", "logging"} & {*sys.modules}:
        sys.exit(code)
    os._exit(code)


def _lend_streams() -> None:
    """Make all that is said sayable, and give streams that were closed to us a place.

    Else the next file that is opened, a lock or a store, would get the number of one, and with it
    whatever anybody writes to that stream.
    """
    for name in ("stdin", "stdout", "stderr"):  # in the order of their numbers
        stream = getattr(sys, name)
        if stream is None:
            mode = "r" if name == "stdin" else "w"
            stream = open(os.devnull, mode, encoding="utf-8")  # noqa: PTH123, SIM115 - it stays open
            os.set_inheritable(stream.fileno(), True)  # noqa: FBT003 - its only argument
            setattr(sys, name, stream)
        if name != "stdin":  # names of files need not be text, nor a locale have its letters
            stream.reconfigure(errors="backslashreplace")


def _unwritten(error: OSError) -> int:
    print(f"healmon: the answer cannot be written: {error.strerror}", file=sys.stderr, flush=True)  # noqa: T201 - this is the command line
    return StateDirError.exit_code


def main_tui(argv: Sequence[str] | None, open_screen: OpenScreen) -> int:
    """Run `healmon-tui`; `open_screen` is called only when a screen is wanted."""
    words = sys.argv[1:] if argv is None else argv
    return _guarded(lambda: _healmon_tui(words, open_screen))


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except HealmonError as error:
        _tell(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        quiet.now()
        return 0
    except Exception as error:  # noqa: BLE001 - nobody is to meet a traceback
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return _unwritten(error)
        return _our_fault(error)


def _our_fault(error: Exception) -> int:
    """Tell of what nobody thought of in a line; the traceback is for who wants to know all."""
    import traceback  # noqa: PLC0415 - nobody hopes to need it

    if isinstance(error, OSError) and error.filename:  # a name too long, a folder in its place
        _tell(f"{os.fsdecode(error.filename)}: {error.strerror}")
        return StateDirError.exit_code
    if isinstance(error, FileNotFoundError) and error.filename is None:  # as getcwd(2) tells it
        _tell("the working directory was removed: go to another one first (cd)")
        return StateDirError.exit_code
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{os.path.basename(place.filename)}:{place.lineno}"  # noqa: PTH119 - a word, no path
    _tell(f"a fault of healmon's own: {type(error).__name__}: {error} ({where})")
    if "debug" in " ".join(sys.argv[1:]).replace("=", " ").split():
        traceback.print_exception(error)
    else:
        _tell("the same with --log-level debug says more; please report it")
    return HealmonError.exit_code


def _tell(text: str) -> None:
    """Say what went wrong; it may quote what was typed, or what others wrote."""
    from healmon.text import clean  # noqa: PLC0415 - who is well needs it not

    print(f"healmon: {clean(text, lines=True, limit=1_000_000)}", file=sys.stderr)  # noqa: T201 - this is the command line


def state_dir_of(args: argparse.Namespace) -> Path:
    """Return the state directory that these arguments mean, without reading more than needed."""
    from healmon.config import locate  # noqa: PLC0415 - likewise
    from healmon.config.paths import here  # noqa: PLC0415 - likewise

    config, named = getattr(args, "config", None), getattr(args, "state_dir", None)
    # somebody's healmon.toml in the current directory matters only where it is asked
    sought = config is not None or not (named or os.environ.get("HEALMON_STATE_DIR"))
    source = locate.find_config(config, os.environ, here()) if sought else None
    found = locate.state_dir(named, os.environ, source)
    if os.path.isdir(found) and not os.access(found, os.X_OK):  # noqa: PTH112 - Path would raise
        raise StateDirError(
            f"state directory {found} is closed to others than uid {found.stat().st_uid}",
            remedy="ask as that user or as root, or name another one with --state-dir",
        )
    return found


def _plain(words: Sequence[str], ways: Mapping[str, str]) -> argparse.Namespace | None:
    """Return the arguments when one of `ways` is asked with plain options: it needs no parser.

    To make one costs as much as to answer, and a healer would hold it for life: 0.9 MB with the
    table.

    Args:
        words: what was typed.
        ways: the command of each word that may be the one.
    """
    from types import SimpleNamespace  # noqa: PLC0415 - argparse's own comes with all of it

    args = SimpleNamespace(way="", json=False)
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if word in ways and not args.way:
            args.way = ways[word]
        elif option in PLACES:
            setattr(args, PLACES[option], value := value if equals else next(rest, ""))
            if value[:1] in {"", "-"}:
                return None
        elif word in {"--json", "--dry-run"}:
            setattr(args, word[2:].replace("-", "_"), True)
        else:
            return None
    return args if args.way else None  # type: ignore[return-value]  # pyright: ignore[reportReturnType] - as good as one


def _healmon(words: Sequence[str]) -> int:
    args = _plain(words, QUICK)
    if args is None:
        from healmon.service import parsers  # noqa: PLC0415 - as above

        args = parsers.parse(words)
    return _run(args)


def _run(args: argparse.Namespace) -> int:
    """Do what was asked, by the table of commands; returns the exit code."""
    if args.way == "status":
        from healmon.service.status import status_asked  # noqa: PLC0415 - what it needs, no more

        return status_asked(state_dir_of(args), args)
    if getattr(args, "now", False):
        from healmon.service.now import in_process  # noqa: PLC0415 - it is a healer

        args.now = False
        return in_process(args, state_dir_of(args), lambda: _run(args))
    if args.way in HEALERS:
        _lean()
        run = getattr(import_module("healmon.service.foreground"), HEALERS[args.way])
        return int(run(args))
    from healmon.service.commandtable import COMMANDS  # noqa: PLC0415 - the others do without

    command = COMMANDS[str(args.way)]
    if command.group == "run":
        _lean()
    module, _, name = command.run.partition(":")
    place = module if "." in module else f"service.{module}"
    run = getattr(import_module(f"healmon.{place}"), name)
    return int(run(args) if command.bare else run(state_dir_of(args), args))


def _lean() -> None:
    from healmon import lean  # noqa: PLC0415 - before anything imports asyncio

    lean.begin()
    lean.without_openssl()


def _healmon_tui(words: Sequence[str], open_screen: OpenScreen) -> int:
    args = _plain(words, QUICK_FLAGS)
    if args is not None:
        return _run(args)
    from healmon.service.parsers import tui_parser  # noqa: PLC0415 - as above

    args = tui_parser().parsed(words)
    if args.serve is not None:
        args.way, args.address = "serve", args.serve or None
    way = FLAGS.get(args.way, str(args.way))
    if args.read_only and way not in {"tui", "status"}:
        raise UsageError(
            f"--read-only is for the screen, --{args.way} acts", remedy="to only plan: --dry-run"
        )
    if args.demo:
        from healmon.demo.run import demo  # noqa: PLC0415

        return demo(str(args.way), args, open_screen)
    from healmon import lean  # noqa: PLC0415 - before anything imports msgspec

    lean.begin()
    if way != "tui":
        args.way = way
        return _run(args)
    from healmon.service import foreground  # noqa: PLC0415

    return foreground.screen(args, open_screen)
