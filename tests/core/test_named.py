from __future__ import annotations

import copy
import pickle
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from healmon.named import NamedTuple


class Point(NamedTuple):
    """A place."""

    x: int
    y: int = 2

    @property
    def sum(self) -> int:
        return self.x + self.y

    def __str__(self) -> str:
        return f"{self.x}/{self.y}"


class Same(typing.NamedTuple):
    """A place."""

    x: int
    y: int = 2


def test_it_is_what_typing_makes():
    made, same = Point(1), Same(1)

    assert (made, made._asdict(), made._fields) == (same, same._asdict(), same._fields)
    assert repr(made) == repr(same).replace("Same", "Point")
    assert Point.__annotations__ == {"x": "int", "y": "int"}
    assert (Point.__doc__, Point.__module__, Point.__qualname__) == ("A place.", __name__, "Point")
    assert not hasattr(made, "__dict__")


def test_it_has_methods_and_defaults():
    made = Point(x=3)

    assert (made.sum, str(made), made._replace(y=5)) == (5, "3/2", (3, 5))
    with pytest.raises(TypeError):
        Point()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


def test_it_can_be_copied_and_pickled():
    made = Point(1, 4)

    assert copy.deepcopy(made) == made
    assert type(pickle.loads(pickle.dumps(made))) is Point


def test_a_status_is_told_without_loading_typing(tmp_path: Path):
    words = ["status", "--json", "--state-dir", str(tmp_path)]
    told = (
        "import sys\nfrom healmon.cli import main\n"
        f"main({words!r})\n"
        "print({'typing', 'argparse', 'dataclasses', 'asyncio'} & {*sys.modules})"
    )

    run = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)

    assert run.stdout.splitlines()[-1] == "set()"
