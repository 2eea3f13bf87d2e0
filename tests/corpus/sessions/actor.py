"""A small program that plays an agent or a job, on a clock that somebody else turns.

    exec -a claude python3 -IS actor.py KIND PLAY SOCKET

It connects to SOCKET; for each line (a time in seconds) it draws how the play looks at that time
and answers with a line of JSON: `wrote`, the bytes that it wrote to its terminal. So an hour can be
recorded in seconds, on a real terminal. It ends when the socket does. Standard library only.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import termios
import time
import tty
from pathlib import Path

WIDTH, HEIGHT = 96, 26
RULE = "─" * (WIDTH - 2)
SPIN = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
GLYPHS = "·✢✳✶✻✽"
ASK = "please work through the list"
TYPED = "and then have a look at the tests"
WORDS = [
    "amber",
    "basin",
    "cedar",
    "delta",
    "ember",
    "fjord",
    "grove",
    "inlet",
    "juniper",
    "kelp",
    "lagoon",
    "meadow",
    "nectar",
]
QUOTES = (
    "the footer says esc to interrupt while it works",
    "Do you want to proceed? is what it asks then",
    "1. Yes, 2. No are the answers",
    "API Error: 529 Overloaded was in the log of yesterday",
    "it printed: Retrying in 21s, attempt 7/10, and went on",
    "✳ and ◇ stand in the titles of idle ones; ? for shortcuts below",
    "Rate limit reached [retrying in 26s attempt #1] is from the tests",
    "Press enter to confirm or esc to cancel, says the manual",
)
TURNS = {
    "recovers": ((0, "hung"), (25, "streaming")),
    "hangs_later": ((0, "streaming"), (10, "hung")),
    "asks_then_hangs": ((0, "streaming"), (5, "approval"), (20, "hung")),
    "retries_and_works": ((0, "streaming"), (8, "retry"), (16, "streaming"), (24, "retry"),
                          (32, "streaming")),
    "works_then_gives_up": ((0, "streaming"), (12, "retry"), (20, "gave_up")),
}  # fmt: skip
"""Plays that change: from which minute on they are which."""
BUSY = {
    "streaming", "quoting", "slow", "hung", "burning", "stalled", "retry", "rate_retry", "tool",
    "overdue", "frozen", "starting",
}  # fmt: skip


def spent(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m {rest:02}s" if minutes else f"{rest}s"


def speech(t: float, every: float = 20.0) -> list[str]:
    """What was said until `t`: one line in so many seconds, none like another."""
    lines = []
    for i in range(int(t / every) + 1):
        some = " ".join(WORDS[(i * 7 + k * (i % 5 + 1)) % len(WORDS)] for k in range(7))
        lines.append(f"step {i} {some} {i * 7919 % 10007}")
    return lines


class Agent:
    """One of four agents; what they have in common."""

    def __init__(self, play: str) -> None:
        self.play = play
        self.tool: subprocess.Popen[bytes] | None = None
        self.told = ""
        self.turns = TURNS.get(play, ((0, play),))
        self.heard = 0.0

    def turn(self, t: float) -> None:
        """Go over to what the play is at `t`; what was said before stays."""
        self.play = [play for minute, play in self.turns if minute * 60 <= t][-1]
        if self.play == "streaming":
            self.heard = t

    def said(self, t: float) -> list[str]:
        if self.play == "starting":
            return speech(t - 60) if t >= 60 else []
        if self.play == "quoting":
            return [f"{line} {QUOTES[i % len(QUOTES)]}" for i, line in enumerate(speech(t))]
        if self.play == "slow":
            steps = speech(t, 400)
            return [f"{part} {line}" for line in steps for part in ("begin", "make", "look at")]
        return speech(self.heard or 90)

    def blank(self, t: float) -> bool:
        return self.play == "starting" and t < 60

    @property
    def busy(self) -> bool:
        return self.play in BUSY

    def spin(self, t: float) -> str:
        return SPIN[int(t / 60 * 7) % len(SPIN)]

    def attempt(self, t: float) -> int:
        return int(t / 60) % 10 + 1


class Claude(Agent):
    def title(self, t: float) -> str:
        return f"{'⠂⠐'[int(t / 60) % 2]} {ASK}" if self.busy else f"✳ {ASK}"

    def foot(self) -> str:
        if self.play == "background":
            return "1 shell · ← for agents · ↓ to manage"
        return f"{'esc to interrupt' if self.busy else '? for shortcuts'} · ← for agents"

    def status(self, t: float) -> list[str]:
        n, verb = self.attempt(t), f"{GLYPHS[int(t / 60) % 6]} Galloping…"
        return {
            "hung": [f"{verb} ({spent(t)} · ↓ 24 tokens)"],
            "burning": [f"{verb} ({spent(t)} · ↓ 24 tokens)"],
            "frozen": [f"{verb} ({spent(t)} · ↓ 24 tokens)"],
            "retry": [f"✻ API error · Retrying in {n * 3}s · attempt {n}/10"],
            "rate_retry": [f"✻ API error (429 rate limit) · Retrying in {n * 3}s · attempt {n}/10"],
            "tool": ["  Bash(make test)", f"  ⎿  Running… ({spent(t)} · timeout 50m)", "", verb],
            "overdue": ["  Bash(make test)", f"  ⎿  Running… ({spent(t)} · timeout 10m)", "", verb],
            "gave_up": [
                "● API Error: 529 Overloaded. This is a server-side issue.",
                "  If it persists, check your inference gateway.", "", "✻ Brewed for 3m 0s",
            ],
            "rate": ["  ⎿  5-hour limit reached ∙ resets 3am"],
        }.get(self.play, [])  # fmt: skip

    def screen(self, t: float) -> list[str]:
        lines = [f"❯ {ASK}", ""]
        lines += [f"{'● ' if i == 0 else '  '}{line}" for i, line in enumerate(self.said(t))]
        if self.play == "approval":
            return [*lines, "", "● Bash(make clean)", "  ⎿  Waiting…", "", RULE, " Bash command",
                    "",
                    "   make clean", "   Clean up", "", " Do you want to proceed?", " ❯ 1. Yes",
                    "   2. Yes, and don't ask again", "   3. No", "",
                    " Esc to cancel · Tab to amend"]  # fmt: skip
        if self.play == "question":
            return [
                *lines,
                "",
                RULE,
                " Which of the lists?",
                "",
                " ❯ 1. The first",
                "   2. The other",
                "   3. Type something",
                "",
                " Enter to select · ↑/↓ to navigate · Esc to cancel",
            ]
        typed = TYPED if self.play == "unsent" else ""
        return [
            *lines,
            "",
            *self.status(t),
            "",
            RULE,
            f"❯ {typed}",
            RULE,
            f"  {self.foot()}",
        ]


class Codex(Agent):
    def title(self, t: float) -> str:
        if self.play in {"approval", "question"}:
            return "[ ! ] Action Required | proj"
        return f"{self.spin(t)} proj" if self.busy else "proj"

    def status(self, t: float) -> list[str]:
        n, work = self.attempt(t), f"• Working ({spent(t)} • esc to interrupt)"
        return {
            "hung": [work],
            "burning": [work],
            "frozen": [work],
            "retry": [f"• Reconnecting... {n % 5 + 1}/5 ({spent(t)} • esc to interrupt)"],
            "tool": ["• Running make test", "", work],
            "overdue": ["• Running make test", "", work],
            "gave_up": ["■ unexpected status 401 Unauthorized: Incorrect API key provided"],
            "rate": ["■ You've hit your usage limit. Upgrade, or try again in 3h 15m"],
        }.get(self.play, [])

    def screen(self, t: float) -> list[str]:
        lines = [f"› {ASK}", ""]
        lines += [f"{'• ' if i == 0 else '  '}{line}" for i, line in enumerate(self.said(t))]
        if self.play == "approval":
            return [*lines, "", "• Running make clean", "",
                    "  Would you like to run the following command?",
                    "", "  Reason: need it", "", "  $ make clean", "", "› 1. Yes, proceed (y)",
                    "  2. Yes, and don't ask again for this command (p)",
                    "  3. No, and tell Codex what to do differently (esc)", "",
                    "  Press enter to confirm or esc to cancel"]  # fmt: skip
        if self.play == "question":
            return [
                *lines,
                "",
                "  Which of the lists?",
                "",
                "› 1. The first",
                "  2. The other",
                "",
                "  enter to submit answer · esc to interrupt",
            ]
        typed = TYPED if self.play == "unsent" else "Ask Codex to do anything"
        return [*lines, "", *self.status(t), "", "", f"› {typed}", "", "  gpt-5 default · ~/proj",
                "  ← for agents · ? for shortcuts"]  # fmt: skip


class Gemini(Agent):
    def title(self, t: float) -> str:
        if self.play in {"approval", "question"}:
            return "✋  Action Required (proj)"
        return "✦  Working… (proj)" if self.busy else "◇  Ready (proj)"

    def status(self, t: float) -> list[str]:
        think = f" {self.spin(t)} Thinking... (esc to cancel, {spent(t)})"
        tried = f"(Attempt {self.attempt(t)}/10) (esc to cancel, {spent(t)})"
        reach = f" {self.spin(t)} Trying to reach gemini-2.5-pro {tried}"
        return {
            "streaming": [think], "quoting": [think], "slow": [think], "stalled": [think],
            "hung": [think], "burning": [think], "frozen": [think],
            "retry": [reach],
            "tool": ["│ ⊷  Shell make test │", "", think],
            "overdue": ["│ ⊷  Shell make test │", "", think],
            "gave_up": ["✕ [API Error: Incorrect API key provided]", "", "ℹ This request failed."],
        }.get(self.play, [])  # fmt: skip

    def screen(self, t: float) -> list[str]:
        lines = [f" > {ASK}", ""]
        lines += [f"{'✦ ' if i == 0 else '  '}{line}" for i, line in enumerate(self.said(t))]
        if self.play in {"approval", "question"}:
            asks = ["? Shell  make clean", "Allow execution of [Shell]?", "", "● 1. Allow once",
                    "  2. Allow for this session", "  3. No, suggest changes (esc)"]  # fmt: skip
            if self.play == "question":
                asks = ["Which of the lists?", "", "● 1. The first", "  2. The other"]
            return [
                *lines,
                "",
                f"╭{'─' * 70}╮",
                *(f"│ {one:<68} │" for one in asks),
                f"╰{'─' * 70}╯",
            ]
        typed = TYPED if self.play == "unsent" else "Type your message or @path/to/file"
        hint = "" if self.busy else f"{'? for shortcuts':>80}"
        return [*lines, "", *self.status(t), hint, RULE, " Shift+Tab to accept edits", "",
                f" >   {typed}", "", " workspace (/directory)     sandbox      /model",
                " ~/proj                     no sandbox   gemini-2.5-flash"]  # fmt: skip


class OpenCode(Agent):
    def title(self, t: float) -> str:
        return f"OC | {ASK}"

    def foot(self, t: float) -> str:
        bar = "■" * (int(t / 60) % 6 + 1) + "⬝⬝"
        n, right = self.attempt(t), "tab agents  ctrl+p commands"
        if self.play == "retry":
            return f"   {bar} Internal server error [retrying in {n}s attempt #{n}]   esc interrupt"
        if self.play == "rate_retry":
            return (
                f"   {bar} Rate limit reached [retrying in {n * 2}s attempt #{n}]   esc interrupt"
            )
        return f"   {bar}  esc interrupt      {right}" if self.busy else f"   ~/proj       {right}"

    def screen(self, t: float) -> list[str]:
        lines = ["  ┃", f"  ┃  {ASK}", "  ┃", "", *(f"     {line}" for line in self.said(t)), ""]
        if self.play == "approval":
            return [*lines, "  ┃", "  ┃  △ Permission required", "  ┃    # Shell command", "  ┃",
                    "  ┃  $ make clean", "  ┃", "  ┃   Allow once   Allow always   Reject  ⇆",
                    "  ┃"]  # fmt: skip
        if self.play in {"tool", "overdue"}:
            lines += ["     $ make test", ""]
        if self.play == "gave_up":
            lines += ["  ┃", "  ┃  Incorrect API key provided", "  ┃", ""]
        typed = TYPED if self.play == "unsent" else ""
        return [*lines, "     ▣  Build · m", "", "  ┃", f"  ┃  {typed}", "  ┃",
                "  ┃  Build · m fake", f"  ╹{'▀' * 80}", self.foot(t)]  # fmt: skip


class Editor(Agent):
    """A program in raw mode that nobody knows."""

    def title(self, t: float) -> str:
        return "notes"

    def screen(self, t: float) -> list[str]:
        lines = [*speech(60), "~", "~"]
        if self.play == "hung":
            return [*lines, f"{self.spin(t)} saving… {spent(t)}"]
        return [*lines, "-- INSERT --"]


class Job:
    """A program that writes lines, in a terminal as it finds it."""

    def __init__(self, play: str) -> None:
        self.play = play
        self.done = 0

    def text(self, t: float) -> str:
        n = int(t / 20)
        lines = "".join(f"{line}\r\n" for line in speech(t)[self.done :])
        clock = time.strftime("%H:%M:%S", time.gmtime(1_700_000_000 + t))
        same = f"\r{spent(max(3000 - t, 0))} left"
        out = {
            "log": lines,
            "spinner": f"\r{SPIN[n % 10]} building {spent(t)}\x1b[K",
            "clock": f"\r{clock} waiting for the lock\x1b[K",
            "countdown": f"{same}\x1b[K",
            "files": f"{same}, {n * 3} files\x1b[K",
            "bar": f"\r[{'#' * (n // 6):<40}] {t / 30:.1f}%\x1b[K",
            "same_line": "error: the lock is held\r\n",
            "retry": f"retrying ({n})\r\n",
            "rate": f"429 Too Many Requests, waiting for {30 + n % 7}s\r\n",
            "yes_no": "" if self.done else "Overwrite the list? [y/N] ",
            "password": "" if self.done else "Password for joe: ",
            "quoting": f"tests/test_retry.py::test_{n} PASSED {n * 7919 % 10007}\r\n",
        }.get(self.play, "" if self.done else "start\r\n")
        self.done = len(speech(t)) if self.play == "log" else 1
        return out


KINDS = {"claude": Claude, "codex": Codex, "gemini": Gemini, "opencode": OpenCode, "raw": Editor}


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


def draw(agent: Agent, t: float, still: list[str]) -> str:
    rows = [] if agent.blank(t) else agent.screen(t)[-HEIGHT:]
    title = agent.title(t)
    out = "" if title == agent.told else f"\x1b]2;{title}\x07"
    agent.told = title
    changed = [i for i, row in enumerate(rows) if still[i : i + 1] != [row]]
    if len(rows) != len(still):
        out += "\x1b[2J"
        changed = list(range(len(rows)))
    out += "".join(f"\x1b[{i + 1};1H{rows[i][:WIDTH]}\x1b[K" for i in changed)
    still[:] = rows
    return out


def act(kind: str, play: str, t: float, agent: Agent | Job, still: list[str]) -> str:
    """Do what the play does at `t` beside drawing; return what it draws."""
    if play in {"tool", "overdue"} and isinstance(agent, Agent) and agent.tool is None:
        agent.tool = subprocess.Popen(["sleep", "3600"])
    if play == "burning":
        burn(0.8)
    if play == "disk":
        with Path("/dev/zero").open("rb") as zero:
            zero.read(1_000_000)
    if isinstance(agent, Job):
        return agent.text(t)
    agent.turn(t)
    if play == "frozen" and t >= 120:
        return ""
    return draw(agent, t, still)


def child(play: str) -> subprocess.Popen[bytes] | None:
    """The child of a job that works in silence, turned by its standard input."""
    if play != "cpu_child":
        return None
    code = (
        "import sys, time\nfor _ in sys.stdin:\n end = time.process_time() + 0.8\n"
        " while time.process_time() < end: pass\n print(flush=True)"
    )
    return subprocess.Popen(
        [str(Path("/proc/self/exe").readlink()), "-ISc", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def main(kind: str, play: str, path: str) -> None:
    agent: Agent | Job = KINDS[kind](play) if kind in KINDS else Job(play)
    if kind in KINDS:
        tty.setraw(0)
        os.write(1, b"\x1b[?1049h" if kind in {"codex", "opencode", "raw"} else b"\x1b[2J\x1b[H")
    elif play == "password":
        modes = termios.tcgetattr(0)
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(0, termios.TCSANOW, modes)
    worker, still = child(play), list[str]()
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(path)
        for order in line.makefile():
            if worker is not None and worker.stdin is not None and worker.stdout is not None:
                worker.stdin.write(b"go\n")
                worker.stdin.flush()
                worker.stdout.readline()
            out = act(kind, play, float(order), agent, still).encode()
            os.write(1, out) if out else None
            line.sendall(json.dumps({"wrote": len(out)}).encode() + b"\n")
    tool = agent.tool if isinstance(agent, Agent) else None
    for one in (worker, tool):
        if one is not None:
            one.kill()
            one.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
