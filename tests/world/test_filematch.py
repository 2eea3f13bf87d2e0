"""Globs mean what a shell means by them, whichever way they are asked."""

from __future__ import annotations

from fnmatch import fnmatchcase
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.world.filedata import Selection
from healmon.world.filematch import OURS, Matcher

GLOB = st.text("ab*?[].-!\n", max_size=5)
NAME = st.text("ab.-[]*\n", min_size=1, max_size=6)


@given(st.lists(GLOB, max_size=4), NAME)
def test_a_name_is_excluded_when_one_of_the_globs_matches_it(globs, name):
    selection = Selection(rule="r", roots=(), patterns=("*",), older_than=0.0, exclude=tuple(globs))
    told = Matcher(selection, 0.0).bars(name, f"in/{name}")
    assert (told == "excluded") == any(fnmatchcase(name, glob) for glob in globs)


@given(st.lists(GLOB, max_size=4), NAME)
def test_a_hidden_name_is_wanted_only_by_a_glob_that_names_it_as_one(globs, name):
    selection = Selection(rule="r", roots=(), patterns=tuple(globs), older_than=0.0)
    asked = [glob for glob in globs if glob.startswith(".")] if name.startswith(".") else globs
    wants = Matcher(selection, 0.0).wants
    both = any(fnmatchcase(name, glob) for glob in asked)
    assert wants(name, f"in/{name}") == both
    assert not wants(f"{OURS}{name}", f"in/{OURS}{name}")


@pytest.mark.parametrize("patterns", [("*.log",), ("*",), ("*.log", "b*"), (".a*", "*.log")])
def test_of_many_names_the_same_are_wanted_as_of_each(patterns):
    selection = Selection(rule="r", roots=(), patterns=patterns, older_than=0.0)
    matcher = Matcher(selection, 0.0)
    names = ("a.log", ".a.log", "b.txt", f"{OURS}0.log", ".log", "log", "ba.log")
    entries = [SimpleNamespace(name=name) for name in names]
    wanted = [one.name for one in matcher.wanted(entries, "in/")]
    assert wanted == [name for name in names if matcher.wants(name, f"in/{name}")]
    assert 0 < len(wanted) < len(names)
