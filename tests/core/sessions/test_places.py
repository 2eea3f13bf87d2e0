"""Which session works on which task, and which pane of it is judged."""

from __future__ import annotations

from healmon.sessions import places
from healmon.sessions.family import Family
from healmon.world.pane import Pane
from healmon.world.taskdb import Task


def pane(name: str, number: int, socket: str = "s", **more: object) -> Pane:
    facts = {
        "server_pid": 7, "server_start": 1, "session_id": f"${number}", "session_created": 1,
        "id": f"%{number}", "pid": number, "session": name, "tty": f"/dev/pts/{socket}{number}",
        "command": "bash",
    }  # fmt: skip
    return Pane(**(facts | {"name": name, "socket": socket} | more))


def task(session: str) -> Task:
    return Task("db", 1, session, "assigned")


def where(panes: list[Pane], session: str) -> tuple[set[tuple[str, str]], bool]:
    """The places that get a task, and whether it is missing."""
    sockets: dict[str, list[Pane]] = {}
    for one in panes:
        sockets.setdefault(one.socket, []).append(one)
    spread = places.spread(sockets, [task(session)])
    return set(spread.working), session in spread.missing


OUTER = pane("outer", 1, command="tmux")
INNER = pane("inner", 5, "t", viewers=(OUTER.tty,))


def test_a_session_that_shows_another_gives_its_tasks_to_that_one() -> None:
    assert where([OUTER, INNER], "outer") == ({("t", "$5")}, False)
    assert where([OUTER, INNER], "inner") == ({("t", "$5")}, False)
    groups = places.spread({"s": [OUTER], "t": [INNER]}, []).groups
    assert groups["t", "$5"][0].aliases == ("outer",), "protecting the outer one protects it"


def test_it_is_followed_to_the_innermost_and_never_in_circles() -> None:
    middle = pane("middle", 5, "t", command="tmux", viewers=(OUTER.tty,))
    inmost = pane("inmost", 9, "u", viewers=(middle.tty,))
    assert where([OUTER, middle, inmost], "outer") == ({("u", "$9")}, False)
    circle = pane("outer", 1, command="tmux", viewers=(middle.tty,))
    assert where([circle, middle], "outer") == ({("s", "$1")}, False)


def test_what_cannot_be_told_for_sure_is_not_followed() -> None:
    unwatched = where([OUTER, pane("inner", 5, "t")], "outer")
    assert unwatched == ({("s", "$1")}, False)
    no_tmux = pane("outer", 1, command="vim")
    assert where([no_tmux, INNER], "outer") == ({("s", "$1")}, False)
    split = [OUTER, pane("outer", 1, id="%2")]
    assert where([*split, INNER], "outer") == ({("s", "$1")}, False)
    two = [OUTER, pane("twin", 3, command="tmux", tty=OUTER.tty)]
    assert where([*two, INNER], "outer") == ({("s", "$1")}, False)
    twice = [INNER, pane("inner2", 6, "t", viewers=(OUTER.tty,))]
    assert where([OUTER, *twice], "outer") == ({("s", "$1")}, False)


def test_names_are_as_tmux_writes_them_and_the_unknown_are_missing() -> None:
    assert where([pane("a_b_c", 1)], "a.b:c") == ({("s", "$1")}, False)
    assert where([pane("a", 1)], "A") == (set(), True)
    assert where([pane("a", 1), pane("a", 2, "t")], "a") == ({("s", "$1"), ("t", "$2")}, False)


def test_who_is_missing_goes_by_the_name_that_tmux_gave() -> None:
    gone = places.spread({"s": [pane("a", 1)]}, [task("b.1"), task("b:1"), task("c")]).missing
    assert {name: len(tasks) for name, tasks in gone.items()} == {"b_1": 2, "c": 1}


def test_only_panes_of_sessions_with_tasks_are_watched() -> None:
    spread = places.spread({"s": [pane("a", 1), pane("b", 2), pane("a", 1, id="%7")]}, [task("a")])
    assert spread.watched("s") == {"%1", "%7"}
    assert spread.watched("t") == set()


def test_the_agent_of_a_split_window_is_judged() -> None:
    tail = (pane("a", 1), None, Family())
    agent = (pane("a", 1, id="%2"), None, Family(agent="codex"))
    prompt = (pane("a", 1, id="%3"), None, Family(prompt=True))
    assert places.chosen([tail, agent]) == (agent, True)
    assert places.chosen([tail, prompt]) == (tail, True)
    assert places.chosen([prompt]) == (prompt, True)
    assert places.chosen([tail, tail])[1] is False
    assert places.chosen([agent, agent])[1] is False


def test_a_dead_pane_is_judged_only_when_all_are() -> None:
    dead = (pane("a", 1, dead=True), None, None)
    alive = (pane("a", 1, id="%2"), None, Family(prompt=True))
    assert places.chosen([dead, alive]) == (alive, True)
    assert places.chosen([dead]) == (dead, True)
