from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from healmon.errors import StateDirError
from healmon.service import statedir

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
NOBODY = 65_534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_it_is_made_with_its_parents_for_us_alone(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        made = statedir.prepare(tmp_path / "a" / "b" / "healmon")
    finally:
        os.umask(before)
    assert made == (tmp_path / "a" / "b" / "healmon").resolve()
    assert [mode(p) for p in (made, made.parent, made.parent.parent)] == [0o700] * 3


def test_what_is_there_is_taken_as_it_is(tmp_path: Path) -> None:
    there = tmp_path / "state"
    there.mkdir(mode=0o750)
    (there / "healmon.db").write_text("keep")
    assert statedir.prepare(there) == there.resolve()
    assert statedir.prepare(there) == there.resolve()
    assert mode(there) == 0o750
    assert (there / "healmon.db").read_text() == "keep"


def test_a_relative_path_and_a_home_are_resolved(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert statedir.prepare(Path("state")) == (tmp_path / "state").resolve()
    assert statedir.prepare(Path("~/state")) == (tmp_path / "state").resolve()


@pytest.mark.parametrize("bits", [0o770, 0o707, 0o777, 0o1777])
def test_others_may_not_write_in_it(tmp_path: Path, bits: int) -> None:
    there = tmp_path / "state"
    there.mkdir()
    there.chmod(bits)
    with pytest.raises(StateDirError, match="can be written by others") as caught:
        statedir.prepare(there)
    assert caught.value.exit_code == 73
    assert f"chmod go-w {there}" in str(caught.value)
    assert mode(there) == bits & 0o1777


def test_others_may_not_swap_it(tmp_path: Path) -> None:
    open_house = tmp_path / "open"
    open_house.mkdir()
    open_house.chmod(0o777)
    with pytest.raises(StateDirError, match="which anybody may write"):
        statedir.prepare(open_house / "state")
    open_house.chmod(0o1777)  # like /tmp: nobody can rename what is ours
    assert statedir.prepare(open_house / "state").is_dir()


@ROOT_ONLY
def test_who_owns_or_may_write_a_parent_could_swap_it(tmp_path: Path) -> None:
    house = tmp_path / "house"
    state = house / "a" / "state"
    state.mkdir(mode=0o700, parents=True)
    os.chown(house, NOBODY, NOBODY)
    with pytest.raises(StateDirError, match=f"lies in {house}, which belongs to uid {NOBODY}"):
        statedir.prepare(state)
    with pytest.raises(StateDirError, match="belongs to uid"):
        statedir.prepare(house / "new" / "state")
    os.chown(house, 0, NOBODY)
    house.chmod(0o775)
    with pytest.raises(StateDirError, match=f"which group {NOBODY} may write"):
        statedir.prepare(state)
    house.chmod(0o1775)  # sticky: what is ours stays where it is
    assert statedir.prepare(state) == state
    os.chown(house, 0, 0)
    house.chmod(0o775)
    assert statedir.prepare(state) == state


@ROOT_ONLY
def test_somebody_elses_link_on_the_way_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to("real")
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(StateDirError, match="is a link made by uid"):
        statedir.prepare(link / "below" / "state")
    assert not (tmp_path / "real" / "below").exists()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(StateDirError, match="is not a directory"):
        statedir.prepare(tmp_path / "state")
    with pytest.raises(StateDirError, match="cannot be made"):
        statedir.prepare(tmp_path / "state" / "below")


def test_a_link_of_our_own_is_followed_and_a_dead_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to("real")
    assert statedir.prepare(tmp_path / "link") == (tmp_path / "real").resolve()
    (tmp_path / "dead").symlink_to("nowhere")
    with pytest.raises(StateDirError, match="cannot be made"):
        statedir.prepare(tmp_path / "dead")
    assert not (tmp_path / "nowhere").exists()


@ROOT_ONLY
def test_somebody_elses_directory_is_refused(tmp_path: Path) -> None:
    there = tmp_path / "state"
    there.mkdir(mode=0o700)
    os.chown(there, NOBODY, NOBODY)
    with pytest.raises(StateDirError, match=f"belongs to uid {NOBODY}, healmon runs as uid 0"):
        statedir.prepare(there)


@ROOT_ONLY
def test_somebody_elses_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o700)
    link = tmp_path / "link"
    link.symlink_to("real")
    os.chown(link, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(StateDirError, match="is a link made by uid"):
        statedir.prepare(link)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_it_must_be_writable(tmp_path: Path) -> None:
    there = tmp_path / "state"
    there.mkdir(mode=0o500)
    with pytest.raises(StateDirError, match="cannot be written"):
        statedir.prepare(there)
    with pytest.raises(StateDirError, match="cannot be made"):
        statedir.prepare(there / "below")


def test_names_of_others_making_do_no_harm(tmp_path: Path) -> None:
    bad = tmp_path / "st\x1b[31mate"
    bad.write_text("")
    with pytest.raises(StateDirError) as caught:
        statedir.prepare(bad)
    assert "\x1b" not in str(caught.value)
