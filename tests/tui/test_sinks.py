"""Rules for the source of the screen: no sink that takes markup, no clock of its own."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import healmon_tui

SOURCES = sorted(Path(healmon_tui.__file__).parent.rglob("*.py"))
SINKS = {
    "Static", "Label", "Button", "OptionList", "Option", "Tree", "TabPane", "DataTable", "RichLog",
    "Log", "Markdown", "Header", "Footer", "Collapsible", "Select", "SelectionList", "Tooltip",
    "notify", "from_markup", "from_ansi", "render_markup", "Content",
}  # fmt: skip
ATTRIBUTES = {"border_title", "border_subtitle", "tooltip", "sub_title"}


def names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            target = node.func
            yield (
                node.lineno,
                target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", ""),
            )
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(
            ("textual", "rich")
        ):
            for alias in node.names:
                yield node.lineno, alias.name


def read(path):
    return path.read_text("utf-8")


def matching(pattern):
    return [path.name for path in SOURCES if re.search(pattern, read(path))]


@pytest.mark.slow
def test_no_text_goes_where_markup_is_read():
    assert len(SOURCES) > 50
    for path in SOURCES:
        tree = ast.parse(read(path))
        assert [(line, name) for line, name in names(tree) if name in SINKS] == [], path
        set_ = [
            target.attr
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Attribute) and target.attr in ATTRIBUTES
        ]
        assert set_ == [], path


def test_segments_are_made_in_one_place():
    assert matching(r"\bSegment\(|\bStrip\(") == ["themes.py"]


def test_no_clock_no_process_and_no_sql():
    assert matching(r"\btime\.(time|monotonic|sleep)\(|datetime\.now|subprocess|sqlite3") == []


def test_inputs_take_no_foreign_text():
    for path in SOURCES:
        if "Input(" not in read(path):
            continue
        for node in ast.walk(ast.parse(read(path))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Input":
                assert not {k.arg for k in node.keywords} & {"placeholder", "value", "tooltip"}
                assert not node.args


def test_intervals_are_no_faster_than_a_second():
    for path in SOURCES:
        source = read(path)
        for name in re.findall(r"set_interval\(([^,]+),", source):
            (seconds,) = re.findall(rf"^{name}(?:: Final)? = ([\d.]+)$", source, re.MULTILINE)
            assert float(seconds) >= 1
