"""Records the corpus again: plays in a private tmux server, an hour in seconds.

python -m tests.corpus.sessions.record              # all of plays.toml
python -m tests.corpus.sessions.record claude-hung  # some of them
"""

from __future__ import annotations

import json
import re
import shlex
import signal
import socket
import sys
import tempfile
import time
import tomllib
from pathlib import Path
from typing import Any

import msgspec

from healmon.sessions.family import Table, members
from healmon.world.pane import Pane
from healmon.world.processes import ProcessFacts
from healmon.world.system_processes import SystemProcesses
from healmon.world.tmux import SystemTmux
from tests.corpus.sessions.recording import HERE, RECORDED, Frame, Recording, write
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until

ACTOR = HERE / "actor.py"
CYCLE = 60.0
WIDTH, HEIGHT = 96, 26
KEPT = (
    "id", "dead", "status", "mode", "width", "height", "command", "title",
)  # fmt: skip
"""What is kept of a pane; the rest is the same in every recording or made up by the replay."""


class Line:
    """The recorder's end of the actor's clock."""

    def __init__(self, path: Path) -> None:
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(str(path))
        self.server.listen(1)
        self.server.settimeout(120)

    def accept(self) -> None:
        self.peer, _ = self.server.accept()
        self.peer.settimeout(120)
        self.file = self.peer.makefile("rw")

    def turn(self, t: float) -> dict[str, Any]:
        self.file.write(f"{t}\n")
        self.file.flush()
        answer: dict[str, Any] = json.loads(self.file.readline())
        return answer

    def close(self) -> None:
        if hasattr(self, "peer"):
            self.file.close()
            self.peer.close()
        self.server.close()


class Recorder:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.server = PrivateTmux(folder)
        self.tmux = SystemTmux()
        self.processes = SystemProcesses()
        # a server needs a session while it waits for others
        self.server.new("keep", "sleep 3600")

    def play(self, name: str, kind: str, play: str, label: str, minutes: int) -> Recording:
        """Record one play."""
        found = Recording(name, kind, label)
        path = self.folder / f"{name}.sock"
        line = Line(path)
        argv0 = kind if kind in {"claude", "codex", "gemini", "opencode"} else "worker"
        actor = shlex.join([sys.executable, "-ISu", str(ACTOR), kind, play, str(path)])
        shell = play == "prompt"
        command = "bash --norc --noprofile" if shell else f"exec -a {argv0} {actor}"
        pane = self.server.new(name, command, width=WIDTH, height=HEIGHT)
        try:
            if shell:
                self.server.type(pane, "echo the list is done")
            else:
                line.accept()
            painted = 0.0
            for minute in range(minutes + 1):
                t = minute * CYCLE
                wrote = 0 if shell else line.turn(t)["wrote"]
                painted = t if wrote else painted
                if play == "frozen" and minute == 3:
                    self.server.run("send-keys", "-t", pane, "x")
                found.frames.append(self.look(pane, t, painted))
        finally:
            line.close()
            self.server.run("kill-session", "-t", f"={name}")
        return found

    def close(self) -> None:
        self.server.close()

    def pane(self, pane: str) -> Pane:
        return next(p for p in self.tmux.panes(self.server.socket) if p.id == pane)

    def settled(self, pane: str) -> tuple[Pane, str]:
        """Return pane and screen once two looks in a row are the same."""

        def look() -> tuple[Pane, str]:
            now = self.pane(pane)
            return now, self.tmux.screens(self.server.socket, [now])[now.id]

        before = look()

        def same() -> tuple[Pane, str] | None:
            nonlocal before
            now, time_was = look(), before
            before = now
            return now if (now[0].title, now[1]) == (time_was[0].title, time_was[1]) else None

        return until(same, 10, "a screen that stays")

    def look(self, pane: str, t: float, painted: float) -> Frame:
        time.sleep(0.02)  # what was written goes through the server
        now, screen = self.settled(pane)
        table = Table(self.processes.everyone())
        some = sorted(
            members(table, now.pid), key=lambda f: (f.identity.pid != now.pid, f.identity.pid)
        )
        work = self.processes.work(f.identity for f in some)
        terminal = self.tmux.terminal(now)
        return Frame(
            t=t,
            painted=painted,
            screen=screen.rstrip("\n"),
            pane={key: getattr(now, key) for key in KEPT},
            terminal=None if terminal is None else msgspec.to_builtins(terminal),
            processes=[_process(f) for f in some],
            work=[_without_noise(work.get(f.identity)) for f in some],
        )


def _process(facts: ProcessFacts) -> dict[str, Any]:
    """Return a process without what changes all the time and says nothing, and without paths."""
    kept: dict[str, Any] = msgspec.to_builtins(facts)
    kept["cpu_seconds"] = round(facts.cpu_seconds, 1)
    kept["command"] = [re.sub(r"^/\S*/", "", word)[:60] for word in facts.command[:3]]
    return kept | {"rss": 0, "age": 0.0, "uid": 1000, "namespace": 0, "identity": {
        "boot": "boot", "pid": facts.identity.pid, "ticks": facts.identity.ticks}}  # fmt: skip


def _without_noise(work: Any) -> dict[str, Any]:
    if work is None:
        return {}
    kept: dict[str, Any] = msgspec.to_builtins(work)
    if kept.get("io") is not None:
        kept["io"] = kept["io"] // 100_000 * 100_000
    return kept


def plays() -> dict[str, dict[str, Any]]:
    """Return every play by name: kind, play, label, minutes."""
    table = tomllib.loads((HERE / "plays.toml").read_text())
    found: dict[str, dict[str, Any]] = {}
    for group in table["plays"]:
        for kind in group["kinds"]:
            name = f"{kind}-{group['play']}".replace("_", "-")
            found[name] = {
                "kind": kind, "play": group["play"], "label": group["label"],
                "minutes": group.get("minutes", table["minutes"]),
            }  # fmt: skip
    return found


def main(names: list[str]) -> None:
    RECORDED.mkdir(exist_ok=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        recorder = Recorder(Path(folder))
        try:
            for name, play in plays().items():
                if not names or name in names:
                    began = time.monotonic()
                    write(recorder.play(name, **play), RECORDED / f"{name}.jsonl")
                    print(f"{name}: {time.monotonic() - began:.1f} s", flush=True)
        finally:
            recorder.close()


if __name__ == "__main__":
    main(sys.argv[1:])
