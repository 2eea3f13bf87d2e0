"""A terminal program that looks and behaves like an agent at work.

It draws a transcript, a spinner with its seconds, a composer between two rules and a footer. Ctrl-C
stays a SIGINT: it stops the turn and the agent goes idle. A line typed into it begins a turn. While
it asks for approval, one key answers. While `run/agents/NAME.freeze` exists it hangs the way agents
do: spinner, seconds and title go on, nothing new is said.

Arguments: NAME and how it begins (`working`, `idle`, `approval`, `retrying`).
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import sys
import termios
import time
from collections import deque
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).absolute().parents[1]
TICK = 0.1
RESTING = 0.3
GLYPHS = "·✢✳✶✻✽"
TITLES = "⠂⠐"
WORDS = """
    amber basin cedar delta ember fjord grove harbor inlet juniper kelp lagoon meadow nectar
    orchard pebble quarry ripple summit timber umber valley willow yarrow zephyr anchor beacon
    copper drift eddy ferry gravel heron island kiln lantern marsh oriole prairie reed saddle
""".split()  # noqa: SIM905 - words are read as words
DOING = ("Sorting", "Weighing", "Tracing", "Folding", "Sifting")
QUESTION = (
    " Shell command",
    "",
    "   make clean",
    "",
    " Do you want to proceed?",
    " ❯ 1. Yes",
    "   2. No",
    "",
    " Esc to cancel",
)


WAITS = (4, 9, 19, 33)
"""Seconds between attempts of one that cannot reach its service; the last one again and again."""


def spent(seconds: float) -> str:
    """Return a duration as agents show it: `45s`, `1m 53s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m {rest}s" if minutes else f"{rest}s"


class Agent:
    """What the screen shows, and how it goes on."""

    def __init__(self, name: str, state: str) -> None:
        self.name = name
        self.state = state
        self.random = random.Random(name)  # noqa: S311 - made-up words
        self.said: deque[str] = deque(maxlen=200)
        self.tokens = 0
        self.ticks = 0
        self.since = time.perf_counter()
        self.doing = DOING[0]
        self.queued = 0
        self.interrupted = False
        self.freeze = ROOT / "run/agents" / f"{name}.freeze"
        self.told = ""
        self.cooked = termios.tcgetattr(0)
        signal.signal(signal.SIGINT, self.interrupt)

    def listen(self) -> None:
        """Take single keys while it asks, whole lines else; Ctrl-C stays a signal."""
        mode = termios.tcgetattr(0)
        mode[3] = self.cooked[3]
        if self.state == "approval":
            mode[3] &= ~(termios.ICANON | termios.ECHO)
        if mode != termios.tcgetattr(0):
            termios.tcsetattr(0, termios.TCSADRAIN, mode)

    def interrupt(self, _number: int, _frame: FrameType | None) -> None:
        """Notice a Ctrl-C."""
        self.interrupted = True

    def begin(self, what: str) -> None:
        """Begin a turn."""
        self.said.extend(("", f"❯ {what}", "", "●"))
        self.state, self.since, self.tokens = "working", time.perf_counter(), 0
        self.doing = self.random.choice(DOING)

    def read(self, line: str) -> None:
        """Take a typed line."""
        line = "".join(c if c.isprintable() else "?" for c in line.strip())[:200]
        if self.state == "approval":
            if line in {"1", "2"}:
                self.said.append(f"  ⎿  answered: {line}")
                self.state = "idle"
                if line == "1":
                    self.begin("go on")
        elif self.state != "idle":
            self.queued += bool(line)
        elif line:
            self.begin(line)

    def step(self) -> None:
        """Go on by one tick."""
        self.ticks += 1
        if self.interrupted:
            self.interrupted = False
            if self.state != "idle":
                self.said.extend(("", "  ⎿  Interrupted"))
                self.state, self.queued = "idle", 0
                self.freeze.unlink(missing_ok=True)
        frozen = self.freeze.exists()
        if self.state in {"working", "frozen"}:
            self.state = "frozen" if frozen else "working"
        if self.state == "working" and self.ticks % 2:
            self.speak()

    def speak(self) -> None:
        """Say one more word, now and then with a number, so that no line comes twice."""
        self.tokens += self.random.randrange(2, 6)
        word = self.random.choice(WORDS)
        if self.random.random() < 0.15:
            word += f"-{self.random.randrange(10_000)}"
        if not self.said or len(self.said[-1]) > 70:
            self.said.append(" ")
        self.said[-1] += f" {word}"

    def tell(self) -> None:
        """Write down the state when it changed."""
        if self.state != self.told:
            self.told = self.state
            path = ROOT / "run/agents" / f"{self.name}.json"
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps({"state": self.state, "pid": os.getpid()}))
            fresh.replace(path)

    @property
    def busy(self) -> bool:
        """Whether it works, or seems to."""
        return self.state in {"working", "frozen", "retrying"}

    def retrying(self) -> str:
        """Return the line of one that cannot reach its service."""
        left, attempt = time.perf_counter() - self.since, 0
        while left > WAITS[min(attempt, len(WAITS) - 1)]:
            left -= WAITS[min(attempt, len(WAITS) - 1)]
            attempt += 1
        wait = WAITS[min(attempt, len(WAITS) - 1)] - int(left)
        return f"✻ API error · Retrying in {wait}s · attempt {attempt + 1}/99"

    def title(self) -> str:
        """Return the title of the terminal."""
        return f"{TITLES[self.ticks // 8 % 2] if self.busy else '✳'} {self.name}"

    def rows(self, width: int, height: int) -> list[str]:
        """Return the screen's rows; what is typed goes into the row `typing` of them."""
        rule = "─" * (width - 1)
        head = [f" ▚ demo agent: {self.name}", ""]
        foot = [rule, *QUESTION, "  "] if self.state == "approval" else self.composer(rule)
        room = max(height - len(head) - len(foot), 1)
        body = list(self.said)[-room:]
        body += [""] * (room - len(body))
        return [*head, *body, *foot]

    def composer(self, rule: str) -> list[str]:
        """Return the lower rows: spinner, composer and footer."""
        spinner = ""
        if self.busy:
            seconds = spent(time.perf_counter() - self.since)
            glyph = GLYPHS[self.ticks % len(GLYPHS)]
            spinner = f"{glyph} {self.doing}… ({seconds} · ↓ {self.tokens} tokens)"
        if self.state == "retrying":
            spinner = self.retrying()
        hint = "esc to interrupt" if self.busy else "? for shortcuts"
        hint += f" · {self.queued} queued" if self.queued else ""
        return [spinner, "", rule, "❯ ", rule, f"  {hint}"]

    @property
    def typing(self) -> int:
        """The row that is typed into, counted from the screen's end."""
        return 0 if self.state == "approval" else 2


class Screen:
    """Draws only rows that changed, and leaves alone what is being typed."""

    def __init__(self) -> None:
        self.size = os.terminal_size((0, 0))
        self.shown: list[str] = []
        self.title = ""
        self.state: str = ""
        self.stale = False
        """Whether something typed was echoed onto it."""

    def draw(self, agent: Agent) -> None:
        """Bring the terminal up to date."""
        out: list[str] = []
        size = os.get_terminal_size(1)
        if size != self.size or agent.state != self.state or self.stale:
            self.size, self.state, self.shown, self.stale = size, agent.state, [], False
            out.append("\x1b[2J")
        rows = agent.rows(size.columns, size.lines)
        changed = [i for i, row in enumerate(rows) if self.shown[i : i + 1] != [row]]
        if not changed and not out and agent.title() == self.title:
            return
        if self.shown:
            out.append("\x1b7")
        out += [f"\x1b[{i + 1};1H{rows[i][: size.columns - 1]}\x1b[K" for i in changed]
        out.append("\x1b8" if self.shown else f"\x1b[{len(rows) - agent.typing};3H")
        if agent.title() != self.title:
            self.title = agent.title()
            out.append(f"\x1b]2;{self.title}\x07")
        self.shown = rows
        os.write(1, "".join(out).encode())


def main(name: str, state: str) -> int:
    """Work until the terminal is gone."""
    agent, screen, typed = Agent(name, state), Screen(), b""
    if state in {"working", "retrying"}:
        agent.begin(f"see to the tasks of {name}")
        agent.state = state
    while ROOT.exists():
        screen.stale |= agent.interrupted
        agent.step()
        agent.listen()
        screen.draw(agent)
        agent.tell()  # last: what it says of itself is seen, and it takes keys as it says
        if select.select([0], [], [], TICK if agent.busy else RESTING)[0]:
            some = os.read(0, 4096)
            if not some:
                return 0
            keys = agent.state == "approval"
            *lines, typed = (typed + some + b"\n" * keys).split(b"\n")
            screen.stale = bool(lines)
            for line in lines:
                agent.read(line.decode("utf-8", "replace"))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1], sys.argv[2]))
    except OSError:
        sys.exit(0)
