"""A recorded session as a file: its name and label, then a look a line: what changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDED = HERE / "recorded"


@dataclass
class Frame:
    """One look: everything that a look at a real pane gave.

    Attributes:
        t: seconds since the play began, on its own clock.
        painted: seconds since the play's beginning at which the program last wrote anything.
        pane: fields of `Pane` that are not always the same.
        terminal: fields of `Terminal`.
        processes: fields of `ProcessFacts` of the pane's processes, the pane's own first.
        work: fields of `Work`, in the order of `processes`.
    """

    t: float
    painted: float
    screen: str
    pane: dict[str, Any]
    terminal: dict[str, Any] | None
    processes: list[dict[str, Any]]
    work: list[dict[str, Any]]


@dataclass
class Recording:
    """One session: `kind` is who plays, `label` what the session is doing in truth."""

    name: str
    kind: str
    label: str
    frames: list[Frame] = field(default_factory=list)


def write(recording: Recording, path: Path) -> None:
    head = {"name": recording.name, "kind": recording.kind, "label": recording.label}
    lines = [head, *_thinned(recording.frames)]
    text = "\n".join(json.dumps(one, ensure_ascii=False, separators=(",", ":")) for one in lines)
    path.write_text(text + "\n")


def read(path: Path) -> Recording:
    head, *lines = (json.loads(line) for line in path.read_text().splitlines())
    return Recording(head["name"], head["kind"], head["label"], list(_filled(lines)))


def recorded() -> list[Path]:
    return sorted(RECORDED.glob("*.jsonl"))


def _thinned(frames: Sequence[Frame]) -> Iterator[dict[str, Any]]:
    rows: list[str] = []
    last: dict[str, Any] = {}
    for frame in frames:
        now = frame.screen.split("\n")
        changed = {str(i): row for i, row in enumerate(now) if rows[i : i + 1] != [row]}
        one: dict[str, Any] = {"t": frame.t}
        if len(now) < len(rows):
            one["height"] = len(now)
        if changed:
            one["rows"] = changed
        rest = {
            key: getattr(frame, key) for key in ("painted", "pane", "terminal", "processes", "work")
        }
        one |= {key: value for key, value in rest.items() if key not in last or last[key] != value}
        rows, last = now, rest
        yield one


def _filled(lines: Sequence[dict[str, Any]]) -> Iterator[Frame]:
    rows: list[str] = []
    last: dict[str, Any] = {}
    for line in lines:
        rows = rows[: line.pop("height", len(rows))]
        for i, row in line.pop("rows", {}).items():
            rows += [""] * (int(i) + 1 - len(rows))
            rows[int(i)] = row
        last = {**last, **line}
        yield Frame(screen="\n".join(rows), **last)
