"""Every command of `healmon`, in one table: parser, help, completion and man page come from it.

To add a command, add one `Command` to a table below and write the function that it names; nothing
else knows of it. The function is `(state_dir, args) -> exit code` in a module of
`healmon.service`, or of another room that is named (`web.serving`), which is imported only when the
command is given; with `bare=True` it gets the arguments only.
All of this is plain data: `healmon status` reads it too and must feel instant.
"""

from __future__ import annotations

from typing import Any, NamedTuple

GROUPS = ("run", "look", "say", "act", "set up")
"""In the order of the overview."""


class Arg(NamedTuple):
    """One word or option of a command: what `add_argument` is told.

    Attributes:
        names: `("target",)` or `("--note",)`.
        options: for `add_argument`.
        completes: what its value is, for completion: `worker` `session` `database` `mount`
            `component` `alert` `silence` `channel` `file` `dir` `command`, or empty.
    """

    names: tuple[str, ...]
    options: dict[str, Any]
    completes: str = ""


class Either(NamedTuple):
    """Options of which at most one may be given."""

    args: tuple[Arg, ...]


class Command(NamedTuple):
    """One command.

    Attributes:
        name: as it is typed.
        group: of `GROUPS`.
        text: what it does, in one line.
        run: `module:function` below `healmon.service`, `room.module:function` below `healmon`.
        example: a line that can be typed, what it does as a comment behind it.
        args: its own words and options.
        bare: the function wants the arguments only, no state directory.
        values: what it finds in the arguments beside what was typed.
    """

    name: str
    group: str
    text: str
    run: str
    example: str
    args: tuple[Arg | Either, ...] = ()
    bare: bool = False
    values: dict[str, str] = {}  # noqa: RUF012 - nobody writes to it


def arg(*names: str, completes: str = "", **options: Any) -> Arg:  # noqa: ANN401 - as argparse has it
    """Return a word or an option."""
    return Arg(names, options, completes)


def component(text: str) -> str:
    """Return a component as it was typed; an empty one is a variable that was never set.

    Raises:
        ValueError: it is empty; the parser names this function then.
    """
    if not text:
        raise ValueError
    return text


def directory(text: str) -> str:
    """Return a directory as it was typed; `--state-dir "$UNSET"` must not mean another healer's.

    Raises:
        ValueError: it is empty; the parser names this function then.
    """
    return component(text)


def _override(name: str, what: str, text: str, example: str, **values: str) -> Command:
    """Return a command that asks the running healer for something about one target."""
    completes = what.lower()
    target = arg("target", metavar=what, completes=completes)
    known = {"verb": name, "prefix": "", **values}
    return Command(
        name, "act", text, "commandline:ask", f"healmon {example}", (target, NOW), values=known
    )


COMMON = (
    arg("--config", metavar="FILE", help="the configuration to use", completes="file"),
    arg(
        "--state-dir", type=directory, metavar="DIR", help="where store and lock live",
        completes="dir",
    ),
    arg("--dry-run", action="store_true", help="decide and report everything, change nothing"),
    arg("--json", action="store_true", help="machine output"),
    arg(
        "--log-level", metavar="LEVEL", choices=("debug", "info", "warning", "error"),
        help="debug, info (default), warning, error",
    ),
)  # fmt: skip
"""What every command takes, before or after its name."""

SESSION = arg("target", metavar="SESSION", completes="session")
NOTE = arg("--note", default="", metavar="TEXT", help="why")
NOW = arg("--now", action="store_true", help="do it here if no healer runs")
PERIOD = arg("--for", dest="period", metavar="2h", required=True, help="how long")
IDS = arg("ids", nargs="+", metavar="ID", completes="alert")

RUN = (
    Command("run", "run", "run in the foreground without a screen, one report a cycle",
            "foreground:no_ui", "healmon run --json", bare=True),
    Command("once", "run", "make one full check-and-heal cycle, print its report, end",
            "foreground:once", "healmon once --dry-run   # what would be done now", bare=True),
    Command("daemon", "run", "run in the background; returns when it is proven up",
            "foreground:daemon", "healmon daemon --config /etc/healmon/healmon.toml", bare=True),
    Command("stop", "run", "let the healer finish its current action and end; workers stay up",
            "commandline:stop_asked", "healmon stop"),
    Command("reload", "run", "have the healer read its configuration again; tells what changes",
            "reload_cli:reload", "healmon reload --dry-run   # what would change"),
    Command("tui", "run", "open the terminal UI", "commandline:tui", "healmon tui", bare=True),
)  # fmt: skip

