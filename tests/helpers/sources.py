"""The source of both packages, read once: rules ask what its modules call, load and spell out."""

from __future__ import annotations

import ast
import functools
from collections.abc import Collection, Iterable
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORE = ROOT / "core" / "healmon"
TUI = ROOT / "tui" / "healmon_tui"
SOURCES = sorted([*CORE.rglob("*.py"), *TUI.rglob("*.py")])

Vector = ast.List | ast.Tuple


class Module:
    """What one walk through a module finds, for all that ask."""

    def __init__(self, path: Path) -> None:
        self.calls: set[str] = set()
        self.keywords: set[str | None] = set()
        self.imports: set[str] = set()
        self.vectors: list[Vector] = []
        for node in ast.walk(ast.parse(text(path))):
            if isinstance(node, ast.Call):
                self.calls.add(dotted(node.func))
            elif isinstance(node, ast.keyword):
                self.keywords.add(node.arg)
            elif isinstance(node, ast.List | ast.Tuple):
                self.vectors.append(node)
            elif isinstance(node, ast.Import):
                self.imports |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                self.imports.add(node.module.partition(".")[0])


def dotted(node: ast.expr) -> str:
    """Return the source of a name; what a bare name or a chain of them is not, is unparsed."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ast.unparse(node)


@functools.cache
def module(path: Path) -> Module:
    return Module(path)


def calls(path: Path) -> set[str]:
    """Every dotted name that a module calls."""
    return module(path).calls


def imports(path: Path) -> set[str]:
    """The first part of every module that is imported by its whole name."""
    return module(path).imports


@functools.cache
def text(path: Path) -> str:
    return path.read_text("utf-8")


def mentioning(paths: Iterable[Path], words: Collection[str]) -> list[Path]:
    """Return the modules in whose text one of these stands: to look is cheaper than to parse."""
    return [path for path in paths if any(word in text(path) for word in words)]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def rooms(*names: str) -> list[Path]:
    """All modules but those in the named rooms."""
    return [p for p in SOURCES if not any(part in names for part in p.relative_to(ROOT).parts)]
