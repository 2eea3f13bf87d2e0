"""Who belongs to a worker, and who does not."""

from __future__ import annotations

import random

from msgspec.structs import replace

from healmon.workers.tree import Family, heir, named
from healmon.world.processes import Identity, ProcessFacts

BOOT = "boot"


def a(
    pid: int, parent: int = 1, *, session: int = 0, ticks: int | None = None, name: str = "worker",
    state: str = "S",
) -> ProcessFacts:  # fmt: skip
    return ProcessFacts(
        identity=Identity(BOOT, pid, pid if ticks is None else ticks),
        parent=parent,
        state=state,
        name=name,
        command=(name,),
        cpu_seconds=0.0,
        rss=1,
        age=1.0,
        uid=0,
        session=session or pid,
        group=session or pid,
    )


def pids(facts: tuple[ProcessFacts, ...]) -> list[int]:
    return [one.identity.pid for one in facts]


def test_a_tree_is_all_that_is_below_parents_first() -> None:
    everyone = [a(13, 11), a(12, 10), a(11, 10), a(10), a(20), a(21, 20)]
    family = Family(everyone)
    assert pids(family.below(a(10).identity)) == [11, 12, 13]
    assert pids(family.tree([a(10).identity])) == [10, 11, 12, 13]


def test_what_left_by_parent_is_found_by_the_session_its_worker_led() -> None:
    stray = a(15, 1, session=10)
    family = Family([a(10), a(11, 10, session=10), stray, a(16, 15, session=16), a(20)])
    assert pids(family.tree([a(10).identity])) == [10, 15, 11, 16]
    assert pids(family.strays(a(10).identity)) == [15, 16]


def test_a_session_outlives_its_leader() -> None:
    family = Family([a(11, 1, session=10), a(20)])
    assert pids(family.tree([a(10).identity])) == [11]


def test_a_session_of_a_recycled_pid_is_a_strangers() -> None:
    former = a(10, ticks=5).identity
    family = Family([a(10, ticks=500), a(11, 10, session=10, ticks=501)])
    assert family.tree([former]) == ()
    elder = Family([a(11, 1, session=10, ticks=3)])
    assert elder.tree([former]) == (), "it was there before its leader"


def test_a_worker_in_somebodys_terminal_does_not_own_the_terminal() -> None:
    shell, worker, editor = a(5), a(10, 5, session=5), a(12, 5, session=5)
    assert pids(Family([shell, worker, editor]).tree([worker.identity])) == [10]


def test_below_a_shim_is_everything_but_the_shim() -> None:
    shim = a(9)
    family = Family([shim, a(10, 9, session=10), a(11, 9, session=11), a(12, 11), a(20)])
    assert pids(family.tree([a(10).identity], shim.identity)) == [10, 11, 12]
    assert pids(family.tree([], shim.identity)) == [10, 11, 12]
    assert pids(family.strays(a(10).identity, shim.identity)) == [11, 12]


def test_the_daemon_of_a_shim_is_its_eldest_child() -> None:
    family = Family([a(9), a(30, 9, ticks=7), a(10, 9, ticks=8), a(40, 30, ticks=3)])
    found = heir(family, a(9).identity)
    assert found is not None
    assert found.identity.pid == 30
    assert heir(family, a(40, ticks=3).identity) is None
    assert heir(family, a(99).identity) is None


def test_a_tmux_server_that_a_worker_started_holds_other_peoples_work() -> None:
    server = a(11, 9, name="tmux: server")
    family = Family([a(9), a(10, 9), server, a(12, 11), a(13, 10, name="screen")])
    assert pids(family.tree([a(10).identity], a(9).identity)) == [10]


def test_healmon_and_what_it_lives_below_belong_to_no_worker() -> None:
    everyone = [a(10), a(11, 10), a(12, 11), a(13, 10)]
    assert pids(Family(everyone, own_pid=12).tree([a(10).identity])) == []
    assert pids(Family(everyone).tree([a(10).identity])) == [10, 11, 13, 12]


def test_the_dead_are_no_members_and_their_children_are() -> None:
    zombie = a(11, 10, state="Z")
    family = Family([a(10), zombie, a(12, 11)])
    assert pids(family.tree([a(10).identity])) == [10, 12]
    assert family.find(zombie.identity) is None
    assert Family([a(10, state="Z")]).tree([a(10).identity]) == ()


def test_another_identity_with_the_same_pid_is_nobody() -> None:
    former = replace(a(10), identity=Identity(BOOT, 10, 3)).identity
    family = Family([a(10), a(11, 10, session=11)])
    assert family.find(former) is None
    assert family.below(former) == ()


def test_a_circle_of_parents_ends() -> None:
    family = Family([a(10, 11), a(11, 10)])
    assert len(family.line(10)) <= 64


def test_processes_in_words_tell_their_state() -> None:
    assert named([a(12, state="D"), a(13)]) == "pid 12 (worker, state D), pid 13 (worker, state S)"


def test_who_is_alone_is_all_that_a_closer_look_finds() -> None:
    luck, alone = random.Random(7), 0
    for _ in range(3000):
        pids = luck.sample(range(2, 12), luck.randint(1, 5))
        everyone = [
            a(pid, luck.choice([1, *pids]), session=luck.choice([pid, *pids]),
              name=luck.choice(["worker", "worker", "tmux: server"]), state=luck.choice("SSZ"))
            for pid in pids
        ]  # fmt: skip
        family = Family(everyone, luck.choice([0, *pids]))
        main = luck.choice(everyone).identity
        shim = luck.choice([None, luck.choice(everyone).identity, Identity(BOOT, 99, 99)])
        one = family._alone([main], shim)
        alone += one is not None
        assert one is None or family._tree([main], shim) == (one,)
    assert alone > 100
