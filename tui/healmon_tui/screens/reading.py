"""The keys of everything that is read: scroll, back, quit. They follow those of the overview."""

from __future__ import annotations

from textual.binding import Binding


def reading(page: int | str) -> list[Binding]:
    """Return bindings of `close`, of `scroll`, and of the end.

    A page has so many lines, or is turned by an action of this name.

    Their ids are those of the overview's actions, so that a person's own keys hold here, too.
    """
    down, up = (
        (f"scroll({page})", f"scroll(-{page})")
        if isinstance(page, int)
        else (f"{page}(1)", f"{page}(-1)")
    )
    return [
        Binding("escape", "close", show=False, id="view.back"),
        Binding("q", "close", show=False, id="app.quit"),
        Binding("j,down", "scroll(1)", show=False, id="move.down"),
        Binding("k,up", "scroll(-1)", show=False, id="move.up"),
        Binding("ctrl+d,pagedown", down, show=False, id="move.half_down"),
        Binding("ctrl+u,pageup", up, show=False, id="move.half_up"),
        Binding("space", down, show=False),
        Binding("ctrl+q", "app.quit", show=False, priority=True, id="app.end"),
    ]
