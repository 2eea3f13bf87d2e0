"""A first run on this machine: where a starter goes, and that it never replaces anything."""

from __future__ import annotations

import sys
from types import ModuleType

import pytest

from healmon.errors import DataError, MissingPartError
from healmon.service import firstrun
from healmon.service.firstrun import SystemFirstRun


@pytest.fixture
def starter(monkeypatch):
    """A starter that writes one line."""
    module = ModuleType("starter")

    def write(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("[monitor]\n", "utf-8")
        return "[monitor]\n"

    module.write = write
    monkeypatch.setattr(firstrun, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, firstrun._STARTER, module)
    return module


@pytest.fixture
def here(tmp_path):
    (tmp_path / "cwd").mkdir()
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / ".config")}
    return SystemFirstRun(environ, tmp_path / "cwd", tmp_path / "state")


def test_it_says_where_in_words_of_the_home(here, tmp_path):
    assert here.where == "~/.config/healmon/healmon.toml"
    elsewhere = SystemFirstRun(
        {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "/srv/conf"}, tmp_path, tmp_path
    )
    assert elsewhere.where == "/srv/conf/healmon/healmon.toml"


def test_a_preview_writes_nothing_that_stays(here, tmp_path, starter):
    before = sorted(tmp_path.rglob("*"))
    assert here.preview() == "[monitor]\n"
    assert sorted(tmp_path.rglob("*")) == before
    assert here.found() is None


def test_writing_is_found_afterwards_and_done_once(here, tmp_path, starter):
    assert here.write() == "[monitor]\n"
    assert here.found() == tmp_path / ".config" / "healmon" / "healmon.toml"
    with pytest.raises(DataError, match="there already"):
        here.write()


def test_one_in_the_current_directory_counts_too(here, tmp_path, starter):
    (tmp_path / "cwd" / "healmon.toml").write_text("", "utf-8")
    with pytest.raises(DataError, match="nothing was written"):
        here.write()


def test_without_a_starter_it_says_so(here, monkeypatch):
    monkeypatch.setattr(firstrun, "find_spec", lambda name: None)
    with pytest.raises(MissingPartError):
        here.preview()


def test_it_looks_around(here):
    seen = here.look()
    assert "/" in {disk.mount for disk in seen.disks}
    assert seen.hidden >= 0
