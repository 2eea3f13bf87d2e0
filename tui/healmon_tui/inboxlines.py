"""What a silence, a pause or an acknowledgement covers, as lines of a sheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from healmon import alerts, wording
from healmon.errors import HealmonError
from healmon.plans import RANK
from healmon.state import AlertView, PauseView, Snapshot
from healmon.units import format_duration, parse_duration
from healmon_tui import glyphs
from healmon_tui.paint import Line, Span, Tone, cut, wrap
from healmon_tui.rows.scene import verb
from healmon_tui.screens.ask import Told

MOST: Final = 12
"""Lines of one list; what is more is counted."""


def silence(known: Snapshot, now: float, given: Mapping[str, str], cells: int) -> Told:
    """Return which alerts a silence would mute now, and until when; or why it cannot be."""
    try:
        match = alerts.parse(given["match"])
    except HealmonError as error:
        return Told((), f"{error.args[0]}: {error.remedy}".removesuffix(": "))
    lines = of_alerts(alerts.matched(known, match), cells, "Matches")
    wrong = wrong_time(given["for"])
    if not wrong:
        until = wording.till(now + parse_duration(given["for"]), now)
        lines += _words(f"Muted till {until}; healing goes on.", cells)
    missing = ", ".join(alerts.unknown_ids(known, match))
    return Told(lines, f"no open alert {missing}" if missing else wrong)


def pause(known: Snapshot, now: float, given: Mapping[str, str], cells: int) -> Told:
    """Return which components pauses would cover now, and until when; or why they cannot be."""
    names = named(known, given["what"])
    if not names:
        return Told((), "a component, a pattern such as session:*, or * for everything")
    lines = of_components(known, names, cells)
    wrong = wrong_time(given["for"])
    if not wrong:
        until = wording.till(now + parse_duration(given["for"]), now)
        lines += _words(f"Looked at and not acted on till {until}.", cells)
        lines += _words("What would have been done is told at the end.", cells)
    unknown = [name for name in names if not alerts.covered(known, name)]
    missing = ", ".join(name for name in unknown if not {"*", "?"} & set(name))
    return Told(lines, f"no component {missing}" if missing else wrong)


def named(known: Snapshot, text: str) -> list[str]:
    """Return the components and patterns that a text names, set apart by commas."""
    if text in known.components:
        return [text]
    return [name for part in text.split(",") if (name := part.strip())]


def wrong_time(text: str, *, optional: bool = False) -> str:
    """Return why a text is no time that something may last; empty: it is."""
    if optional and not text:
        return ""
    try:
        seconds = parse_duration(text)
    except ValueError as error:
        return f"for: {error}"
    if not 0 < seconds <= alerts.SILENCED_AT_MOST:
        return f"for: at most {format_duration(alerts.SILENCED_AT_MOST)}, and more than nothing"
    return ""


def _words(text: str, cells: int) -> list[Line]:
    return [Line((Span(part, "dim"),)) for part in wrap(text, cells)]


def of_alerts(
    found: Sequence[AlertView], cells: int, verb_: str, said: Sequence[str] = ()
) -> list[Line]:
    """Return alerts, a line each, below what becomes of them; `said` stands below each."""
    lines = [Line((Span(f"{verb_} {_count(len(found), 'alert')}{':' if found else ' now'}"),))]
    for place, alert in enumerate(found[:MOST]):
        bad = RANK[alert.severity] == RANK["CRITICAL"]
        tone: Tone = "bad" if bad else "warn"
        sign = glyphs.BAD if bad else glyphs.WARN
        head = f" {alert.id} {alert.component}  "
        text = cut(alert.message, max(cells - len(head) - 2, 8))
        lines.append(Line((Span(f"{sign}", tone), Span(head, "strong"), Span(text, "text"))))
        if place < len(said):
            lines += [Line((Span("  "), Span(cut(said[place], cells - 2), "calm")))]
    return lines + _more(len(found))


def of_components(known: Snapshot, names: Sequence[str], cells: int) -> list[Line]:
    """Return the components that pauses cover, with the plans that would wait."""
    found = {view.name: view for name in names for view in alerts.covered(known, name)}
    lines = [Line((Span(f"Covers {_count(len(found), 'component')}{':' if found else ' now'}"),))]
    for view in list(found.values())[:MOST]:
        plan = known.plans.get(view.name)
        text = str(view.status)
        if plan is not None:
            word = verb(plan.plan.action)
            text += f", {word[1]} now goes on" if plan.acting else f", {word[0]} would not be done"
        head = f"{glyphs.PAUSED} {view.name}  "
        lines.append(Line((Span(head, "strong"), Span(cut(text, cells - len(head)), "text"))))
    return lines + _more(len(found))


def of_pauses(known: Snapshot, names: Sequence[str], now: float, cells: int) -> list[Line]:
    """Return pauses, and below each what was not done for it."""
    lines: list[Line] = []
    for name in names:
        text = f"{glyphs.PAUSED} {wording.pause(known, name, now)}"
        lines += [Line((Span(part, "strong"),)) for part in wrap(text, cells)]
        would = alerts.would_have(known.pauses.get(name, PauseView(0.0, "")).would)
        lines += [Line((Span("  would have: ", "dim"), Span(what))) for what in would[:MOST]]
        lines += _more(len(would))
    return lines


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _more(number: int) -> list[Line]:
    left = max(number - MOST, 0)
    return [Line((Span(f"  and {left} more", "dim"),))] if left else []
