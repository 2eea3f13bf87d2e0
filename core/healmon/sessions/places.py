"""Which panes make up which session, and which of them is judged. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

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


class Spread(msgspec.Struct, frozen=True):
    """All sessions, and the tasks of each.

    Attributes:
        groups: the panes of each session.
        working: its tasks.
        missing: by name as tmux would have it, the tasks of sessions that do not exist.
    """

    groups: dict[Place, list[Pane]]
    working: dict[Place, list[Task]]
    missing: dict[str, tuple[Task, ...]]

    def watched(self, socket: str) -> set[str]:
        """Return the ids of the panes of a socket that may work on a task."""
        return {
            pane.id for place in self.working if place[0] == socket for pane in self.groups[place]
        }


def spread(panes: Mapping[str, Sequence[Pane]], tasks: Sequence[Task]) -> Spread:
    """Return the sessions of all sockets, and who works on which task."""
    groups = grouped(panes)
    inside = nested(groups)
    groups = followed(groups, inside)
    return Spread(groups, *shared_out(tasks, owners(groups, inside)))


def grouped(panes: Mapping[str, Sequence[Pane]]) -> dict[Place, list[Pane]]:
    """Return the panes of each session; a pane that several sessions show is in the oldest."""
    places: dict[Place, list[Pane]] = {}
    for socket, some in panes.items():
        for pane in some:
            places.setdefault((socket, pane.session_id), []).append(pane)
    return places


def nested(places: Mapping[Place, Sequence[Pane]]) -> dict[Place, Place]:
    """Return for each session that only shows another tmux the session that is shown there.

    A client's terminal is the pane's that it runs in, so it is known which session that pane
    shows, whatever the two are called. What cannot be told for sure is left out.
    """
    outer: dict[str, list[Place]] = {}
    for place, panes in places.items():
        if len(panes) == 1 and panes[0].command == "tmux" and panes[0].tty:
            outer.setdefault(panes[0].tty, []).append(place)
    found: dict[Place, set[Place]] = {}
    for place, panes in places.items():
        for viewer in {viewer for pane in panes for viewer in pane.viewers}:
            for one in outer.get(viewer, []):
                found.setdefault(one, set()).add(place)
    shows = {one: next(iter(inside)) for one, inside in found.items() if len(inside) == 1}
    doubtful = {one for some in outer.values() if len(some) > 1 for one in some}
    innermost = {one: _innermost(one, shows) for one in shows if one not in doubtful}
    return {one: inside for one, inside in innermost.items() if inside is not None}


def _innermost(place: Place, shows: Mapping[Place, Place]) -> Place | None:
    """Return where a chain of sessions within sessions ends; None: it goes in a circle."""
    passed = {place}
    while (place := shows.get(place, place)) in shows:
        if place in passed:
            return None
        passed.add(place)
    return place


def followed(
    places: Mapping[Place, list[Pane]], inside: Mapping[Place, Place]
) -> dict[Place, list[Pane]]:
    """Return the same sessions; those that are shown in another one answer to its names too."""
    if not inside:
        return dict(places)
    names: dict[Place, tuple[str, ...]] = {}
    for outer, inner in inside.items():
        names[inner] = (*names.get(inner, ()), *_names(places[outer]))
    return {
        place: [
            replace(p, aliases=tuple(dict.fromkeys((*p.aliases, *names.get(place, ())))))
            for p in panes
        ]
        for place, panes in places.items()
    }


def _names(panes: Sequence[Pane]) -> list[str]:
    return list(dict.fromkeys(name for pane in panes for name in (pane.name, *pane.aliases)))


def owners(
    places: Mapping[Place, Sequence[Pane]], inside: Mapping[Place, Place]
) -> dict[str, list[Place]]:
    """Return where each name leads: to a session, or to the one whose panes it shows too.

    Args:
        places: the sessions.
        inside: which of them only show another one (see `nested`): their tasks are worked on
            there, and keys go there.
    """
    found: dict[str, list[Place]] = {}
    for place, panes in places.items():
        found.setdefault(panes[0].name, []).append(place)
    for place, panes in places.items():
        for alias in dict.fromkeys(name for pane in panes for name in pane.aliases):
            here = found.setdefault(alias, [])
            if all(socket != place[0] for socket, _ in here):
                here.append(place)
    return {
        name: list(dict.fromkeys(inside.get(one, one) for one in here))
        for name, here in found.items()
    }


def shared_out(
    tasks: Sequence[Task], names: Mapping[str, Sequence[Place]]
) -> tuple[dict[Place, list[Task]], dict[str, tuple[Task, ...]]]:
    """Return the tasks of each session, and by tmux's name those whose session does not exist.

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
        if not where:  # by the name that it had when it was there
            missing[tmux_name] = (*missing.get(tmux_name, ()), task)
    return working, missing


def label_for(pane: Pane, taken: Collection[str]) -> str:
    """Return a session's name for its component, unlike all that are taken."""
    plain = clean(pane.name, limit=NAME_LIMIT)
    socket = clean(pane.socket.rpartition("/")[2], limit=NAME_LIMIT)
    candidates = (plain, f"{plain}@{socket}", f"{plain}@{socket}{pane.session_id}")
    return next((label for label in candidates if label not in taken), f"{plain}{pane.key}")


def labels(places: Mapping[Place, Sequence[Pane]]) -> dict[Place, str]:
    """Return the label of each session, unlike that of all others."""
    found: dict[str, Place] = {}
    for place, panes in places.items():
        found[label_for(panes[0], found.keys())] = place
    return {place: label for label, place in found.items()}


def process_of(key: str) -> tuple[int, int] | None:
    """Return pid and start of a pane's own process, by its key; None: its start is not known."""
    pid, _, ticks = key.rpartition(".")
    pid = pid.rpartition(".")[2]
    if not (pid.isdecimal() and ticks.isdecimal() and int(ticks)):
        return None
    return int(pid), int(ticks)


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
