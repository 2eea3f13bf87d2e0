"""A first run on this machine: where a starter goes, and that it never replaces anything."""

from __future__ import annotations

import argparse
import asyncio
import os

import pytest

from healmon.config.load import load
from healmon.errors import DataError
from healmon.service import foreground, starter
from healmon.service.firstrun import SystemFirstRun
from healmon.world import survey


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "cwd").mkdir()
    bounds = starter.Roots(
        folders=(), tree=str(tmp_path / "cwd"), sockets=str(tmp_path), follow=False,
        mine=lambda _facts: False, watch=0.0,
    )  # fmt: skip
    monkeypatch.setattr(starter, "roots", lambda: bounds)
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    return SystemFirstRun(environ, tmp_path / "cwd")


def test_it_says_where_in_words_of_the_home(here, tmp_path):
    assert here.where == "~/.config/healmon/healmon.toml"
    elsewhere = SystemFirstRun({"HOME": str(tmp_path), "XDG_CONFIG_HOME": "/srv/conf"}, tmp_path)
    assert elsewhere.where == "/srv/conf/healmon/healmon.toml"


def test_a_preview_writes_nothing(here, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    assert "[disk]" in here.preview()
    assert sorted(tmp_path.rglob("*")) == before
    assert here.found() is None


def test_what_is_written_is_found_afterwards_reads_and_is_not_written_twice(here, tmp_path):
    text = here.write()
    path = tmp_path / ".config" / "healmon" / "healmon.toml"
    assert path.read_text("utf-8") == text
    assert here.found() == path
    assert load(path, {}).source == str(path)
    with pytest.raises(DataError, match="there already"):
        here.write()


def test_one_in_the_current_directory_counts_too(here, tmp_path):
    (tmp_path / "cwd" / "healmon.toml").write_text("", "utf-8")
    with pytest.raises(DataError, match="nothing was written"):
        here.write()
    assert not (tmp_path / ".config").exists()


def test_it_looks_around(here):
    assert here.look().host


@pytest.mark.parametrize("again", [True, False])
def test_the_screen_begins_anew_only_when_that_is_wanted(tmp_path, monkeypatch, again):
    monkeypatch.chdir(tmp_path)
    for name in ("HEALMON_CONFIG", "HEALMON_STATE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "conf"))
    monkeypatch.setattr(foreground.locate, "find_config", lambda *_: None)
    begun = []
    monkeypatch.setattr(foreground.os, "execv", lambda program, words: begun.append(words))

    def open_screen(link, *, first, look, **options):
        assert look.theme == "dark"
        first.again = again
        asyncio.run(link.close())
        return 0

    args = argparse.Namespace(state_dir=str(tmp_path / "state"))
    assert foreground.screen(args, open_screen) == 0
    assert len(begun) == again


def test_with_a_configuration_there_is_no_first_run(tmp_path, monkeypatch):
    (tmp_path / "healmon.toml").write_text('[ui]\ntheme = "safe"\n[sessions]\nsockets = []\n')

    def open_screen(link, *, look, **options):
        assert "first" not in options
        assert look.theme == "safe"
        asyncio.run(link.close())
        return 7

    args = argparse.Namespace(
        state_dir=str(tmp_path / "state"), config=str(tmp_path / "healmon.toml")
    )
    assert foreground.screen(args, open_screen) == 7


def test_disks_are_as_full_as_their_healer_says(here):
    seen = {one.path: one.percent for one in survey.file_systems()}
    room = os.statvfs("/")
    used = room.f_blocks - room.f_bfree
    assert seen["/"] == pytest.approx(100 * used / (used + room.f_bavail), abs=1.0)
