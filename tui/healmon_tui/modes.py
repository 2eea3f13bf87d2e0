"""The healer's dry run, switched from the screen: on at once, off after a yes."""

from __future__ import annotations

from collections.abc import Mapping

from healmon.plans import Packed
from healmon.state import Snapshot
from healmon_tui import glyphs
from healmon_tui.inbox import InboxRequests
from healmon_tui.offers import Asking
from healmon_tui.paint import Line, Span, cut
from healmon_tui.screens.ask import AskSheet, Told, Words

MOST = 10


def switch_dry_run(app: Asking, inbox: InboxRequests, *, on: bool | None = None) -> None:
    """Switch the dry run; None: to what it is not. Acting again is asked for first."""
    wanted = not app.snapshot.engine.dry_run if on is None else on
    if wanted:
        inbox.at_once([("dry-run", "on", {})], [(("dry-run", "off"),)], "switched")
        return

    def tell(words: Mapping[str, str], cells: int) -> Told:
        del words
        return Told(_waiting(app.snapshot, cells))

    def answered(words: Words | None) -> None:
        if words is not None:
            inbox.at_once([("dry-run", "off", Packed())], (), "switched")

    app.open_sheet(AskSheet("dry run: it only plans", "act again", (), tell), answered)


def _waiting(known: Snapshot, cells: int) -> list[Line]:
    """Return what is refused for the dry run only, and would be done without it."""
    held = {name: one for name, one in known.refusals.items() if one.reason == "dry run"}
    if not held:
        return [Line((Span("Nothing waits to be done.", "text"),))]
    lines = [Line((Span("Acts again, and would begin with:", "text"),))]
    for name, one in list(held.items())[:MOST]:
        said = cut(f"  {glyphs.DOT} {one.action} {name}", cells)
        lines.append(Line((Span(said, "text"),)))
    more = len(held) - MOST
    return [*lines, Line((Span(f"  and {more} more", "dim"),))] if more > 0 else lines
