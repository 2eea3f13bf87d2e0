"""A log file that is set aside by size."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from healmon.world.logfile import SetAside


def written(path: Path, lines: list[str], size: int, keep: int) -> None:
    handler = SetAside(str(path), size, keep)
    try:
        for line in lines:
            handler.handle(logging.LogRecord("t", logging.INFO, "", 0, line, None, None))
    finally:
        handler.close()


def read(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_oldest_go_and_nothing_else_is_lost(tmp_path):
    written(tmp_path / "log", ["one", "two", "three", "four"], size=6, keep=2)

    assert read(tmp_path) == {"log": "four\n", "log.1": "three\n", "log.2": "two\n"}


def test_it_goes_on_with_the_file_that_is_there(tmp_path):
    written(tmp_path / "log", ["one"], size=100, keep=2)
    written(tmp_path / "log", ["two"], size=100, keep=2)

    assert read(tmp_path) == {"log": "one\ntwo\n"}


def test_bytes_count_not_characters(tmp_path):
    written(tmp_path / "log", ["äöü", "x"], size=9, keep=1)

    assert read(tmp_path) == {"log": "x\n", "log.1": "äöü\n"}


@pytest.mark.parametrize(("size", "keep"), [(0, 3), (2, 0)])
def test_without_a_size_or_without_keeping_any_it_is_one_file(tmp_path, size, keep):
    written(tmp_path / "log", ["one", "two", "three"], size=size, keep=keep)

    assert read(tmp_path) == {"log": "one\ntwo\nthree\n"}


def test_a_pipe_by_that_name_stays_where_it_is(tmp_path):
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        written(pipe, ["one", "two"], size=2, keep=3)
        assert os.read(reader, 100) == b"one\ntwo\n"
    finally:
        os.close(reader)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


@pytest.mark.parametrize("keep", [3, 0])
def test_a_pipe_that_nobody_reads_holds_nobody_up(tmp_path, monkeypatch, keep):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    pipe = tmp_path / "log"
    os.mkfifo(pipe)
    written(pipe, ["nobody is there"], size=100, keep=keep)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        written(pipe, ["x" * 4000] * 40, size=100, keep=keep)  # more than a pipe holds
        assert os.read(reader, 1 << 17).startswith(b"xxx"), "what it holds is there"
    finally:
        os.close(reader)


def test_where_it_cannot_be_set_aside_nobody_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    (tmp_path / "log.1").mkdir()
    (tmp_path / "log.1" / "kept").touch()

    written(tmp_path / "log", ["one", "two"], size=6, keep=1)

    assert (tmp_path / "log").read_text().startswith("one\n")


def test_the_log_of_a_healer_loads_no_module_of_handlers():
    asked = "import sys, healmon.service.log; print('logging.handlers' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)

    assert run.stdout == "False\n"


@pytest.mark.parametrize("how", ["rotated", "removed"])
def test_a_file_that_somebody_else_rotates_or_removes_is_begun_anew(tmp_path, how):
    handler = SetAside(str(tmp_path / "log"), 100, 2)
    try:
        handler.handle(logging.LogRecord("t", logging.INFO, "", 0, "one", None, None))
        if how == "rotated":
            (tmp_path / "log").rename(tmp_path / "log.old")
        else:
            (tmp_path / "log").unlink()
        handler.handle(logging.LogRecord("t", logging.INFO, "", 0, "two", None, None))
    finally:
        handler.close()

    assert (tmp_path / "log").read_text() == "two\n"
