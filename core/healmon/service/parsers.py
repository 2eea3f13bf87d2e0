"""What was typed, understood: the parsers of both commands, made from the table of commands.

Only the parser of the command that was given is made; the whole one is for completion, man pages
and tests.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

from healmon import __version__
from healmon.config.paths import short, too_long
from healmon.errors import UsageError
from healmon.service.commandtable import COMMANDS, COMMON, GROUPS, Arg, Command, Either
from healmon.text import clean

WIDTH = 80


class Formatter(argparse.HelpFormatter):
    """Help that fits a screen of 80 columns; examples keep their lines."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=WIDTH)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text and len(text) > width:
            return super()._fill_text(text, width, indent)
        return "\n".join(indent + line for line in text.splitlines())


class Parser(argparse.ArgumentParser):
    """A parser that raises `UsageError` where argparse would print and exit.

    Attributes:
        commands: those below this one, by name.
    """

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - as argparse has it
        # a word that is cut short must not come to mean another one when an option is added
        super().__init__(formatter_class=Formatter, allow_abbrev=False, **options)
        self.commands: dict[str, Parser] = {}

    @property
    def options(self) -> list[str]:
        """All options, as they are typed."""
        return list(self._option_string_actions)

    def error(self, message: str) -> NoReturn:
        """Raise what was wrong."""
        raise _wrong(self.prog, message)

    def parsed(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the arguments.

        Raises:
            UsageError: they are not understood; names the option that was probably meant.
        """
        args, unknown = self.parse_known_args(argv)
        if unknown:
            where = self.commands.get(str(getattr(args, "way", "")), self)
            word = next((one for one in unknown if one.startswith("-")), unknown[0])
            if word.startswith("-"):
                near = meant(word.partition("=")[0], where.options)
                raise _wrong(where.prog, f"no option {word!r}{near}")
            raise _wrong(where.prog, f"no further word {word!r}")
        return args


class _Whole(Parser):
    def format_help(self) -> str:
        return overview() + "\n"


class _Compact(Parser):
    def format_help(self) -> str:
        # a blank line less, so that all of it stands on one screen
        return super().format_help().replace("\n\n", "\n", 1)


def meant(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean "status"?`, or nothing where nothing known is near."""
    from healmon.config.nearest import nearest  # noqa: PLC0415 - only what is wrong needs it

    near = nearest(word, known)
    return f'; did you mean "{near}"?' if near else ""


def _wrong(prog: str, message: str) -> UsageError:
    command = prog.partition(" ")[2]
    said = f"{command}: {message}" if command else message
    return UsageError(said, remedy=f"see: {prog} --help")


def _common() -> Parser:
    common = Parser(add_help=False, argument_default=argparse.SUPPRESS)
    options = common.add_argument_group("everywhere")
    for one in COMMON:
        options.add_argument(*one.names, **one.options)
    options.add_argument("--version", action="version", version=f"healmon {__version__}",
                         help="print the version")  # fmt: skip
    options.add_argument("-h", "--help", action="help", help="print this")
    return common


def tui_parser() -> Parser:
    """Return the parser of `healmon-tui`."""
    parser = _Compact(
        prog="healmon-tui",
        usage="healmon-tui [OPTION]…",
        parents=[_common()],
        add_help=False,
        description="A self-healing health monitor for one host. Without a flag: the terminal UI.",
        epilog="example: healmon-tui --demo   # watch healmon heal real faults within a minute",
    )
    ways = parser.add_mutually_exclusive_group()
    for flag, text in (
        ("no-ui", "run in the foreground, one report a cycle"),
        ("once", "make one full cycle, print its report, end"),
        ("daemon", "run in the background; returns when proven up"),
        ("status", "tell whether a healer runs and what is wrong now"),
        ("stop", "let the healer finish and end; workers stay up"),
    ):
        ways.add_argument(
            f"--{flag}", dest="way", action="store_const", const=flag, default="tui", help=text
        )
    ways.add_argument(
        "--serve",
        dest="serve",
        nargs="?",
        const="",
        metavar="ADDR:PORT",
        help="serve the page in the browser; see healmon serve",
    )
    parser.add_argument("--demo", action="store_true", help="a throw-away world with real parts")
    parser.add_argument("--read-only", action="store_true", help="show everything, act on nothing")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    return parser


def healmon_parser(*names: str) -> Parser:
    """Return the parser of `healmon`, with all commands or only those named."""
    common = _common()
    parser = _Whole(prog="healmon", parents=[common], add_help=False)
    commands = parser.add_subparsers(
        dest="way", metavar="COMMAND", required=True, prog="healmon", parser_class=Parser
    )
    for name in names or COMMANDS:
        command = COMMANDS[name]
        parser.commands[name] = made = commands.add_parser(
            name,
            help=command.text,
            description=f"{command.text[0].upper()}{command.text[1:]}.",
            usage=usage(command),
            epilog=f"example: {command.example}",
            add_help=False,
            parents=[common],
        )
        _fill(made, command)
    return parser


def _fill(parser: Parser, command: Command) -> None:
    parser.set_defaults(**command.values)
    for one in command.args:
        if isinstance(one, Either):
            group = parser.add_mutually_exclusive_group()
            for choice in one.args:
                group.add_argument(*choice.names, **_options(choice))
        else:
            parser.add_argument(*one.names, **_options(one))


def _options(one: Arg) -> dict[str, Any]:
    return {"type": _file, **one.options} if one.completes == "file" else one.options


def _file(text: str) -> str:
    """Return the name of a file as it was typed, if any can be called so."""
    if why := too_long(text):
        raise argparse.ArgumentTypeError(f"{clean(short(text))} {why}; give a shorter one")
    return text


def usage(command: Command) -> str:
    """Return how a command is typed, in one line."""
    words = [f"healmon {command.name}", "[OPTION]…"]
    words += [_shown(one) for one in command.args if isinstance(one, Arg)]
    return " ".join(word for word in words if word)


def _shown(one: Arg) -> str:
    name, metavar = one.names[0], str(one.options.get("metavar", ""))
    if name.startswith("-"):
        return f"{name} {metavar}" if one.options.get("required") else ""
    shown = {"?": f"[{metavar}]", "*": f"[{metavar}]…", "+": f"{metavar}…"}
    return shown.get(str(one.options.get("nargs", "")), metavar)


def overview() -> str:
    """Return the help of `healmon` as a whole: every command, on one screen."""
    lines = ["usage: healmon [OPTION]… COMMAND …", ""]
    lines += ["Everything that the screen can do, for scripts.", ""]
    for group in GROUPS:
        names = "  ".join(one.name for one in COMMANDS.values() if one.group == group)
        lines += _wrapped(f"{group:<12}{names}")
    # a no-break space: an option and its value stay on one line
    options = "  ".join(
        f"{one.names[0]}\N{NO-BREAK SPACE}{one.options.get('metavar', '')}".strip()
        for one in COMMON
    )
    lines += ["", *_wrapped(f"{'everywhere':<12}{options}  --version  --help"), ""]
    lines += ["example: healmon help restart   # what a command does, and its options"]
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    import textwrap  # noqa: PLC0415 - only help needs it

    lines = textwrap.wrap(text, WIDTH, subsequent_indent=" " * 12, break_on_hyphens=False)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in lines]


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return what `healmon` was asked.

    Raises:
        UsageError: it is not understood; names what was probably meant.
    """
    name = _command_in(argv)
    if name and name not in COMMANDS:
        raise _wrong("healmon", f"no command {name!r}{meant(name, COMMANDS)}")
    if name == "completion" and "--" in argv:
        # argparse would take a "--" that is being completed for its own
        at = list(argv).index("--")
        args = healmon_parser(name).parsed(argv[:at])
        args.words = list(argv[at + 1 :])
        return args
    return healmon_parser(name or "help").parsed(argv)


def _command_in(argv: Sequence[str]) -> str:
    """Return the first word that is no option nor an option's value; empty: there is none."""
    valued = {name for one in COMMON if "metavar" in one.options for name in one.names}
    words = iter(argv)
    for word in words:
        if word in valued:
            next(words, None)
        elif not word.startswith("-"):
            return word
    return ""


def help_asked(args: argparse.Namespace) -> int:
    """Print the help of a command, or the overview; returns 0.

    Raises:
        UsageError: there is no such command.
    """
    name: str = args.command
    if name and name not in COMMANDS:
        raise _wrong("healmon", f"no command {name!r}{meant(name, COMMANDS)}")
    text = healmon_parser(name).commands[name].format_help().rstrip() if name else overview()
    print(text)  # noqa: T201 - this is the command line
    return 0
