"""The command line: what was asked, who does it, how it ends.

Everything heavy is imported by the command that needs it: `--status` must feel instant.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import NoReturn, TypeAlias

from healmon import __version__
from healmon.errors import HealmonError, UsageError

OVERRIDES: dict[str, tuple[str, str]] = {
    "restart": ("WORKER", "restart a worker"),
    "stop-worker": ("WORKER", "stop a worker and keep it down"),
    "start-worker": ("WORKER", "start a worker that was stopped"),
    "release": ("WORKER", "end a quarantine"),
    "unlock": ("DATABASE", "free a database from its holder or leftovers"),
    "clean": ("MOUNT", "clean a file system or budget by its rules"),
}
PREFIX = {"unlock": "database:", "clean": "disk:"}
SESSIONS = {
    "clear": "clear", "answer": "answer", "snooze": "snooze", "never-touch": "touch",
    "touch": "touch",
}  # fmt: skip
"""Commands about one session, and the function in `service.sessions_cli` that does each."""
ALERTS = {
    "alerts": "alerts", "silences": "silences", "ack": "acknowledge", "unack": "unacknowledge",
    "silence": "silence", "unsilence": "unsilence",
}  # fmt: skip
"""Commands about alerts, and the function in `service.alerts_cli` that does each."""
ALONE = {
    "backup": ("backup_cli", "backup"),
    "beat": ("beat", "beat"),
    "events": ("events_cli", "events"),
    "notify": ("notify_cli", "notify"),
    "pause": ("pauses_cli", "pause"),
    "reload": ("reload_cli", "reload"),
    "report": ("report_cli", "report"),
    "restore": ("restore_cli", "restore"),
}
"""Commands that are imported by themselves."""
VERB = {"stop-worker": "stop", "start-worker": "start"}


OpenScreen: TypeAlias = Callable[..., int]
"""Opens the terminal UI on a link and returns its exit code; `healmon-tui` hands it in."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{self.prog}: {message}", remedy=f"see: {self.prog} --help")


def _common() -> _Parser:
    common = _Parser(add_help=False, argument_default=argparse.SUPPRESS)
    common.add_argument("--config", metavar="FILE", help="the configuration to use")
    common.add_argument("--state-dir", metavar="DIR", help="where the health store and lock live")
    common.add_argument(
        "--dry-run", action="store_true", help="decide and report everything, change nothing"
    )
    common.add_argument("--json", action="store_true", help="machine output")
    common.add_argument(
        "--log-level",
        choices=("debug", "info", "warning", "error"),
        help="how much the log says (default: info)",
    )
    common.add_argument("--version", action="version", version=f"healmon {__version__}")
    return common


def tui_parser() -> argparse.ArgumentParser:
    """Return the parser of `healmon-tui`."""
    parser = _Parser(
        prog="healmon-tui",
        parents=[_common()],
        description="A self-healing health monitor for one host. Without a flag: the terminal UI.",
        epilog="example: healmon-tui --demo   watch healmon heal real faults within a minute",
    )
    ways = parser.add_mutually_exclusive_group()
    for flag, text in (
        ("no-ui", "run in the foreground without a screen, one report a cycle"),
        ("once", "make one full check-and-heal cycle, print its report, end"),
        ("daemon", "run in the background; returns when it is proven up"),
        ("status", "tell whether a healer runs and what is wrong now"),
        ("stop", "let the healer finish its current action and end; workers stay up"),
    ):
        ways.add_argument(
            f"--{flag}", dest="way", action="store_const", const=flag, default="tui", help=text
        )
    parser.add_argument(
        "--demo", action="store_true", help="open a throw-away world with real parts"
    )
    parser.add_argument("--read-only", action="store_true", help="show everything, act on nothing")
    parser.add_argument("--no-mouse", action="store_true", help="leave the mouse to the terminal")
    return parser


