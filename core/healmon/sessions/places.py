"""Which panes make up which session, and which of them is judged. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from healmon.sessions.family import Family
from healmon.text import clean
from healmon.world.pane import Pane
from healmon.world.taskdb import Task
from healmon.world.terminal import Terminal

Place = tuple[str, str]
"""A socket and a session id on it."""
Behind = tuple[Pane, Terminal | None, Family | None]
"""A pane, its terminal, its processes."""
NAME_LIMIT: Final = 200


def grouped(panes: Mapping[str, Sequence[Pane]]) -> dict[Place, list[Pane]]:
    """Return the panes of each session; a pane that several sessions show is in the oldest."""
    places: dict[Place, list[Pane]] = {}
    for socket, some in panes.items():
        for pane in some:
            places.setdefault((socket, pane.session_id), []).append(pane)
    return places


def owners(places: Mapping[Place, Sequence[Pane]]) -> dict[str, list[Place]]:
    """Return where each name leads: to a session, or to the one whose panes it shows too."""
    found: dict[str, list[Place]] = {}
    for place, panes in places.items():
        found.setdefault(panes[0].name, []).append(place)
    for place, panes in places.items():
        for alias in dict.fromkeys(name for pane in panes for name in pane.aliases):
            here = found.setdefault(alias, [])
            if all(socket != place[0] for socket, _ in here):
                here.append(place)
    return found


def shared_out(
    tasks: Sequence[Task], names: Mapping[str, Sequence[Place]]
) -> tuple[dict[Place, list[Task]], dict[str, tuple[Task, ...]]]:
    """Return the tasks of each session, and by name those whose session does not exist.

    A name that leads to two sockets gives its tasks to both: which one works is unknown.
    """
    working: dict[Place, list[Task]] = {}
    missing: dict[str, tuple[Task, ...]] = {}
    for task in tasks:
        # tmux turns these two characters in names into underscores
        tmux_name = task.session.replace(".", "_").replace(":", "_")
        where = names.get(task.session) or names.get(tmux_name) or ()
        for place in where:
            working.setdefault(place, []).append(task)
        if not where:
            missing[task.session] = (*missing.get(task.session, ()), task)
    return working, missing


def label_for(pane: Pane, taken: Collection[str]) -> str:
    """Return a session's name for its component, unlike all that are taken."""
    plain = clean(pane.name, limit=NAME_LIMIT)
    socket = clean(pane.socket.rpartition("/")[2], limit=NAME_LIMIT)
    candidates = (plain, f"{plain}@{socket}", f"{plain}@{socket}{pane.session_id}")
    return next((label for label in candidates if label not in taken), f"{plain}{pane.key}")


def chosen(looked: Sequence[Behind]) -> tuple[Behind, bool]:
    """Return the pane of a session that is judged, and whether it is sure to do the work.

    That is its only pane, else the only one with an agent, else the only one that is not just a
    shell's prompt; else nobody can tell, and the active one stands for all.
    """
    alive = [one for one in looked if not one[0].dead] or list(looked)
    agents = [one for one in alive if one[2] is not None and one[2].agent]
    busy = [one for one in alive if one[2] is not None and not one[2].prompt]
    for some in (alive, agents, busy):
        if len(some) == 1:
            return some[0], True
    return next((one for one in alive if one[0].active), alive[0]), False
