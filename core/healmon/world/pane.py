"""A tmux pane as data."""

from __future__ import annotations

import msgspec


class Pane(msgspec.Struct, frozen=True, kw_only=True):
    """One pane as tmux tells it. Times are whole wall seconds.

    Attributes:
        socket: as it was asked for.
        id: `%5`; never given twice by one server.
        name: the session's name, for comparing; may hold anything.
        aliases: names of the other sessions that show this pane (grouped or linked).
        session: the session's name, for people.
        attached: clients that could type into it: neither in control mode nor read-only.
        client_activity: when one of them last did something, 0 without any.
        session_activity: when a client last did something in the session.
        last_attached: when a client last attached, 0 for never.
        window_activity: when a program last wrote anything into the window; tmux has one clock for
            all panes of a window.
        status: how a dead pane's program ended, in words.
        mode: it shows a mode (copy, clock, tree) that takes the keys.
        synchronized: keys go to all panes of the window.
        input_off: keys are dropped.
        command: what tmux thinks runs in it, for people.
        title: what the program set, for people.
        panes: how many panes its window is split into.
        viewers: terminals of the clients that show its session, for comparing.
    """

    socket: str
    server_pid: int
    server_start: int
    session_id: str
    session_created: int
    id: str
    pid: int
    name: str
    aliases: tuple[str, ...] = ()
    session: str
    window_index: int = 0
    pane_index: int = 0
    active: bool = True
    attached: int = 0
    client_activity: int = 0
    session_activity: int = 0
    last_attached: int = 0
    window_activity: int = 0
    dead: bool = False
    status: str = ""
    mode: bool = False
    synchronized: bool = False
    input_off: bool = False
    width: int = 0
    height: int = 0
    tty: str = ""
    command: str = ""
    title: str = ""
    panes: int = 1
    viewers: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Who this pane is, for ever; two panes with the same key are the same pane."""
        return (
            f"{self.server_pid}.{self.server_start}.{self.session_id}.{self.session_created}"
            f".{self.id}.{self.pid}"
        )
