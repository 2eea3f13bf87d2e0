"""The keys of everything that is read: scroll, back, quit. They follow those of the overview."""

from __future__ import annotations

from textual.binding import Binding


def reading(page: int) -> list[Binding]:
    """Return bindings of `close`, of `scroll`, and of the end; a page has so many lines.

    Their ids are those of the overview's actions, so that a person's own keys hold here, too.
    """
    return [
        Binding("escape", "close", show=False, id="view.back"),
        Binding("q", "close", show=False, id="app.quit"),
        Binding("j,down", "scroll(1)", show=False, id="move.down"),
        Binding("k,up", "scroll(-1)", show=False, id="move.up"),
        Binding("ctrl+d,pagedown", f"scroll({page})", show=False, id="move.half_down"),
        Binding("ctrl+u,pageup", f"scroll(-{page})", show=False, id="move.half_up"),
        Binding("space", f"scroll({page})", show=False),
        Binding("ctrl+q", "app.quit", show=False, priority=True, id="app.end"),
    ]
