"""A small program that looks and answers keys like one of four agents.

    FAKE_KIND=claude claude -IS fakeagent.py STATE LOG [deaf] [brittle]

`claude` is a link to Python: its name is what others see. Each key that it reads is a line of LOG.

States: stream, hung, title, retry, rate, approval, question, idle, gave_up, unsent, tool, frozen.
`frozen` paints once and never reads again. `deaf` reads every key and does nothing about it;
`brittle` ends at the first Ctrl-C; `burn` works hard at painting.

`subprocess` and `pathlib` take longer to load than all else here together, and hardly any of the
hundreds that are started needs them.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import time
import tty

TICK = 0.05
SPIN = "⠋⠙⠹⠸⠼⠴⠦⠧"
RULE = "─" * 90
NAMES = {b"\x03": "C-c", b"\x1b": "Escape", b"\r": "Enter", b"\n": "Enter", b"\x04": "C-d"}
HINT = {
    "claude": "claude --resume 0a1b2c3d-0000-4000-8000-0123456789ab",
    "codex": "codex resume 0a1b2c3d",
    "gemini": "gemini --resume 7",
    "opencode": "opencode -s ses_0a1b2c3d",
}
BUSY = {"stream", "hung", "title", "retry", "rate", "tool", "frozen"}


class Agent:
    def __init__(self, kind: str, state: str, log: str, deaf: bool) -> None:
        self.kind, self.state, self.log, self.deaf = kind, state, log, deaf
        self.do, self.say = f"{log}.do", f"{log}.say"
        self.followed: list[str] = []
        self.began = time.monotonic()
        self.said: list[str] = []
        self.words = 0
        self.asked_at = -10.0
        self.armed_at = -10.0
        self.tool = None
        self.still = ""

    # What it shows.

    def seconds(self) -> int:
        return int(time.monotonic() - self.began)

    def frame(self) -> str:
        return SPIN[int(time.monotonic() * 10) % len(SPIN)]

    def title(self) -> str:
        busy, asks = self.state in BUSY, self.state in {"approval", "question"}
        spin = SPIN[0] if self.state == "frozen" else self.frame()
        if self.kind == "claude":
            return f"{spin} mending" if busy else "✳ mending"
        if self.kind == "codex":
            ask = "[ ! ] Action Required | work"
            return f"{spin} work" if busy else (ask if asks else "work")
        if self.kind == "gemini":
            return (
                "✦ Working… (work)"
                if busy
                else ("✋ Action Required (work)" if asks else "◇ Ready (work)")
            )
        return "OC | work"

    def screen(self) -> list[str]:
        return {
            "claude": self.claude, "codex": self.codex, "gemini": self.gemini,
            "opencode": self.opencode,
        }[self.kind]()  # fmt: skip

    def status(self) -> str:
        """The line that says what goes on."""
        n, spin = self.seconds(), self.frame()
        if self.state in {"title", "stream"}:
            return ""
        if self.state == "retry":
            return {
                "claude": f"✻ API error · Retrying in {9 - n % 9}s · attempt {min(n // 2, 9)}/10",
                "codex": f"• Reconnecting... {n % 5 + 1}/5 ({n}s • esc to interrupt)",
                "gemini": f"{spin} Trying to reach it (Attempt {n % 9}/9) (esc to cancel, {n}s)",
                "opencode": "",
            }[self.kind]
        if self.state == "tool":
            return {
                "claude": f"  ⎿  Running… ({n}s · timeout 10m)",
                "codex": f"• Running sleep 300\n• Working ({n}s • esc to interrupt)",
                "gemini": f"⊷ Shell sleep 300\n{spin} Thinking... (esc to cancel, {n}s)",
                "opencode": "",
            }[self.kind]
        return {
            "claude": f"✶ Galloping… ({n}s · ↓ 24 tokens)",
            "codex": f"• Working ({n}s • esc to interrupt)",
            "gemini": f"{spin} Thinking... (esc to cancel, {n}s)",
            "opencode": "",
        }[self.kind]

    def claude(self) -> list[str]:
        if self.state == "approval":
            return [
                *self.said, RULE, " Bash command", "", "   make clean", "",
                " Do you want to proceed?", " ❯ 1. Yes",
                "   2. Yes, and don't ask again", "   3. No", "",
                " Esc to cancel · Tab to amend",
            ]  # fmt: skip
        busy = self.state in BUSY
        typed = "please mend the roof" if self.state == "unsent" else ""
        fault = ["● API Error: 529 Overloaded."] if self.state == "gave_up" else []
        foot = "  esc to interrupt · ← for agents" if busy else "  ? for shortcuts · ← for agents"
        work = self.status().split("\n") if busy else []
        return [*self.said, *fault, "", *work, "", RULE, f"❯ {typed}", RULE, foot]

    def codex(self) -> list[str]:
        if self.state == "approval":
            return [
                *self.said, "  Would you like to run the following command?", "",
                "  $ sleep 300; touch x", "", "› 1. Yes, proceed (y)",
                "  2. Yes, and don't ask again (p)",
                "  3. No, and tell Codex what to do differently (esc)", "",
                "  Press enter to confirm or esc to cancel",
            ]  # fmt: skip
        fault = ["■ unexpected status 401 Unauthorized"] if self.state == "gave_up" else []
        work = self.status().split("\n") if self.state in BUSY else []
        typed = "please mend the roof" if self.state == "unsent" else "Ask Codex to do anything"
        return [*self.said, *fault, "", *work, "", f"› {typed}", "", "  gpt-5 default · ~/proj",
                "  ← for agents · ? for shortcuts"]  # fmt: skip

    def gemini(self) -> list[str]:
        if self.state == "approval":
            return [
                *self.said, "╭" + "─" * 60 + "╮", "│ ? Shell  sleep 300 │",
                "│ Allow execution of [Shell]?  │", "│                │",
                "│ ● 1. Allow once              │", "│   2. Allow for this session  │",
                "│   3. No, suggest changes (esc) │", "╰" + "─" * 60 + "╯",
            ]  # fmt: skip
        fault = ["✕ [API Error: got status 401]"] if self.state == "gave_up" else []
        work = self.status().split("\n") if self.state in BUSY else []
        hint = [] if self.state in BUSY else ["                       ? for shortcuts"]
        typed = (
            "please mend the roof"
            if self.state == "unsent"
            else "  Type your message or @path/to/file"
        )
        return [*self.said, *fault, "", *work, *hint, RULE, f" > {typed}", "", " ~/proj"]

    def opencode(self) -> list[str]:
        if self.state == "approval":
            return [
                *self.said, "  ┃", "  ┃  △ Permission required", "  ┃    # Shell command", "  ┃",
                "  ┃  $ sleep 300", "  ┃",
                "  ┃   Allow once   Allow always   Reject   ⇆ select  enter confirm",
                "  ┃",
            ]  # fmt: skip
        foot = "   ~/proj            tab agents  ctrl+p commands"
        if self.state in BUSY:
            asks = time.monotonic() - self.asked_at < 5
            bar = "■" * (int(time.monotonic() * 8) % 6 + 1)
            word = "esc again to interrupt" if asks else "esc interrupt"
            foot = f"   {bar}⬝⬝  {word}            tab agents  ctrl+p commands"
            if self.state == "retry":
                n = self.seconds()
                foot = (
                    f"   {bar} Internal server error"
                    f" [retrying in {9 - n % 9}s attempt #{n // 2 + 1}]"
                    f"  {word}  tab agents  ctrl+p commands"
                )
        return [*self.said, "  ┃", "  ┃", "  ┃", "  ┃  Build · m fake", "  ╹" + "▀" * 60, foot]

    def paint(self) -> None:
        lines = self.screen()[-28:]
        text = "\r\n".join(f"{line}\x1b[K" for line in "\n".join(lines).split("\n"))
        out = f"\x1b]2;{self.title()}\x07"
        if text != self.still:
            out += f"\x1b[H{text}\x1b[J"
            self.still = text
        os.write(1, out.encode())

    # What it does.

    def key(self, key: bytes) -> bool:
        """Take one key; False: it ends."""
        name = NAMES.get(key, key.decode("utf-8", "replace"))
        with open(self.log, "a") as file:
            file.write(f"{name}\n")
        if self.deaf:
            return True
        if self.state in {"approval", "question"}:
            return self.answer(name)
        now = time.monotonic()
        if name == "Enter" and self.state == "unsent":
            self.state, self.began = "stream", now
        if name == "C-c":
            if "brittle" in sys.argv:
                return False
            if self.kind == "opencode" or (self.kind == "codex" and self.state not in BUSY):
                return False
            if self.state in BUSY:
                self.cancel()
            elif now - self.armed_at < 0.8:
                return False
            self.armed_at = now
        elif name == "Escape" and self.state in BUSY:
            if self.kind == "opencode" and now - self.asked_at > 5:
                self.asked_at = now
            else:
                self.cancel()
        return True

    def answer(self, name: str) -> bool:
        if name in {"1", "y", "Enter"}:
            self.said.append("  answered: yes")
            self.state, self.began = "stream", time.monotonic()
        elif name in {"3", "Escape"}:
            self.said.append("  answered: no")
            self.state = "idle"
        elif name == "C-c" and self.kind != "claude":
            self.cancel()
        return True

    def cancel(self) -> None:
        said = {
            "claude": "  ⎿  Interrupted · What should Claude do instead?",
            "codex": "■ Conversation interrupted - tell the model what to do differently",
            "gemini": "ℹ Request cancelled.",
            "opencode": "     ▣  Build · m · interrupted",
        }
        self.said.append(said[self.kind])
        self.state = "idle"

    def order(self, path: str) -> str:
        """Return what a file says; it goes once that is shown."""
        with open(path) as file:
            self.followed.append(path)
            return file.read()

    def step(self) -> None:
        if os.path.exists(self.do):
            self.state = self.order(self.do).strip() or self.state
            self.began = time.monotonic()
        if os.path.exists(self.say):
            self.said += self.order(self.say).split("\n")
        if self.state == "stream":
            self.words += 1
            if self.words % 4 == 0:
                self.said.append(f"  word{self.words} of a long answer {self.words * 7919}")
        if self.state == "tool" and self.tool is None:
            import subprocess

            self.tool = subprocess.Popen(["sleep", "300"])
        if self.tool is not None and (self.state != "tool" or self.tool.poll() is not None):
            if self.tool.poll() is None:
                self.tool.kill()
            else:
                self.said.append(f"  its tool ended: {self.tool.returncode}")
                self.state = "stream"
            self.tool.wait()
            self.tool = None
        if "burn" in sys.argv:
            end = time.monotonic() + TICK
            while time.monotonic() < end:
                pass
        self.said = self.said[-60:]

    def run(self) -> None:
        while True:
            self.step()
            self.paint()
            for path in self.followed:
                os.unlink(path)
            self.followed = []
            if self.state == "frozen":
                while not os.path.exists(self.do):
                    time.sleep(TICK)
                continue
            if select.select([0], [], [], TICK)[0]:
                data = os.read(0, 64)
                for byte in data:
                    if not self.key(bytes([byte])):
                        return


def main() -> None:
    kind, state, log = os.environ["FAKE_KIND"], sys.argv[1], sys.argv[2]
    before = termios.tcgetattr(0)
    tty.setraw(0)
    alternate = kind in {"codex", "opencode"}
    os.write(1, b"\x1b[?1049h" if alternate else b"\x1b[2J\x1b[H")
    agent = Agent(kind, state, log, "deaf" in sys.argv)
    try:
        agent.run()
    finally:
        if agent.tool is not None:
            agent.tool.kill()
        termios.tcsetattr(0, termios.TCSADRAIN, before)
        end = "\x1b[?1049l" if alternate else "\x1b[2J\x1b[H"
        os.write(1, f"{end}\x1b]2;\x07\r\n\r\nto go on: {HINT[kind]}\r\n".encode())


if __name__ == "__main__":
    main()
