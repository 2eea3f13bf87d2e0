"""The suite's order fits how xdist deals tests out: what lasts long is begun first, by all."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from xdist.scheduler import WorkStealingScheduling

from tests.helpers.order import dealt
from tests.helpers.sidebyside import shares


class Config:
    """What the scheduler asks of pytest's."""

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def getvalue(self, _name: str) -> list[str]:
        return ["popen"] * self.workers


class Node:
    """A worker that notes what it is given and finishes nothing."""

    shutting_down = False
    gateway = SimpleNamespace(id="gw")

    def __init__(self) -> None:
        self.given: list[int] = []

    def send_runtest_some(self, numbers: list[int]) -> None:
        self.given += numbers

    def shutdown(self) -> None: ...


def given(tests: list[str], workers: int) -> list[list[str]]:
    """Return what xdist gives to each worker at first."""
    scheduler = WorkStealingScheduling(Config(workers))
    nodes = [Node() for _ in range(workers)]
    for node in nodes:
        scheduler.add_node(node)
    for node in nodes:
        scheduler.add_node_collection(node, tests)
    scheduler.schedule()
    return [[tests[number] for number in node.given] for node in nodes]


@pytest.mark.parametrize(("count", "workers"), [(7600, 8), (7600, 6), (101, 8), (40, 3)])
def test_every_second_worker_begins_with_its_share_of_the_long_ones(
    count: int, workers: int
) -> None:
    tests = [f"t{number}" for number in range(count)]
    long = dict(zip(tests[count // 2 :: 3], range(10, 80, 10), strict=False))
    order = dealt(tests, [long.get(test, 0.0) for test in tests], workers)
    assert sorted(order) == sorted(tests)
    assert [t for t in order if t not in long] == [t for t in tests if t not in long]
    sums: list[float] = []
    for number, share in enumerate(given(order, workers)):
        head = [test for test in share if test in long]
        assert share[: len(head)] == head, "they come first"
        assert [long[t] for t in head] == sorted((long[t] for t in head), reverse=True)
        if number % 2:
            assert not head, "somebody has work for the processors"
        else:
            sums.append(sum(long[test] for test in head))
    assert sum(sums) == sum(long.values())
    assert max(sums) - min(sums) <= max(long.values()), "none has much more than another"


def test_where_there_is_room_for_nothing_else_all_of_them_take_long_ones() -> None:
    tests = [f"t{number}" for number in range(9)]
    shares = given(dealt(tests, [9.0] * 9, 4), 4)
    assert sorted(test for share in shares for test in share) == tests


def test_where_nothing_is_long_the_order_stays() -> None:
    tests = [f"t{number}" for number in range(50)]
    assert dealt(tests, [0.0] * 50, 4) == tests


@pytest.mark.parametrize("number", [1, 3, 10, 400])
def test_each_file_of_the_fast_tier_is_in_one_share(number: int) -> None:
    files = list(Path(__file__).parents[1].rglob("test_*.py"))
    made = shares(files, number)
    assert len(made) == number
    assert sorted(file for share in made for file in share) == sorted(files)
    most = max(sum(file.stat().st_size for file in share) for share in made)
    largest = max(file.stat().st_size for file in files)
    assert most <= sum(file.stat().st_size for file in files) / number + largest
