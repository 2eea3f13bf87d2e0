"""Everything that can be typed in the palette at one moment: pure.

Verbs and arguments are those of the `healmon` command line, and go the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from healmon import alerts, wording
from healmon.errors import HealmonError
from healmon.plans import Packed
from healmon.state import FOREVER, ComponentView, Snapshot, open_alerts
from healmon.units import parse_duration
from healmon_tui import keymap, session
from healmon_tui.commands import Ask, Command, Go, Look, Mode, Offer, Press, Run
from healmon_tui.facts import Facts
from healmon_tui.keywords import Given
from healmon_tui.rows.scene import short
from healmon_tui.session_requests import answer_of
from healmon_tui.viewmodel import PANELS, TITLE, PanelId, PanelView

_CLAUSE: Final = re.compile(r"[;:(]")
TIMES: Final = ("15m", "1h", "4h", "1d")
"""Durations that are offered; any other can be typed."""
PLANS: Final[dict[str, tuple[str, str, str]]] = {
    "restart": ("workers", "restart", "restart a worker"),
    "stop-worker": ("workers", "stop", "stop a worker and keep it down"),
    "start-worker": ("workers", "start", "start a worker that was stopped"),
    "release": ("workers", "release", "end a quarantine"),
    "clear": ("sessions", "clear", "interrupt a session and hand its tasks back"),
    "unlock": ("databases", "unlock", "free a database from its holder or leftovers"),
    "clean": ("disks", "clean", "clean a file system or budget by its rules"),
}
"""Words that open a plan: of which healer's components, the verb, what it is."""
HEADS: Final = {
    "answer": "answer the question of a session", "restore": "take back what cleaning put aside",
    "ack": "acknowledge an alert: I know", "unack": "take an acknowledgement back",
    "silence": "mute the notices of what matches", "unsilence": "end a silence",
    "pause": "maintenance: look on, do not act", "resume": "end maintenance",
    "snooze": "leave a component alone for a while",
    "never-touch": "keep healmon's hands off", "touch": "touch it again",
    "dry-run": "the healer only plans", "go": "to a panel or a row", "theme": "another look",
}  # fmt: skip


class Here(NamedTuple):
    """What the catalogue is made from.

    Attributes:
        known: the newest snapshot.
        now: wall seconds.
        panels: in the order they are shown: worst first.
        selected: the component under the cursor; its commands come first.
        hands_off: why nothing can be asked of the healer; empty: it can.
        themes: names of the looks.
        demo: the demo's faults are there.
        given: keys of the person's own.
    """

    known: Snapshot
    now: float
    panels: Mapping[PanelId, PanelView]
    selected: str
    hands_off: str
    themes: tuple[str, ...]
    demo: bool = False
    given: Given = MappingProxyType({})


def catalog(here: Here) -> list[Command]:
    """Return all commands: first the verbs alone, then with what they can be about."""
    views = _ordered(here)
    said = [
        *_heads(here), *_plans(here, views), *_answers(here, views), *_alerts(here),
        *_silences(here), *_pauses(here, views), *_modes(here), *_going(here, views),
        *_keys(here),
    ]  # fmt: skip
    seen: dict[str, Command] = {}
    for command in said:
        seen.setdefault(command.words, command)
    return list(seen.values())


def _ordered(here: Here) -> list[ComponentView]:
    """Return the components as the panels show them, the selected one first."""
    known = here.known.components
    names = [row.component for view in here.panels.values() for row in view.rows]
    wanted = dict.fromkeys((here.selected, *names, *known))
    return [known[name] for name in wanted if name in known]


def _heads(here: Here) -> Iterator[Command]:
    for verb, (_, _, text) in PLANS.items():
        yield Command(f"{verb} ", text, why_not=here.hands_off)
    for verb, text in HEADS.items():
        act = verb not in ("go", "theme")
        more = _FREE.get(verb)
        yield Command(
            f"{verb} ", text, why_not=here.hands_off if act else "",
            more=None if more is None else _free(more, here),
        )  # fmt: skip
    yield Command("check", "look at everything now", Press("check"), why_not=here.hands_off)
    read = Ask("reload", "", {})
    yield Command("reload", "read the configuration again", read, why_not=here.hands_off)


def _plans(here: Here, views: Iterable[ComponentView]) -> Iterator[Command]:
    listed = list(views)
    for word, (healer, verb, _) in PLANS.items():
        for view in (one for one in listed if one.healer == healer):
            steps = ("--requeue", "--fail") if word == "clear" else ()
            more = _then(view.name) if steps else None
            run = Offer(verb, view.name, {})
            name = f"{word} {short(view.name)}"
            yield Command(name, _state(view), run, here.hands_off, steps, more)


def _then(component: str) -> Callable[[str], Run | None]:
    def more(word: str) -> Run | None:
        if word not in ("--requeue", "--fail"):
            return None
        return Offer("clear", component, {"then": word.removeprefix("--")})

    return more