LOOK = (
    Command("status", "look", "tell whether a healer runs and what is wrong now",
            "status:status_asked", "healmon status --json"),
    Command("alerts", "look", "list the alerts that are not resolved", "alerts_cli:alerts",
            "healmon alerts --all --before 4711", (
        arg("--all", action="store_true", help="the resolved ones too"),
        arg("--before", type=int, metavar="ID", help="with --all: older than this one"),
    )),
    Command("silences", "look", "list the silences in force", "alerts_cli:silences",
            "healmon silences --json"),
    Command("events", "look", "print the event log", "events_cli:events",
            "healmon events --since 8h --component assigner_worker", (
        arg("--since", metavar="8h", default="1h", help="how far back (default: 1h)"),
        arg("--component", metavar="C", help="only this component's", completes="component"),
        arg("--follow", action="store_true", help="go on with each newer one"),
    )),
    Command("report", "look", "what broke, what was healed and how, what needs a person",
            "report_cli:report", "healmon report --since 12h", (
        arg("--since", metavar="8h", default="8h", help="how far back (default: 8h)"),
    )),
    Command("serve", "look", "serve the page in the browser; looks on, heals nothing",
            "web.serving:serve", "healmon serve 127.0.0.1:8080", (
        arg("address", nargs="?", metavar="ADDRESS:PORT",
            help="where (default: web.listen, else 127.0.0.1:8080)"),
        arg("--behind-proxy", metavar="URL", help="its address at a proxy that speaks TLS"),
    ), bare=True),
    Command("metrics", "look", "print the numbers for Prometheus, or serve them",
            "metrics_cli:metrics", "healmon metrics --listen 127.0.0.1:9646", (
        Either((
            arg("--listen", metavar="ADDRESS:PORT", help="serve /metrics there until ended"),
            arg("--textfile", metavar="FILE", completes="file",
                help="write them for node_exporter: FILE.prom"),
        )),
    )),
    Command("web-token", "look", "print the address that logs a browser in",
            "web.token_cli:web_token", "healmon web-token --operator   # to act, too", (
        arg("--operator", action="store_true", help="to act, not only to look"),
        arg("--renew", action="store_true", help="make other tokens; all logins end"),
    )),
    Command("explain", "look", "tell why something is as it is", "explain_cli:explain",
            "healmon explain session:build-7", (
        arg("target", type=component, metavar="COMPONENT|ID|FILE", completes="component"),
        arg("--pack", default="", metavar="NAME", help="whose screen the file holds"),
        arg("--title", default="", metavar="T", help="the title of the file's terminal"),
    )),
)  # fmt: skip

SAY = (
    Command("ack", "say", "acknowledge alerts: I know", "alerts_cli:acknowledge",
            'healmon ack 4711 --note "disk is on its way" --for 8h', (
        IDS,
        arg("--note", default="", metavar="TEXT", help="why, or who looks after it"),
        arg("--for", dest="period", metavar="4h", help="how long (default: 4h)"),
        NOW,
    )),
    Command("unack", "say", "take acknowledgements back", "alerts_cli:unacknowledge",
            "healmon unack 4711", (IDS, NOW)),
    Command("silence", "say", "mute the notices of what matches; healing goes on",
            "alerts_cli:silence", "healmon silence 'session:build-*' --for 2h", (
        arg("match", nargs="+", metavar="MATCH", completes="component",
            help="an alert's ID, a COMPONENT (* and ? are wild), or terms that must all hold:"
            " component, healer, condition, severity, id, message, each with = or !="),
        PERIOD, NOTE, NOW,
    )),
    Command("unsilence", "say", "end silences before their time", "alerts_cli:unsilence",
            "healmon unsilence 12", (
        arg("ids", nargs="+", metavar="ID", completes="silence"), NOW,
    )),
    Command("pause", "say", "maintenance: look on, do not act", "pauses_cli:pause",
            'healmon pause disk:/ --for 1h --note "moving data"', (
        arg("target", nargs="?", type=component, metavar="COMPONENT", completes="component",
            help="a component, or a pattern such as session:build-*; none: everything"),
        PERIOD, NOTE, NOW,
    )),
    Command("resume", "say", "end maintenance; says what was not done meanwhile",
            "commandline:ask", "healmon resume disk:/", (
        arg("target", nargs="?", type=component, metavar="COMPONENT", completes="component"),
        NOW,
    ), values={"verb": "resume", "prefix": ""}),
    Command("dry-run", "say", "let the running healer only plan, until off or its next start",
            "commandline:ask", "healmon dry-run on", (
        arg("target", choices=("on", "off"), metavar="on|off"),
    ), values={"verb": "dry-run", "prefix": ""}),
)  # fmt: skip

