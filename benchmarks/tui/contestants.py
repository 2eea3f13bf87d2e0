"""Who is measured: the screen in its ways, and the screens that people know."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.tui.pane import ROOT
from benchmarks.workers.fetch import Tools, UnavailableError

GLANCES = "glances==4.5.8"
SIGN = "WORKERS"
HERE = Path(__file__).parent
SLEEP = shutil.which("sleep") or "sleep"
BARE = (
    "from textual.app import App\nfrom textual.widgets import Static\nclass Bare(App):\n"
    f"    def compose(self):\n        yield Static({SIGN!r})\nBare().run()"
)
"""The least that Textual can do: one line, nothing happens."""


@dataclass(frozen=True)
class Contestant:
    """A program to run in a terminal.

    Attributes:
        sign: what it has painted once it is up.
        ours: it is healmon.
        flood: it answers a key by painting the cursor, while events pour in.
    """

    name: str
    argv: list[str]
    sign: str
    env: dict[str, str] = field(default_factory=dict[str, str])
    ours: bool = False
    flood: bool = False


def compile_ours() -> None:
    """Write healmon's bytecode, as pip does when it installs: the peers have theirs too."""
    for folder in ("core", "tui", "tests/helpers", "benchmarks"):
        compileall.compile_dir(ROOT / folder, quiet=2)


def made_up() -> list[Contestant]:
    """Return healmon's screen over a made-up healer, at so many changes of every row a second."""
    env = {"PYTHONPATH": str(ROOT)}
    program = [sys.executable, str(HERE / "made_up.py")]
    rates = {"idle": "0", "1 Hz": "1", "10 Hz": "10", "20,000 events/s": "flood"}
    return [
        Contestant(
            f"healmon, {name}", [*program, word], SIGN, env, ours=True, flood=word == "flood"
        )
        for name, word in rates.items()
    ]


def floor() -> Contestant:
    """Return the least that Textual can do."""
    return Contestant("bare Textual", [sys.executable, "-c", BARE], SIGN)


def peers(folder: Path, *, install: bool) -> tuple[list[Contestant], dict[str, str]]:
    """Return the screens that people know, and why some of them are left out."""
    tools = Tools(folder / "tools", worker="py", install=install)
    found: list[Contestant] = []
    skipped: dict[str, str] = {}
    home = {"HOME": str(folder), "XDG_CONFIG_HOME": str(folder / "config")}
    for name, package, sign in (("htop", "htop", "Load average"), ("btop", "btop", "cpu")):
        try:
            peer = tools.debian(package, name)
        except UnavailableError as error:
            skipped[name] = str(error)
            continue
        argv = [peer.command, *(["--utf-force"] if name == "btop" else [])]
        found.append(Contestant(f"{name} {peer.version}", argv, sign, peer.env | home))
    try:
        found.append(Contestant(GLANCES.replace("==", " "), [_glances(folder)], "CPU", home))
    except UnavailableError as error:
        skipped["glances"] = str(error)
    return found, skipped


def _glances(folder: Path) -> str:
    venv = folder / "tools" / "screens"
    command = venv / "bin" / "glances"
    if not command.exists():
        pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        for argv in (
            [sys.executable, "-m", "venv", str(venv)],
            [*pip, "--disable-pip-version-check", GLANCES],
        ):
            done = subprocess.run(argv, capture_output=True, text=True, check=False)
            if done.returncode:
                raise UnavailableError((done.stderr.strip() or "no word").splitlines()[-1])
    return str(command)


@contextmanager
def real(folder: Path, rows: int) -> Generator[list[Contestant]]:
    """Yield healmon as it is: its healer inside, and attached to that one; workers, tmux sessions.

    The one with the healer inside must run while the other does.
    """
    if shutil.which("tmux") is None:
        yield []
        return
    base = folder / "real"
    base.mkdir(parents=True)
    config = base / "healmon.toml"
    config.write_text(_toml(base / "t", rows))
    argv = [sys.executable, "-m", "healmon_tui", "--config", str(config)]
    argv += ["--state-dir", str(base / "state")]
    mine = {"HOME": str(base), "PYTHONPATH": str(ROOT)}
    # the workers are ended by the keeper, as everything below it
    with _sessions(base / "t", rows):
        yield [
            Contestant("healmon, healer inside", argv, SIGN, mine, ours=True),
            Contestant("healmon, attached", argv, SIGN, mine, ours=True),
        ]


@contextmanager
def company(folder: Path, rows: int) -> Generator[None]:
    """Keep as many workers and tmux sessions alive as healmon is told of: peers see them, too."""
    folder.mkdir(parents=True)
    workers = [subprocess.Popen([SLEEP, str(200000 + number)]) for number in range(rows)]
    try:
        with _sessions(folder / "t", rows):
            yield
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()


@contextmanager
def _sessions(socket: Path, rows: int) -> Generator[None]:
    """Keep a tmux server with so many sessions; without tmux there are none."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("TMUX")} | {"TERM": "xterm"}
    tmux = ["tmux", "-u", "-f", "/dev/null", "-S", str(socket)]
    size = ["-x", "100", "-y", "30"]
    for number in range(rows if shutil.which("tmux") else 0):
        words = ["new-session", "-d", "-s", f"agent{number}", *size, f"exec {SLEEP} 100000"]
        subprocess.run([*tmux, *words], env=env, check=True)
    try:
        yield
    finally:
        if shutil.which("tmux"):
            subprocess.run([*tmux, "kill-server"], env=env, check=False, capture_output=True)


def _toml(socket: Path, rows: int) -> str:
    lines = [
        '[monitor]\nname = "bench"\ncheck_interval = "60s"',
        # all are started at once, so that none is started any more when it is measured
        "starts_in_flight = 0\nstart_spacing = 0\nstarts_per_minute = 0\nstorm_failures = 0",
        f"[sessions]\nsocket = {json.dumps(str(socket))}",
        '[disk]\npaths = ["/"]',
    ]
    lines += [
        # each its own: of several with the same command nobody can say which process is whose
        f'[workers.w{number:02}]\ncommand = ["{SLEEP}", "{200000 + number}"]\nforks = false\n'
        'restart_delay = 0\nmin_uptime = "0.05s"\nstable_after = "1s"'
        for number in range(rows)
    ]
    return "\n".join(lines)
