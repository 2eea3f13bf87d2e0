"""Every action once: id, keys, tier, help. Bindings, footer, help screen and docs come from here.

`python -m healmon_tui.keymap` prints `docs/keys.md`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace
from textual.binding import Binding, BindingType

from healmon_tui.keywords import Given, textual
from healmon_tui.keywords import key_name as key_name  # noqa: PLC0414 - known by this name
from healmon_tui.viewmodel import PanelId

Group: TypeAlias = Literal[
    "act", "session", "alert", "find", "move", "view", "history", "app", "demo", "sheet"
]
GROUPS: Final[dict[Group, str]] = {
    "act": "Heal by hand (each shows its plan first)",
    "session": "Sessions",
    "alert": "Alerts and maintenance (the marked rows, or the one under the cursor)",
    "find": "Find",
    "move": "Move",
    "view": "View",
    "history": "Time travel (the same screen over what was stored; acts are off)",
    "app": "healmon",
    "demo": "Demo",
    "sheet": "Where something is asked (a digit picks the line that it stands before)",
}


PANELS_LINE: Final = "go to a panel; the same digit again lets it fill the screen"


class Action(Struct, frozen=True):
    """One thing a key does.

    Attributes:
        id: the stable name, for configuration and documentation.
        action: Textual's name of the method behind it, with its argument.
        keys: in Textual's names; the first is shown.
        label: the word in the footer; empty: not in the footer.
        text: the line in the help screen.
        tier: None touches nothing; 0 is undoable at once, 1 disruptive but recoverable.
        panel: the panel it belongs to; its footer shows the action first.
    """

    id: str
    action: str
    keys: tuple[str, ...]
    group: Group
    text: str
    label: str = ""
    tier: Literal[0, 1] | None = None
    panel: PanelId | None = None


ACTIONS: Final[tuple[Action, ...]] = (
    Action("app.help", "help", ("question_mark",), "app", "this help", label="help"),
    Action(
        "worker.restart", "act('restart')", ("r",), "act", "restart the selected worker",
        label="restart", tier=1, panel="workers",
    ),
    Action(
        "session.clear", "act('clear')", ("x",), "act",
        "interrupt the selected stuck session; its task is failed or queued again",
        label="clear", tier=1, panel="sessions",
    ),
    Action(
        "session.answer", "session('answer')", ("i",), "act",
        "answer the selected session's question, with one of the answers that it offers",
        label="answer", tier=1, panel="sessions",
    ),
    Action(
        "session.jump", "session('jump')", ("o",), "session",
        "go to the selected session's pane (same tmux: switch; else attach, detach to come back)",
        label="go there", tier=0,
    ),
    Action(
        "session.touch", "session('touch')", ("T",), "session",
        "never touch the selected session; once more: touch it again", label="never touch", tier=0,
    ),
    Action(
        "session.replay", "session('replay')", ("b",), "session",
        "the newest act on the selected session again: its screen before and after",
        label="replay",
    ),
    Action(
        "disk.clean", "act('clean')", ("c",), "act", "clean the selected disk by its rules",
        label="clean", tier=1, panel="disks",
    ),
    Action(
        "lock.clear", "act('unlock')", ("u",), "act", "release the selected database's stale lock",
        label="unlock", tier=1, panel="databases",
    ),
    Action("row.mark", "mark", ("space",), "alert", "mark the row; once more: no longer"),
    Action(
        "alert.ack", "inbox('acknowledge')", ("a",), "alert",
        "acknowledge: I know; healing goes on", label="ack", tier=0, panel="alerts",
    ),
    Action(
        "alert.note", "inbox('note')", ("A",), "alert",
        "acknowledge with a note and an end; what is acknowledged: open it again", tier=0,
    ),
    Action(
        "alert.silence", "inbox('silence')", ("s",), "alert",
        "silence: do not tell me; healing goes on; shows what it matches first",
        label="silence", tier=0,
    ),
    Action(
        "alert.lift", "inbox('lift')", ("S",), "alert",
        "the silences and pauses in force; end one of them", tier=0,
    ),
    Action(
        "alert.pause", "inbox('pause')", ("m",), "alert",
        "maintenance: do not touch; shows what it covers first; what is paused: act on it again",
        label="pause", tier=0,
    ),
    Action(
        "alert.snooze", "inbox('snooze')", ("Z",), "alert",
        "leave it alone for a while: paused, and its alerts acknowledged", label="snooze", tier=0,
    ),
    Action(
        "alert.undo", "inbox('undo')", ("z",), "alert",
        "undo: take the last acknowledgement, silence, pause or snooze back", tier=0,
    ),
    Action(
        "find.filter", "filter", ("slash",), "find",
        "filter the panel: ! at the beginning keeps the others, enter keeps it, esc clears it",
        label="filter",
    ),
    Action("find.next", "match(1)", ("n",), "find", "next match"),
    Action("find.previous", "match(-1)", ("N",), "find", "previous match"),
    Action(
        "find.command", "command", ("colon", "ctrl+p"), "find",
        "type what to do, where to go, what to change; tab completes", label="cmd",
    ),
    Action("move.down", "move(1)", ("j", "down"), "move", "one row down"),
    Action("move.up", "move(-1)", ("k", "up"), "move", "one row up"),
    Action("move.half_down", "page(1)", ("ctrl+d", "pagedown"), "move", "half a panel down"),
    Action("move.half_up", "page(-1)", ("ctrl+u", "pageup"), "move", "half a panel up"),
    Action("move.first", "edge(-1)", ("g", "home"), "move", "first row"),
    Action("move.last", "edge(1)", ("G", "end"), "move", "last row"),
    Action("panel.next", "panel_next(1)", ("tab",), "move", "next panel"),
    Action("panel.previous", "panel_next(-1)", ("shift+tab",), "move", "previous panel"),
    Action(
        "panel.1", "panel('workers')", ("1",), "move", "workers; the same digit again: full screen"
    ),
    Action("panel.2", "panel('sessions')", ("2",), "move", "sessions"),
    Action("panel.3", "panel('disks')", ("3",), "move", "disk"),
    Action("panel.4", "panel('databases')", ("4",), "move", "locks"),
    Action("panel.5", "panel('alerts')", ("5",), "move", "alerts"),
    Action(
        "view.detail", "detail", ("enter",), "view", "all about the selected row", label="detail"
    ),
    Action(
        "view.explain", "explain", ("e",), "view",
        "why the selected row is as it is: what `healmon explain` says of it; of a session, its"
        " rules, tried on its screen right now", label="why",
    ),
    Action(
        "view.journal", "journal", ("J",), "view",
        "the journal: every command, key, signal and deletion that healmon ran, with its proof",
        label="journal",
    ),
    Action(
        "view.plots", "plots", ("P",), "view",
        "plots of the last hour to 30 days: how full disks were, restarts, heal times, stuck"
        " sessions, open alerts", label="plots",
    ),
    Action(
        "view.back", "back", ("escape",), "view",
        "one step back: no marks, no filter, a smaller panel",
    ),
    Action(
        "view.bigger", "bigger", ("plus",), "view",
        "a larger panel: half the screen, then all of it", label="larger",
    ),
    Action("view.smaller", "smaller", ("underscore", "minus"), "view", "a smaller panel again"),
    Action(
        "view.copy", "copy", ("y",), "view",
        "copy the row, or the marked ones, to the clipboard (OSC 52)", label="copy",
    ),
    Action("view.context", "context", ("v",), "view", "context column or strip on and off"),
    Action(
        "view.freeze", "freeze", ("p",), "view",
        "freeze this view (healing goes on); once more: live", label="freeze",
    ),
    Action(
        "history.back", "history('back')", ("left_square_bracket",), "history",
        "back to the moment before, at which something changed", label="back",
    ),
    Action(
        "history.forward", "history('forward')", ("right_square_bracket",), "history",
        "on to the next moment", label="forward",
    ),
    Action(
        "history.incident_back", "history('incident_back')", ("left_curly_bracket",), "history",
        "back to the first bad look of the incident before", label="incident",
    ),
    Action(
        "history.incident_forward", "history('incident_forward')", ("right_curly_bracket",),
        "history", "on to the first bad look of the next incident", label="next",
    ),
    Action("history.live", "history('live')", ("L",), "history", "return to now", label="live"),
    Action(
        "history.list", "history('list')", ("6",), "history",
        "list of incidents, and of starts and ends of healmon; enter goes there", label="list",
    ),
    Action(
        "view.theme", "theme", ("t",), "view",
        "next theme: dark, light, the terminal's own, safe for every eye, yours",
    ),
    Action(
        "engine.check", "check", ("ctrl+r",), "app", "check everything now (only looks)",
        label="check", tier=0,
    ),
    Action(
        "mode.dryrun", "dry_run", ("D",), "app",
        "dry run on and off, for the whole healer: it only plans", label="dry run", tier=1,
    ),
    Action("demo.fault", "faults", ("F",), "demo", "make a fault happen", label="fault"),
    Action(
        "app.first", "first", ("I",), "app",
        "without a configuration: what is seen here, and a starter configuration", label="begin",
    ),
    Action("app.quit", "leave", ("q",), "app", "back; at the overview: quit", label="quit"),
    Action("app.end", "app.quit", ("ctrl+q",), "app", "quit from anywhere"),
)  # fmt: skip

SHEETS: Final[tuple[Action, ...]] = (
    Action("sheet.yes", "yes", ("y",), "sheet", "yes: do it; of several plans, all of them"),
    Action("sheet.no", "close", ("n",), "sheet", "no, which is what `esc` and `enter` say, too"),
    Action("sheet.each", "each", ("o",), "sheet", "of several plans, one by one (`tab`, too)"),
    Action("sheet.copy", "copy", ("Y",), "sheet", "copy the plan to the clipboard (OSC 52)"),
)
"""The answers to what is asked: these keys mean other things on the screen below."""

_NONE: Final[Given] = {}


def bindings() -> list[BindingType]:
    """Return the bindings of the overview; several keys of one action share its id."""
    return [
        Binding(",".join(a.keys), a.action, a.text, show=False, id=a.id, priority=a.id == "app.end")
        for a in ACTIONS
    ]


def answers(*more: tuple[str, str]) -> list[BindingType]:
    """Return the bindings of a sheet for these (id, Textual's action) of `SHEETS`."""
    keys = {a.id: ",".join(a.keys) for a in SHEETS}
    return [Binding(keys[name], action, show=False, id=name) for name, action in more]


def with_keys(given: Given, known: Iterable[Action] = ACTIONS) -> tuple[Action, ...]:
    """Return all actions with the keys that were given to them."""
    return tuple(
        replace(a, keys=tuple(map(textual, given[a.id]))) if a.id in given else a for a in known
    )


def actions(*, read_only: bool = False, demo: bool = False, given: Given = _NONE) -> list[Action]:
    """Return the actions that can be used here, with their keys; those without one are left out."""
    return [
        a
        for a in with_keys(given)
        if a.keys and (demo or a.group != "demo") and not (read_only and a.tier is not None)
    ]


def shown(name: str, given: Given = _NONE) -> str:
    """Return the first key of an action as people write it; empty: it has none."""
    keys = next((a.keys for a in with_keys(given, (*ACTIONS, *SHEETS)) if a.id == name), ())
    return key_name(keys[0]) if keys else ""


def is_act(action: str, parameters: Sequence[object] = ()) -> bool:
    """Tell whether Textual's action of this name, so called, asks the healer to do something."""
    named = [a for a in ACTIONS if a.action.split("(", 1)[0] == action]
    called = f"{action}({', '.join(map(repr, parameters))})"
    exact = [a for a in named if a.action == called] or named
    return any(a.tier is not None for a in exact)


def footer(
    focus: PanelId, kind: str, usable: Iterable[Action], *, asks: bool = False
) -> list[tuple[str, str]]:
    """Return (key, word) pairs for the footer: help first, then what fits the selected row.

    Args:
        focus: the focused panel.
        kind: the panel of the component that the selected row is about.
        usable: the actions there are.
        asks: the selected row is a session that asks a person something.
    """
    known = {a.id: a for a in usable}
    act = next((a.id for a in known.values() if a.panel == kind and a.group == "act"), "")
    there = "session.jump" if kind == "sessions" else ""
    act = "session.answer" if asks else act
    acts = ("alert.ack", act, there) if focus == "alerts" else (act, there, "alert.ack")
    rest = (
        "find.filter", "find.command", "demo.fault", "app.first", "app.quit", "view.detail",
        "alert.silence", "alert.pause", "engine.check", "view.bigger", "view.freeze",
    )  # fmt: skip
    wanted = ("app.help", *acts, *rest)
    return [(key_name(known[i].keys[0]), known[i].label) for i in wanted if i in known]


def help_lines(
    focus: PanelId, usable: Iterable[Action], given: Given = _NONE
) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return (title, [(keys, text)]) for the help screen, the focused panel's actions first."""
    known = [*usable, *(a for a in with_keys(given, SHEETS) if a.keys)]
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for group, title in GROUPS.items():
        members = [a for a in known if a.group == group]
        members.sort(key=lambda a: a.panel != focus)
        if members:
            groups.append((title, _merged(members)))
    return groups


def _merged(members: list[Action]) -> list[tuple[str, str]]:
    """Return (keys, text) of each action, those that go to a panel in one line."""
    lines: list[tuple[str, str]] = []
    for action in members:
        keys = " ".join(map(key_name, action.keys))
        if action.keys[0].isdigit() and lines and lines[-1][0][-1].isdigit():
            first = lines.pop()
            lines.append((f"{first[0]} {keys}", PANELS_LINE))
        else:
            lines.append((keys, action.text))
    return lines


def markdown() -> str:
    """Return the key reference, `docs/keys.md`."""
    lines = [
        "# Keys",
        "",
        "Made by `python -m healmon_tui.keymap > docs/keys.md`. Nothing that touches the world",
        "sits on ctrl or a function key, and each such key opens the plan first: what, why, the",
        "exact steps, how it is proved, what happens if it fails. `y` does it; `n` and `esc` do",
        "not. A plan that destroys (tier 2) asks to type the name of what it acts on. With several",
        "rows marked, one sheet shows the plans of all: `y` does all, `o` asks one by one; of more",
        "than five the count is typed. More of it: [acting.md](acting.md).",
        "",
        "Every key can be another one, by the action's id, in `healmon.toml`; the footer, the help",
        "screen (`?`) and the sheets follow:",
        "",
        "```toml",
        "[ui.keys]",
        '"worker.restart" = "R"            # one key',
        '"move.down" = ["down", "ctrl-n"]  # several; an empty list: none',
        "```",
        "",
        "A key is the character that comes (`R`, `?`), or `space` `tab` `backspace` `delete`",
        "`insert` `up` `down` `left` `right` `home` `end` `pgup` `pgdn` `F1`, with `ctrl-`, `alt-`",
        "or `shift-` where a terminal sends that. `esc`, `enter` and `ctrl-q` always do what they",
        "do here. Nothing needs ctrl-i, ctrl-h, ctrl-m, ctrl-j, alt-enter or a function key, which",
        "terminals lose. Keys that clash, are lost or unknown are errors (`healmon check`).",
        "",
        "The answers on sheets (`sheet.…`) are apart from the rest: `y` copies a row on the screen",
        "below and says yes there; they must differ from each other and from what scrolls and",
        "closes a sheet. `space` (half a screen on), `tab` and the digits are fixed there: a digit",
        "means nothing by itself, it is the number before the line that it picks.",
        "",
    ]
    for group, title in GROUPS.items():
        lines += [f"## {title}", "", "| key | id | does | tier |", "|---|---|---|---|"]
        for a in (a for a in (*ACTIONS, *SHEETS) if a.group == group):
            keys = " ".join(f"`{key_name(key)}`" for key in a.keys)
            tier = "" if a.tier is None else str(a.tier)
            lines.append(f"| {keys} | `{a.id}` | {a.text} | {tier} |")
        lines.append("")
    lines += [
        "Tier 0 can be undone at once, 1 disrupts but recovers; a plan itself may be of tier 2.",
        "`F` exists in `--demo` only. Keys of tier 0 and above are off in a read-only screen.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(markdown())