def _answers(here: Here, views: Iterable[ComponentView]) -> Iterator[Command]:
    for view in (one for one in views if one.healer == "sessions"):
        facts = Facts(view.facts)
        for place, text in enumerate(session.choices(facts)):
            run = Offer("answer", view.name, answer_of(facts, place))
            yield Command(f"answer {short(view.name)} {place + 1}", text, run, here.hands_off)


def _alerts(here: Here) -> Iterator[Command]:
    for alert in open_alerts(here.known):
        name, about = str(alert.id), f"{short(alert.component)}: {alert.message}"
        if alert.acknowledged_at is None:
            run = Ask("acknowledge", name, {}, (("unacknowledge", name),))
            words = f"ack {name} {short(alert.component)}"
        else:
            run = Ask("unacknowledge", name, {})
            words = f"unack {name} {short(alert.component)}"
        yield Command(words, about, run, here.hands_off)


def _silences(here: Here) -> Iterator[Command]:
    for silence in here.known.silences.values():
        if silence.until > here.now:
            run = Ask("unsilence", str(silence.id), {})
            said = wording.silence(silence, here.now)
            yield Command(f"unsilence {silence.id} {silence.match}", said, run, here.hands_off)


def _pauses(here: Here, views: Iterable[ComponentView]) -> Iterator[Command]:
    for name, until in here.known.maintenance.items():
        if until > here.now:
            verb = "touch" if until >= FOREVER else "resume"
            said = wording.pause(here.known, name, here.now)
            yield Command(f"{verb} {name}", said, Ask(verb, name, {}), here.hands_off)
    off = here.hands_off
    yield Command("pause *", "everything", None, off, TIMES, _free(_pause, here, "*"))
    for view in views:
        name, state = view.name, _state(view)
        yield Command(f"pause {name}", state, None, off, TIMES, _free(_pause, here, name))
        yield Command(f"snooze {name}", state, None, off, TIMES, _free(_snooze, here, name))
        match = f"component={name}"
        yield Command(f"silence {name}", state, None, off, TIMES, _free(_silence, here, match))
        if view.healer == "sessions":
            never = Ask("never-touch", name, {}, (("touch", name),))
            yield Command(f"never-touch {name}", state, never, off)


def _modes(here: Here) -> Iterator[Command]:
    on = here.known.engine.dry_run
    yield Command("dry-run on", "on already" if on else "only plans", Mode(on=True), here.hands_off)
    yield Command("dry-run off", "acts" if on else "off already", Mode(on=False), here.hands_off)
    for name in here.themes:
        yield Command(f"theme {name}", "", Look(name))


def _going(here: Here, views: Iterable[ComponentView]) -> Iterator[Command]:
    for panel, view in here.panels.items():
        yield Command(f"go {TITLE[view.id].lower()}", f"{view.number}", Go(panel))
    for one in views:
        for panel in PANELS:
            if panel == one.healer:
                yield Command(f"go {one.name}", _state(one), Go(panel, one.name))


def _keys(here: Here) -> Iterator[Command]:
    """Return what the keys do, in the words of the help."""
    for action in keymap.with_keys(here.given):
        if action.id in ("find.command", "app.first") or (action.group == "demo" and not here.demo):
            continue
        off = here.hands_off if action.tier is not None else ""
        hint = " ".join(keymap.key_name(key) for key in action.keys)
        words = _CLAUSE.split(action.text, maxsplit=1)[0].strip()
        yield Command(words, hint, Press(action.action), off)


def _state(view: ComponentView) -> str:
    return Facts(view.facts).text("state", "verdict").replace("_", " ") or view.status


# with a word that is typed

_Made = Callable[[Here, str, str], Run | None]


def _free(make: _Made, here: Here, target: str = "") -> Callable[[str], Run | None]:
    def more(word: str) -> Run | None:
        before, _, last = word.rpartition(" ")
        about = target or before or last
        return make(here, about.strip(), last) if not target or not before else None

    return more


def _seconds(text: str) -> Packed | None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return None
    return {"for": seconds} if seconds > 0 and not text.isdecimal() else None


def _pause(here: Here, name: str, time: str) -> Run | None:
    lasting = _seconds(time)
    if lasting is None or not alerts.covered(here.known, name):
        return None
    return Ask("pause", name, lasting, (("resume", name),))


def _snooze(here: Here, name: str, time: str) -> Run | None:
    lasting = _seconds(time)
    if lasting is None or name not in here.known.components:
        return None
    return Ask("snooze", name, lasting, (("resume", name),))


def _silence(here: Here, match: str, time: str) -> Run | None:
    lasting = _seconds(time)
    try:
        wanted = str(alerts.parse(match))
    except HealmonError:
        return None
    if lasting is None or alerts.unknown_ids(here.known, alerts.parse(match)):
        return None
    return Ask("silence", wanted, lasting, (("unsilence", wanted),))


def _restore(here: Here, name: str, last: str) -> Run | None:
    disk = next((v.name for v in here.known.components.values() if v.healer == "disks"), "")
    return (
        Offer("restore", disk, {"id": name}) if disk and name == last and name.isalnum() else None
    )


_FREE: Final[dict[str, _Made]] = {"pause": _pause, "silence": _silence, "restore": _restore}
"""Verbs that take what nobody can list."""
