"""What a screen, a title and a command line tell of the program behind them. Pure.

The words are those of four agents (Claude Code, Codex, Gemini CLI, OpenCode) and of programs that
speak like them; what is not recognised stays unknown.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Final

import msgspec

from healmon.world.terminal import Terminal

FOOT, TAIL = 8, 16
"""Lines at the end of a screen, blank ones not counted, where footers and questions stand."""

_BUSY: Final = re.compile(r"\besc (?:again )?(?:to )?interrupt\b|\(esc to cancel,", re.IGNORECASE)
_BUSY_TITLE: Final = re.compile("[\u2801-\u28ff✦]")
_IDLE: Final = re.compile(r"\? for shortcuts|\bctrl\+p commands\b", re.IGNORECASE)
_IDLE_TITLE: Final = re.compile("[✳◇]")
_ASKING_TITLE: Final = re.compile(r"✋|\[ ! \] Action Required")
_CANCELLED: Final = re.compile(
    r"\binterrupted · |· interrupted\b|\bconversation interrupted\b|\brequest cancelled\b"
    r"|\binterrupted by (?:the )?user\b|^\W*interrupted\b",
    re.IGNORECASE,
)
_APPROVAL: Final = tuple(
    (re.compile(question, re.IGNORECASE), re.compile(choice, re.IGNORECASE))
    for question, choice in (
        (r"\bdo you want to\b.*\?", r"^\W*1\. yes\b"),
        (r"\bwould you like to\b.*\?", r"^\W*1\. yes\b"),
        (r"\ballow execution of\b", r"^\W*1\. allow once\b"),
        (r"\bpermission required\b", r"\ballow once\b.*\breject\b"),
        (r"\bpress enter to confirm or esc to cancel\b", r"^\W*1\. "),
    )
)
_ASKING: Final = re.compile(
    r"[\[(]\s*y(?:es)?\s*[/|]\s*n(?:o)?(?:\s*[/|][^\n]{0,24})?\s*[\])]\s*[:?>]*\s*\S{0,3}$"
    r"|\b(?:press|hit) (?:enter|return|any key)\b"
    r"|\b(?:password|passphrase|passcode)\b[^:\n]{0,80}:\s*$",
    re.IGNORECASE,
)
_PROMPT_END: Final = re.compile(r"[?:>\])]\s*$")

RUNNERS: Final = frozenset({"node", "bun", "deno", "npx", "nodejs"})
AGENTS: Final = frozenset({"claude", "codex", "gemini", "opencode"})
_PACKAGES: Final = {
    "@anthropic-ai/claude-code": "claude",
    "@openai/codex": "codex",
    "@google/gemini-cli": "gemini",
}
SHELLS: Final = frozenset(
    (
        "bash", "zsh", "sh", "dash", "ash", "fish", "ksh", "mksh", "tcsh", "csh", "nu", "xonsh",
        "elvish", "pwsh",
    )
)  # fmt: skip


class Cues(msgspec.Struct, frozen=True):
    """What a pane says of itself.

    Attributes:
        busy: it says that it works.
        idle: it says that it waits for the next order.
        question: what it asks a person, or empty.
        cancelled: how often the screen says that a turn was cancelled.
        last_line: the last line that says anything.
    """

    busy: bool = False
    idle: bool = False
    question: str = ""
    cancelled: int = 0
    last_line: str = ""


def read(screen: str, title: str, terminal: Terminal | None) -> Cues:
    """Return what a screen, its title and its terminal say."""
    lines = [line.strip() for line in screen.split("\n") if line.strip()]
    question = _question(lines[-TAIL:], title, terminal)
    foot = "\n".join(lines[-FOOT:])
    busy = bool(_BUSY.search(foot) or _BUSY_TITLE.match(title)) and not question
    idle = bool(_IDLE_TITLE.match(title) or _IDLE.search(foot)) and not busy and not question
    return Cues(
        busy=busy,
        idle=idle,
        question=question,
        cancelled=sum(1 for line in lines if _CANCELLED.search(line)),
        last_line=next((_squeezed(line) for line in reversed(lines) if _says(line)), ""),
    )


def _says(line: str) -> bool:
    """Return whether a line is more than a rule, a prompt or a footer."""
    return any(map(str.isalnum, line)) and not _BUSY.search(line) and not _IDLE.search(line)


def _squeezed(line: str) -> str:
    return " ".join(line.split())


def _question(tail: Sequence[str], title: str, terminal: Terminal | None) -> str:
    last = tail[-1] if tail else ""
    if terminal is not None and terminal.secret:
        return last or "a password"
    for question, choice in _APPROVAL:
        asked = next((line for line in tail if question.search(line)), None)
        if asked is not None and any(choice.search(line) for line in tail):
            return asked.strip("│┃ ")
    if _ASKING_TITLE.match(title):
        return title
    if _ASKING.search(last):
        return last
    waits = terminal is not None and terminal.reading and terminal.echo
    return last if waits and _PROMPT_END.search(last) else ""


def agent_of(argv: Sequence[str]) -> str:
    """Return which agent a command line starts, or empty."""
    if not argv:
        return ""
    name = _stem(argv[0])
    if name in AGENTS:
        return name
    if name in RUNNERS:
        script = next((word for word in argv[1:] if not word.startswith("-")), "")
        for package, agent in _PACKAGES.items():
            if f"/{package}/" in script:
                return agent
        return _stem(script) if _stem(script) in AGENTS else ""
    return ""


def is_shell(argv: Sequence[str]) -> bool:
    """Return whether a command line is a shell for people, not one that runs a script."""
    if not argv or _stem(argv[0].lstrip("-")) not in SHELLS:
        return False
    return all(word.startswith("-") and not _runs_text(word) for word in argv[1:])


def chords(
    interrupt: Sequence[str], terminal: Terminal | None, agent: str
) -> tuple[tuple[tuple[str, ...], ...], str]:
    """Return which keys interrupt the program in the foreground, and why none may be pressed.

    Each inner tuple is one step: its keys follow each other before anything is verified.
    """
    one_by_one = tuple((key,) for key in interrupt)
    if terminal is None:
        return (), "its terminal cannot be read"
    if terminal.signals or agent == "claude":
        return one_by_one, ""
    if agent in {"codex", "gemini"}:  # Ctrl-C ends them as soon as they are idle
        return (("Escape",),), ""
    if agent == "opencode":  # Ctrl-C ends it always; the first Escape only asks
        return (("Escape", "Escape"),), ""
    return (), "a program in raw mode that healmon does not know: no key is safe to press"


def _stem(path: str) -> str:
    name = PurePosixPath(path).name
    for suffix in (".js", ".mjs", ".cjs", ".ts"):
        name = name.removesuffix(suffix)
    return name


def _runs_text(option: str) -> bool:
    return not option.startswith("--") and "c" in option
