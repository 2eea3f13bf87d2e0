"""Installs the four agents (npm) and tests them in a network of their own: loopback only.

    python -m tests.agents.prepare [CACHE] [pytest's arguments]

Without npm, without a network to install from, or where no network namespace may be made, it says
why and ends with 0: these tests are optional. Nothing is installed outside CACHE.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = (
    "@anthropic-ai/claude-code@2.1.197", "@openai/codex@0.169.0", "@google/gemini-cli@0.61.0",
    "opencode-ai@1.18.33",
)  # fmt: skip
SCRIPTS = ("@anthropic-ai/claude-code", "opencode-ai")
"""Packages whose install script fetches nothing and puts the program into its place."""
AGENTS = ("claude", "codex", "gemini", "opencode")


def skip(why: str) -> int:
    print(f"tests with real agents are skipped: {why}")
    return 0


def installed(cache: Path) -> str:
    """Install what is missing; return why that is not possible, or empty."""
    programs = cache / "node_modules/.bin"
    if all((programs / agent).exists() for agent in AGENTS):
        return ""
    npm = shutil.which("npm")
    if npm is None:
        return "npm is not installed"
    cache.mkdir(parents=True, exist_ok=True)
    quiet = ["--prefix", str(cache), "--no-audit", "--no-fund", "--loglevel", "error"]
    for words in (["install", "--ignore-scripts", *PACKAGES], ["rebuild", *SCRIPTS]):
        done = subprocess.run([npm, *words, *quiet], capture_output=True, text=True, cwd=cache)
        if done.returncode:
            return f"npm {words[0]} failed: {(done.stderr or done.stdout).strip()[-300:]}"
    missing = [agent for agent in AGENTS if not (programs / agent).exists()]
    return f"npm did not bring {', '.join(missing)}" if missing else ""


def apart() -> list[str]:
    """Return the words that run a command without a network, or nothing."""
    unshare = shutil.which("unshare")
    for words in (["-n"], ["-r", "-n"]):
        if (
            unshare is not None
            and not subprocess.run(
                [unshare, *words, "true"], capture_output=True, check=False
            ).returncode
        ):
            return [unshare, *words]
    return []


def main(words: list[str]) -> int:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    own = bool(words) and not words[0].startswith("-")
    cache = Path(words.pop(0)).absolute() if own else home / "healmon-agents"
    why = installed(cache)
    if why:
        return skip(why)
    alone = apart()
    if not alone:
        return skip("no network namespace may be made here (unshare -n)")
    env = {**os.environ, "HEALMON_AGENTS": str(cache / "node_modules/.bin")}
    pytest = [sys.executable, "-m", "pytest", "tests/agents", "-v", "-rs", *words]
    return subprocess.run([*alone, *pytest], env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
