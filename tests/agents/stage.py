"""Real agents in a private tmux, each with a home and an endpoint of its own, without a network."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from healmon.sessions.family import Signals, Table, family
from healmon.sessions.packs import bundled
from healmon.sessions.signs import Sign
from healmon.world.system_processes import SystemProcesses
from healmon.world.tmux import SystemTmux
from tests.helpers.tmuxes import PrivateTmux

KEY = "sk-made-up-0123456789-0123456789"
ASK = "please list the files and then summarise"
WIDTH, HEIGHT = 110, 40


class Stage:
    """Starts agents and looks at them as healmon does."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self.folder = folder
        self.programs = programs
        self.server = PrivateTmux(folder)
        self.tmux = SystemTmux()
        self.processes = SystemProcesses()
        self._endpoints: list[subprocess.Popen[bytes]] = []
        self._port = 8100

    def start(self, agent: str, mode: str, *, ask: str = ASK) -> str:
        """Start an agent whose endpoint answers in this mode; returns its pane."""
        self._port += 1
        if mode != "refuse":
            argv = [
                sys.executable,
                str(Path(__file__).with_name("endpoint.py")),
                str(self._port),
                mode,
            ]
            self._endpoints.append(subprocess.Popen(argv))
        home = self.folder / f"{agent}-{mode}"
        (home / "proj").mkdir(parents=True)
        env = {
            "HOME": str(home),
            "TERM": "xterm-256color",
            "LANG": "C.UTF-8",
            "PATH": os.environ["PATH"],
        }
        env |= getattr(self, agent)(home, f"http://127.0.0.1:{self._port}")
        command = [str(self.programs / agent)]
        if ask:
            command += [] if agent == "opencode" else (["-i", ask] if agent == "gemini" else [ask])
            command += ["--prompt", ask] if agent == "opencode" else []
        words = ["env", "-i", *(f"{key}={value}" for key, value in env.items()), *command]
        line = f"cd {shlex.quote(str(home / 'proj'))} && exec {shlex.join(words)}"
        return self.server.new(f"{agent}-{mode}", line, width=WIDTH, height=HEIGHT)

    def claude(self, home: Path, url: str) -> dict[str, str]:
        known = {"hasCompletedOnboarding": True, "theme": "dark", "numStartups": 9,
                 "customApiKeyResponses": {"approved": [KEY[-20:]], "rejected": []},
                 "projects": {str(home / "proj"): {"hasTrustDialogAccepted": True,
                                                   "projectOnboardingSeenCount": 9}}}  # fmt: skip
        (home / ".claude").mkdir()
        (home / ".claude" / ".claude.json").write_text(json.dumps(known))
        (home / ".claude.json").write_text(json.dumps(known))
        if home.name.endswith("background"):
            allowed = {"permissions": {"allow": ["Bash"]}}
            (home / ".claude" / "settings.json").write_text(json.dumps(allowed))
        return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": KEY, "DISABLE_AUTOUPDATER": "1",
                "CLAUDE_CONFIG_DIR": str(home / ".claude"),
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}  # fmt: skip

    def codex(self, home: Path, url: str) -> dict[str, str]:
        (home / ".codex").mkdir()
        (home / ".codex/config.toml").write_text(
            'model = "gpt-5"\nmodel_provider = "made-up"\napproval_policy = "on-request"\n'
            'sandbox_mode = "workspace-write"\ncheck_for_update_on_startup = false\n'
            f'[model_providers.made-up]\nname = "made-up"\nbase_url = "{url}/v1"\n'
            f'env_key = "MADE_UP_KEY"\n'
            f'wire_api = "responses"\n[projects."{home / "proj"}"]\ntrust_level = "trusted"\n'
        )
        return {"CODEX_HOME": str(home / ".codex"), "MADE_UP_KEY": KEY}

    def gemini(self, home: Path, url: str) -> dict[str, str]:
        (home / ".gemini").mkdir()
        settings = {"security": {"auth": {"selectedType": "gemini-api-key"},
                                 "folderTrust": {"enabled": False}},
                    "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
                    "privacy": {"usageStatisticsEnabled": False},
                    "model": {"name": "gemini-2.5-flash"}}  # fmt: skip
        (home / ".gemini/settings.json").write_text(json.dumps(settings))
        return {"GEMINI_API_KEY": KEY, "GOOGLE_GEMINI_BASE_URL": url, "NO_UPDATE_NOTIFIER": "1",
                "GEMINI_CLI_NO_RELAUNCH": "1", "GEMINI_MODEL": "gemini-2.5-flash"}  # fmt: skip

    def opencode(self, home: Path, url: str) -> dict[str, str]:
        (home / ".config/opencode").mkdir(parents=True)
        provider = {"npm": "@ai-sdk/openai-compatible", "name": "fake",
                    "options": {"baseURL": f"{url}/v1", "apiKey": KEY},
                    "models": {"m": {"name": "m"}}}  # fmt: skip
        config = {"$schema": "https://opencode.ai/config.json", "provider": {"fake": provider},
                  "model": "fake/m", "small_model": "fake/m", "autoupdate": False,
                  "permission": {"bash": "ask"}, "share": "disabled"}  # fmt: skip
        (home / ".config/opencode/opencode.json").write_text(json.dumps(config))
        return {"OPENCODE_DISABLE_AUTOUPDATE": "1", "OPENCODE_DISABLE_MODELS_FETCH": "1"}

    def look(self, pane: str) -> tuple[str, str, Sign, str]:
        """Return which agent it is, its title, what its screen says, and the screen."""
        now = next(p for p in self.tmux.panes(self.server.socket) if p.id == pane)
        screen = self.tmux.screens(self.server.socket, [now]).get(pane, "")
        terminal = self.tmux.terminal(now)
        kin = family(Table(self.processes.everyone()), now.pid, terminal, Signals(), bundled())
        return kin.agent, now.title, bundled().read(kin.agent, screen, now.title, terminal), screen

    def close(self) -> None:
        """End everything that was started, by pid."""
        panes = self.server.run("list-panes", "-a", "-F", "#{pane_pid}").split()
        table = Table(self.processes.everyone())
        everyone = [
            facts.identity for pid in panes if pid.isdigit() for facts in table.under(int(pid))
        ]
        self.server.close()
        for identity in everyone:
            self.processes.signal(identity, 9)
        for one in self._endpoints:
            one.kill()
            one.wait()