def healmon_parser() -> argparse.ArgumentParser:
    """Return the parser of `healmon`."""
    parser = _Parser(
        prog="healmon",
        parents=[_common()],
        description="healmon for scripts: everything the screen can do.",
        epilog="example: healmon restart task_worker",
    )
    commands = parser.add_subparsers(dest="way", metavar="COMMAND", required=True)

    def command(name: str, text: str) -> argparse.ArgumentParser:
        return commands.add_parser(name, help=text, description=text, parents=[_common()])

    command("run", "run in the foreground without a screen, one report a cycle")
    command("once", "make one full check-and-heal cycle, print its report, end")
    command("daemon", "run in the background; returns when it is proven up")
    command("status", "tell whether a healer runs and what is wrong now")
    command("stop", "let the healer finish its current action and end; workers stay up")
    command("tui", "open the terminal UI")
    command("check", "validate the configuration and print it as understood")
    command("reload", "have the healer read its configuration again; tells what changes")
    alerts = command("alerts", "list the alerts that are not resolved")
    alerts.add_argument("--all", action="store_true", help="the resolved ones too")
    alerts.add_argument("--before", type=int, metavar="ID", help="with --all: older than this one")
    ack = command("ack", "acknowledge alerts: I know")
    ack.add_argument("ids", nargs="+", metavar="ID")
    ack.add_argument("--note", default="", help="why, or who looks after it")
    ack.add_argument("--for", dest="period", metavar="4h", help="how long (default: 4h)")
    unack = command("unack", "take acknowledgements back")
    unack.add_argument("ids", nargs="+", metavar="ID")
    _muting(command)
    beat = command("beat", "tell that a task is worked on; prints the token of this attempt")
    beat.add_argument("target", metavar="TASK", help="its id, or SOURCE:ID")
    beat.add_argument("--source", metavar="NAME", help="the source of tasks that has it")
    beat.add_argument("--token", metavar="T", help="of the attempt; one taken away is refused (65)")
    beat.add_argument("--note", metavar="TEXT", default="", help="how far it is")
    for name, (what, text) in OVERRIDES.items():
        command(name, text).add_argument("target", metavar=what)
    restore = command("restore", "list what cleaning put aside, or take it back")
    restore.add_argument("ids", nargs="*", metavar="ID", help="a file, or a whole run; none: list")
    restore.add_argument("--backup", action="store_true", help="from backup targets, not the trash")
    restore.add_argument("--host", metavar="NAME", help="with --backup: whose files; default: ours")
    backup = command("backup", "copy the health store, whole and checked, also while a healer runs")
    backup.add_argument(
        "file", nargs="?", metavar="FILE", help="a new file, or a directory (default: this one)"
    )
    _sessions(command)
    notify = command("notify", "tell how the channels of notices are, or try them")
    notify.add_argument(
        "--test", nargs="?", const="", metavar="CHANNEL", help="send a test notice; default: to all"
    )
    report = command("report", "what broke, what was healed and how, what needs a person")
    report.add_argument("--since", metavar="8h", default="8h", help="how far back (default: 8h)")
    events = command("events", "print the event log")
    events.add_argument("--since", metavar="8h", default="1h", help="how far back (default: 1h)")
    events.add_argument("--component", metavar="C", help="only this component's")
    events.add_argument("--follow", action="store_true", help="go on with each newer one")
    return parser


