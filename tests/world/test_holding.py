"""Files that are held before they are looked at: the same go, the same stay, and nobody waits."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from healmon.world import fileuse
from healmon.world.filedata import Choice, Limits, Selection, Swept
from healmon.world.filematch import Matcher
from healmon.world.fileuse import Users
from healmon.world.filewalk import CHUNK, Chunk, Walk, found_of
from healmon.world.holding import Grip
from healmon.world.judging import Judge
from tests.helpers.filestage import DAY, RealStage

FAR = Limits(1_000_000, 600.0)
MOMENT = 10**9
"""Nanoseconds: the moment after which nothing may have happened to a file."""


@pytest.fixture
def real(tmp_path: Path) -> Iterator[RealStage]:
    made = RealStage(tmp_path)
    made.files.make_trash(f"{made.state}/trash")
    for n in range(CHUNK + 4):
        made.write(f"a/{n}", 9 * DAY, 1)
    yield made
    made.close()


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names, really = [], os.open

    def noted(path, *args, **keys):
        names.append(path)
        return really(path, *args, **keys)

    monkeypatch.setattr(os, "open", noted)
    return names


def sweep(real: RealStage, limits: Limits = FAR, choice: Choice | None = None) -> Swept:
    selection = real.selection(patterns=("*",), exclude=("mine*",))
    chosen = choice or Choice()
    return real.files.sweep(selection, chosen, "delete", real.now, limits, lambda: False)


def test_after_files_that_all_went_others_are_judged_no_worse(real, opened):
    for name in ("gone", "held", "linked", "young", "mine", "app.db", "app.pid"):
        real.write(f"b/{name}", -9 * DAY if name == "young" else 9 * DAY, 1)
    real.link("b/linked", "elsewhere")
    os.mkfifo(f"{real.root}/b/pipe")
    real.hold("b/held", "read")
    for n in range(9):
        real.write(f"c/c{n}", -9 * DAY, 1)
    before = len(list(Path("/proc/self/fd").iterdir()))
    swept = sweep(real)
    assert (swept.taken.files, swept.kept, swept.troubles) == (CHUNK + 5, {"open": 1}, ())
    assert real.names() == {
        *(f"b/{name}" for name in ("held", "linked", "young", "mine", "app.db", "app.pid", "pipe")),
        *(f"c/c{n}" for n in range(9)),
        "elsewhere",
    }
    assert "young" in opened, "it was held, and let go"
    others = {"pipe", "mine", "app.db", "app.pid", *(f"c{n}" for n in range(9))}
    assert not others & set(opened), "of others nothing was opened, nor of those that came after"
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_one_exchanged_before_it_is_held_is_judged_by_what_it_is_then(real, monkeypatch):
    real.write("b/x", 9 * DAY, 1)
    lease = Users.lease

    def late(self, directory, name):
        if name == "x":
            real.write("fresh", -9 * DAY, 5)
            Path(real.root, "fresh").rename(f"{real.root}/b/x")
        return lease(self, directory, name)

    monkeypatch.setattr(Users, "lease", late)
    assert sweep(real).taken.files == CHUNK + 4
    assert Path(real.root, "b/x").stat().st_size == 5


def test_one_exchanged_after_it_was_held_is_put_back(real, monkeypatch):
    real.write("b/x", 9 * DAY, 1)
    rename = os.rename

    def late(name, *args, **keys):
        if name == "x":
            real.write("b/fresh", 9 * DAY, 5)
            rename(f"{real.root}/b/fresh", f"{real.root}/b/x")
        return rename(name, *args, **keys)

    monkeypatch.setattr(os, "rename", late)
    swept = sweep(real)
    assert swept.kept == {"swapped": 1}
    assert Path(real.root, "b/x").stat().st_size == 5


@pytest.mark.parametrize("how", ["slowly", "few"])
def test_where_files_go_slowly_or_few_may_go_none_is_held_in_vain(real, monkeypatch, how):
    taken, lease = [], Users.lease

    def counted(self, directory, name):
        found = lease(self, directory, name)
        taken.append(name)
        return found

    monkeypatch.setattr(Users, "lease", counted)
    real.write("b/x", 9 * DAY, 1)
    if how == "slowly":
        assert sweep(real, Limits(10**6, 60.0, 1000)).taken.files == CHUNK + 5
        assert not taken
    else:
        before = len(list(Path("/proc/self/fd").iterdir()))
        assert sweep(real, choice=Choice(most_files=CHUNK + 1)).taken.files == CHUNK + 1
        assert len(taken) == 4, "after a file that stays, others are looked at first"
        assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_name_that_is_listed_twice_is_held_once(real):
    users, directory = Users(), os.open(f"{real.root}/a", os.O_RDONLY)
    with os.scandir(directory) as entries:
        first = next(entries)
    judged = first.stat(follow_symlinks=False)
    fd, _ = users.hold(directory, first.name, judged, "")
    os.close(fd)  # from here on leases are trusted
    grip = Grip(users, directory)
    assert grip.look(first) == grip.look(first)
    fd = grip.take(first.name)
    assert fileuse.alone(fd)
    assert grip.take(first.name) == -1
    os.close(fd)
    grip.close()
    os.close(directory)


def test_where_leases_are_not_known_to_tell_nothing_is_held(real):
    with os.scandir(f"{real.root}/a") as entries:
        entry = next(entries)
    directory = os.open(f"{real.root}/a", os.O_RDONLY)
    grip = Grip(Users(), directory)
    assert stat.S_ISREG(grip.look(entry).st_mode)
    assert grip.take(entry.name) == -1
    os.close(directory)


# what is asked in one go is what is asked one by one

NAMES = (
    *("a.log", "b1", "slog", "tmux-1", "ssh-x", "app.pid", "a.lck", "A.DB", "app.db3", "x-wal"),
    *(".hidden", "a.gz", "\u017f.lo\u212a", "x.db\u017f", "mineral", "a.keep", "\udcff"),
)
FIELDS = {
    "mode": (0o100644, 0o101644, 0o010644, 0o120777), "number": (1, 7, 8), "device": (1, 2),
    "links": (1, 2), "uid": (0, 5), "modified": (MOMENT, MOMENT + 1), "changed": (0, MOMENT + 1),
    "accessed": (MOMENT - 1, MOMENT + 1),
}  # fmt: skip
"""What a file is like; the first is that of one that is due."""
RULES = (
    {}, {"exclude": ("mine*",)}, {"exclude": ("*.keep", "b?")}, {"exclude": ("in/*.log",)},
    {"exclude": ("*",)}, {"exclude": ("[ab]*1", "*l*")}, {"device": 1}, {"device": 2},
    {"owners": (0,)}, {"compress": True}, {"smaller_than": 5},
)  # fmt: skip


class Entry:
    """As os.scandir gives it."""

    def __init__(self, name: str, **fields: int) -> None:
        self.name = name
        told = {**{key: values[0] for key, values in FIELDS.items()}, **fields}
        first = [told[key] for key in ("mode", "number", "device", "links", "uid")]
        times = [told[key] for key in ("accessed", "modified", "changed")]
        self._found = os.stat_result([*first, 0, 9, 0, 0, 0, 0.0, 0.0, 0.0, *times, 4096, 8, 0])

    def stat(self, *, follow_symlinks: bool) -> os.stat_result:
        assert not follow_symlinks
        return self._found


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("known", ["nothing", "avoid", "passed"])
def test_one_look_at_all_says_what_one_reason_after_the_other_says(rule, known):
    keys = frozenset({(1, 7), (2, 8)})
    avoid = keys if known == "avoid" else frozenset()
    passed = keys if known == "passed" else frozenset()
    selection = Selection(rule="r", roots=(), patterns=("*",), older_than=0.0, **rule)
    matcher, kept, told = Matcher(selection, MOMENT / 1e9), Counter(), []
    files = [
        Entry(name, **{key: value})
        for name in NAMES for key, values in FIELDS.items() for value in values
    ]  # fmt: skip
    judge = Judge(selection, matcher, kept, avoid, passed)
    due = judge.due(Walk(-1, FAR), Chunk(-1, "in/", files))
    for entry in files:
        one = found_of(-1, entry.name, "in/", entry.stat(follow_symlinks=False))
        if one.key not in passed:
            reason = matcher.keeps(one.name, one.path, one.inode)
            told.append(reason or ("protected" if one.key in avoid else ""))
    assert kept == Counter(filter(None, told))
    assert len(due) == told.count("")
    assert any(told)