ACT = (
    _override("restart", "WORKER", "restart a worker", "restart assigner_worker"),
    _override("stop-worker", "WORKER", "stop a worker and keep it down",
              "stop-worker assigner_worker", verb="stop"),
    _override("start-worker", "WORKER", "start a worker that was stopped",
              "start-worker assigner_worker", verb="start"),
    _override("release", "WORKER", "end a quarantine", "release assigner_worker"),
    _override("unlock", "DATABASE", "free a database from its holder or leftovers",
              "unlock architect", prefix="database:"),
    Command("clean", "act", "clean file systems and budgets by their rules", "clean_cli:clean",
            "healmon clean /", (
        arg("target", nargs="?", type=component, metavar="MOUNT|RULE", completes="mount",
            help="a file system, a budget, or a rule, which goes alone; none: all that there is"),
        NOW,
    )),
    Command("restore", "act", "list what cleaning put aside, or take it back",
            "restore_cli:restore", "healmon restore   # list it", (
        arg("ids", nargs="*", metavar="ID", help="a file, or a whole run; none: list"),
        arg("--backup", action="store_true", help="from backup targets, not the trash"),
        arg("--host", metavar="NAME", help="with --backup: whose files; default: ours"),
        NOW,
    )),
    Command("clear", "act", "interrupt a session and hand its tasks back", "sessions_cli:clear",
            "healmon clear build-7 --requeue", (
        SESSION,
        Either((
            arg("--requeue", dest="then", action="store_const", const="requeue",
                help="queue its tasks again"),
            arg("--fail", dest="then", action="store_const", const="fail",
                help="let its tasks fail"),
        )),
        NOW,
    )),
    Command("answer", "act", "give a session one of the answers that its question offers",
            "sessions_cli:answer", "healmon answer build-7 1", (
        SESSION,
        arg("number", nargs="?", type=int, metavar="N", help="which; none: list them"),
        NOW,
    )),
    Command("snooze", "act", "leave a session alone for a while", "sessions_cli:snooze",
            "healmon snooze build-7 --for 2h", (SESSION, PERIOD, NOW)),
    Command("never-touch", "act", "never press a key in a session nor settle its tasks",
            "sessions_cli:touch", "healmon never-touch architect", (SESSION, NOW)),
    Command("touch", "act", "take never-touch back", "sessions_cli:touch",
            "healmon touch architect", (SESSION, NOW)),
    Command("beat", "act", "tell that a task is worked on; prints the token of this attempt",
            "beat:beat", "healmon beat 4711 --note 'half done'", (
        arg("target", metavar="TASK", help="its id, or SOURCE:ID"),
        arg("--source", metavar="NAME", help="the source of tasks that has it"),
        arg("--token", metavar="T", help="of the attempt; one taken away is refused (65)"),
        arg("--note", metavar="TEXT", default="", help="how far it is"),
    )),
)  # fmt: skip

SET_UP = (
    Command("init", "set up", "write a starter configuration from what runs on this host",
            "init_cli:init", "healmon init --print   # see it first", (
        arg("file", nargs="?", metavar="FILE", completes="file", help="default: ./healmon.toml"),
        arg("--print", action="store_true", help="print it, write nothing"),
        arg("--systemd", action="store_true", help="and a unit: the host's as root, else yours"),
    ), bare=True),
    Command("doctor", "set up", "check the ground healmon stands on, with remedies",
            "doctor_cli:doctor_report", "healmon doctor --all", (
        arg("--all", action="store_true", help="what is well, too"),
    ), bare=True),
    Command("import", "set up", "read an earlier monitor's history into the health store",
            "import_cli:import_history", "healmon import data/architect.db --zone=-08:00", (
        arg("file", nargs="?", metavar="FILE", completes="file",
            help="its database; left as it is"),
        arg("--zone", metavar="Z",
            help="of its local times, as in --zone=-08:00; default: this host's"),
        arg("--remove", action="store_true", help="remove what was ever imported"),
    )),
    Command("check", "set up", "validate the configuration and print it as understood",
            "commandline:check", "healmon check --config ./healmon.toml", bare=True),
    Command("notify", "set up", "tell how the channels of notices are, or try them",
            "notify_cli:notify", "healmon notify --test", (
        arg("--test", nargs="?", const="", metavar="CHANNEL", completes="channel",
            help="send a test notice; default: to all"),
    )),
    Command("backup", "set up", "copy the health store, whole and checked, also while in use",
            "backup_cli:backup", "healmon backup /var/backups", (
        arg("file", nargs="?", metavar="FILE", completes="file",
            help="a new file, or a directory (default: this one)"),
    )),
    Command("completion", "set up", "print the completion of a shell, to be read at its start",
            "completion_cli:completion", 'eval "$(healmon completion bash)"', (
        arg("shell", metavar="SHELL", choices=("bash", "zsh", "fish"), help="bash, zsh or fish"),
        arg("words", nargs="*", metavar="WORD",
            help="a line so far, after --: print what may come next"),
    ), bare=True),
    Command("help", "set up", "show the help of a command", "parsers:help_asked",
            "healmon help restart", (
        arg("command", nargs="?", default="", metavar="COMMAND", completes="command"),
    ), bare=True),
)  # fmt: skip

COMMANDS: dict[str, Command] = {
    one.name: one for table in (RUN, LOOK, SAY, ACT, SET_UP) for one in table
}
