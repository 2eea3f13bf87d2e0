"""The manual pages are those of this version, and correct."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from tools import manpages

from healmon.config.keys import TABLES
from healmon.service.commandtable import COMMANDS


@pytest.mark.parametrize("name", manpages.PAGES)
def test_pages_are_up_to_date(name: str) -> None:
    page = (manpages.MAN / name).read_text("utf-8")
    assert page == manpages.page(name), "python -m tools.manpages"


@pytest.mark.parametrize("name", manpages.PAGES)
@pytest.mark.parametrize(
    "argv",
    [
        ["groff", "-ww", "-man", "-z"],
        ["mandoc", "-T", "lint", "-W", "warning"],
        ["man", "--warnings", "-P", "cat", "-l"],
    ],
    ids=lambda argv: argv[0],
)
def test_pages_are_read_without_a_warning(name: str, argv: list[str]) -> None:
    if shutil.which(argv[0]) is None:
        pytest.skip(f"no {argv[0]} here")
    env = {**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "80"}
    done = subprocess.run(
        [*argv, str(manpages.MAN / name)], capture_output=True, text=True, timeout=300, env=env
    )
    assert done.returncode == 0
    assert done.stderr == ""
    assert argv[0] == "man" or done.stdout == ""


def test_every_command_and_every_key_stands_in_them() -> None:
    commands, keys = manpages.page("healmon.1"), manpages.page("healmon.toml.5")
    for name in COMMANDS:
        assert f"\\fB{manpages.text(name)}" in commands
    for table in TABLES:
        for key in table.keys:
            assert f"\n\\fB{key.name}\\fR\n" in keys


def test_nothing_that_is_said_becomes_a_request() -> None:
    assert manpages.text(".so /etc/passwd") == "\\&.so /etc/passwd"
    assert manpages.text("'a\\b-c…") == "\\(aqa\\eb\\-c\\[u2026]"