def _muting(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    silence = command("silence", "mute the notices of what matches; healing goes on")
    silence.add_argument(
        "match", nargs="+", metavar="MATCH",
        help="an alert's ID, a COMPONENT (* and ? are wild), or terms that must all hold:"
        " component, healer, condition, severity, id, message, each with = or !=",
    )  # fmt: skip
    unsilence = command("unsilence", "end silences before their time")
    unsilence.add_argument("ids", nargs="+", metavar="ID")
    command("silences", "list the silences in force")
    pause = command("pause", "maintenance: look on, do not act")
    pause.add_argument(
        "target", nargs="?", default="", metavar="COMPONENT",
        help="a component, or a pattern such as session:build-*; none: everything",
    )  # fmt: skip
    for parser in (silence, pause):
        parser.add_argument("--for", dest="period", metavar="2h", required=True, help="how long")
        parser.add_argument("--note", default="", help="why")
    resume = command("resume", "end maintenance; says what was not done meanwhile")
    resume.add_argument("target", nargs="?", default="", metavar="COMPONENT")


def _sessions(command: Callable[[str, str], argparse.ArgumentParser]) -> None:
    clear = command("clear", "interrupt a session and hand its tasks back")
    ways = clear.add_mutually_exclusive_group()
    for then, text in (("requeue", "queue its tasks again"), ("fail", "let its tasks fail")):
        ways.add_argument(f"--{then}", dest="then", action="store_const", const=then, help=text)
    answer = command("answer", "give a session one of the answers that its question offers")
    snooze = command("snooze", "leave a session alone for a while")
    snooze.add_argument("--for", dest="period", metavar="2h", required=True, help="how long")
    never = command("never-touch", "never press a key in a session nor settle its tasks")
    again = command("touch", "take never-touch back")
    for parser in (clear, answer, snooze, never, again):
        parser.add_argument("target", metavar="SESSION")
    answer.add_argument("number", nargs="?", type=int, metavar="N", help="which; none: list them")
    explain = command("explain", "tell why something is as it is")
    explain.add_argument("target", metavar="COMPONENT|ID|FILE")
    explain.add_argument("--pack", default="", metavar="NAME", help="whose screen the file holds")
    explain.add_argument(
        "--title", default="", metavar="T", help="the title of the file's terminal"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run `healmon`; returns the exit code of the contract."""
    return _guarded(lambda: _healmon(healmon_parser().parse_args(argv)))


def main_tui(argv: Sequence[str] | None, open_screen: OpenScreen) -> int:
    """Run `healmon-tui`; `open_screen` is called only when a screen is wanted."""
    return _guarded(lambda: _healmon_tui(tui_parser().parse_args(argv), open_screen))


def _guarded(run: Callable[[], int]) -> int:
    try:
        return run()
    except HealmonError as error:
        print(f"healmon: {error}", file=sys.stderr)  # noqa: T201 - this is the command line
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # whoever read our output has enough; do not complain when Python flushes at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def state_dir_of(args: argparse.Namespace) -> Path:
    """Return the state directory that these arguments mean, without reading more than needed."""
    from healmon.config import locate  # noqa: PLC0415

    config = locate.find_config(getattr(args, "config", None), os.environ, Path.cwd())
    return locate.state_dir(getattr(args, "state_dir", None), os.environ, config)


def _json(args: argparse.Namespace) -> bool:
    return bool(getattr(args, "json", False))


def _status(args: argparse.Namespace) -> int:
    from healmon.service.status import status  # noqa: PLC0415

    return status(state_dir_of(args), json_wanted=_json(args))


def _explain(args: argparse.Namespace) -> int:
    from healmon.service.explain_cli import explain  # noqa: PLC0415

    return explain(state_dir_of(args), args)


def _alone(way: str) -> Callable[[Path, argparse.Namespace], int]:
    """Return the command that is imported by itself."""
    module, name = ALONE[way]
    found: Callable[[Path, argparse.Namespace], int] = getattr(
        import_module(f"healmon.service.{module}"), name
    )
    return found


def _named(way: str) -> Callable[[Path, argparse.Namespace], int]:
    """Return the command about a session or about alerts."""
    from healmon.service import alerts_cli, sessions_cli  # noqa: PLC0415

    found: Callable[[Path, argparse.Namespace], int] = (
        getattr(sessions_cli, SESSIONS[way])
        if way in SESSIONS
        else getattr(alerts_cli, ALERTS[way])
    )
    return found


def _healmon(args: argparse.Namespace) -> int:
    way = str(args.way)
    if way == "status":
        return _status(args)
    if way == "tui":
        words = [w for w in sys.argv[1:] if w != "tui"]
        os.execv(sys.executable, [sys.executable, "-m", "healmon_tui", *words])  # noqa: S606 - same program, other face
    if way in ALONE:
        return _alone(way)(state_dir_of(args), args)
    from healmon.service import commandline  # noqa: PLC0415

    if way in OVERRIDES:
        target = PREFIX.get(way, "") + args.target.removeprefix(PREFIX.get(way, ""))
        return commandline.override(
            state_dir_of(args), VERB.get(way, way), target, {}, json_wanted=_json(args)
        )
    if way in SESSIONS or way in ALERTS:
        return _named(way)(state_dir_of(args), args)
    simple: dict[str, Callable[[], int]] = {
        "stop": lambda: commandline.stop(state_dir_of(args)),
        "check": lambda: commandline.check(args),
        "explain": lambda: _explain(args),
        "resume": lambda: commandline.override(
            state_dir_of(args), "resume", args.target, {}, json_wanted=_json(args)
        ),
    }
    if way in simple:
        return simple[way]()
    return _run_healer({"run": "no-ui"}.get(way, way), args)


def _healmon_tui(args: argparse.Namespace, open_screen: OpenScreen) -> int:
    way = str(args.way)
    if way == "status":
        return _status(args)
    if way == "stop":
        from healmon.service import commandline  # noqa: PLC0415

        return commandline.stop(state_dir_of(args))
    if args.demo:
        from healmon.demo.run import demo  # noqa: PLC0415

        return demo(way, args, open_screen)
    if way != "tui":
        return _run_healer(way, args)
    from healmon.service import foreground  # noqa: PLC0415

    return foreground.screen(args, open_screen)


def _run_healer(way: str, args: argparse.Namespace) -> int:
    from healmon.service import foreground  # noqa: PLC0415

    runs: dict[str, Callable[[argparse.Namespace], int]] = {
        "once": foreground.once,
        "no-ui": foreground.no_ui,
        "daemon": foreground.daemon,
    }
    return runs[way](args)
