"""What agents write down about themselves is read with distrust."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from healmon.world.agentfiles import FILE_LIMIT
from healmon.world.processes import AgentFile, Identity
from healmon.world.system_processes import SystemProcesses
from tests.helpers.wait import until

SESSION = "3f2a6c1e-0000-4000-8000-123456789abc"
CODEX = """
import sys, time
f = open(sys.argv[1], 'a')
print('up', flush=True)
for line in sys.stdin: f.write(line); f.flush()
"""


class Agent:
    """A process with a home of its own."""

    def __init__(self, base: Path, code: str, *argv: str, **env: str) -> None:
        self.home = base / "home"
        self.config = self.home / ".claude"
        (self.config / "sessions").mkdir(parents=True)
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, *argv], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={"HOME": str(self.home), **env}, text=True,
        )  # fmt: skip
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "up\n"
        found = SystemProcesses().identify(self.process.pid)
        assert found is not None
        self.who: Identity = found

    @property
    def file(self) -> Path:
        return self.config / "sessions" / f"{self.who.pid}.json"

    def say(self, **more: object) -> None:
        said = {
            "pid": self.who.pid, "procStart": str(self.who.ticks), "status": "busy",
            "sessionId": SESSION, "cwd": "/srv/my project", "version": "2.1.197",
            "statusUpdatedAt": 1_700_000_000_500,
        }  # fmt: skip
        self.file.write_text(json.dumps(said | more))

    def look(self, agent: str = "claude") -> AgentFile | None:
        return SystemProcesses().agent_file(self.who, agent)

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()


WAIT = "import sys; print('up', flush=True); sys.stdin.read()"


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path, WAIT)
    yield made
    made.close()


def test_the_status_is_believed_when_it_names_the_process(agent: Agent) -> None:
    assert agent.look() is None
    agent.say(status="waiting", waitingFor="permission\x1b[31m")
    found = agent.look()
    assert found == AgentFile(
        status="waiting", waiting_for="permission␛[31m", changed=1_700_000_000.5, version="2.1.197"
    )


def test_the_transcript_tells_when_it_grew(agent: Agent) -> None:
    agent.say()
    transcript = agent.config / "projects" / "-srv-my-project" / f"{SESSION}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.write_text("{}\n" * 100)
    os.utime(transcript, (1_700_000_300, 1_700_000_300))
    found = agent.look()
    assert found is not None
    assert (found.size, found.changed) == (300, 1_700_000_300.0)


@pytest.mark.parametrize(
    "more",
    [
        {"procStart": "1"}, {"procStart": None}, {"procStart": ""}, {"procStart": 1.5},
    ],
    ids=str,
)  # fmt: skip
def test_another_process_with_the_same_pid_is_not_believed(agent: Agent, more: dict) -> None:
    agent.say(**more)
    assert agent.look() is None


@pytest.mark.parametrize(
    "more",
    [
        {"status": 7, "waitingFor": ["x"], "version": None},
        {"sessionId": "../../../../etc/passwd"}, {"sessionId": 5}, {"cwd": "../.."}, {"cwd": None},
        {"statusUpdatedAt": "soon"}, {"statusUpdatedAt": -1}, {"statusUpdatedAt": 1e300},
        {"statusUpdatedAt": True},
    ],
    ids=str,
)  # fmt: skip
def test_what_makes_no_sense_is_left_out(agent: Agent, more: dict) -> None:
    agent.say(**more)
    found = agent.look()
    assert found is not None
    assert found.size == 0
    assert found.changed in {0.0, 1_700_000_000.5}


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", '"x"', "\x00\xff", "{" * 5000])
def test_what_is_no_object_tells_nothing(agent: Agent, text: str) -> None:
    agent.file.write_text(text)
    assert agent.look() is None


def test_a_huge_file_is_not_read(agent: Agent) -> None:
    agent.say(padding="x" * FILE_LIMIT)
    assert agent.look() is None


def test_links_are_not_followed(agent: Agent, tmp_path: Path) -> None:
    agent.say()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    target = agent.file.rename(elsewhere / agent.file.name)
    agent.file.symlink_to(target)
    assert agent.look() is None
    agent.file.unlink()
    agent.file.parent.rmdir()
    agent.file.parent.symlink_to(elsewhere)
    assert agent.look() is None
    agent.file.parent.unlink()
    agent.file.parent.mkdir()
    target.rename(agent.file)
    assert agent.look() is not None


def test_a_transcript_behind_a_link_does_not_count(agent: Agent, tmp_path: Path) -> None:
    agent.say()
    outside = tmp_path / "outside"
    outside.write_text("text")
    transcript = agent.config / "projects" / "-srv-my-project" / f"{SESSION}.jsonl"
    transcript.parent.mkdir(parents=True)
    transcript.symlink_to(outside)
    found = agent.look()
    assert found is not None
    assert found.size == 0


def test_a_pipe_in_its_place_hangs_nobody(agent: Agent) -> None:
    os.mkfifo(agent.file)
    assert agent.look() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_file_is_not_read(agent: Agent) -> None:
    agent.say()
    os.chown(agent.file, 65534, 65534)
    assert agent.look() is None


def test_the_folder_is_the_one_that_the_process_uses(tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "sessions").mkdir(parents=True)
    agent = Agent(tmp_path, WAIT, CLAUDE_CONFIG_DIR=str(other))
    try:
        agent.config = other
        agent.say()
        assert agent.look() is not None
        agent.close()
        assert agent.look() is None, "the process is gone"
    finally:
        agent.close()


@pytest.mark.parametrize("folder", ["relative", "", "/no/such/folder"])
def test_a_folder_that_cannot_be_is_nothing(tmp_path: Path, folder: str) -> None:
    agent = Agent(tmp_path, WAIT, CLAUDE_CONFIG_DIR=folder)
    try:
        assert agent.look() is None
    finally:
        agent.close()


def rollout(home: Path, where: str, name: str = "rollout-2026-11-26T10-00-00-abc.jsonl") -> Path:
    path = home / where / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@pytest.mark.parametrize(
    ("where", "name", "counts"),
    [
        (".codex/sessions/2026/11/26", "rollout-2026-11-26T10-00-00-abc.jsonl", True),
        (".codex/log", "rollout-2026-11-26T10-00-00-abc.jsonl", False),
        (".codex/sessions/2026/11/26", "other.jsonl", False),
        ("elsewhere/.codex/sessions", "rollout-x.jsonl", False),
    ],
)
def test_a_rollout_counts_while_the_process_holds_it_open(
    tmp_path: Path, where: str, name: str, counts: bool
) -> None:
    path = rollout(tmp_path / "home", where, name)
    agent = Agent(tmp_path, CODEX, str(path))
    try:
        assert (agent.look("codex") == AgentFile(changed=path.stat().st_mtime)) is counts
        assert agent.process.stdin is not None
        agent.process.stdin.write("one line\n")
        agent.process.stdin.flush()
        until(lambda: path.stat().st_size, what="the line")
        found = agent.look("codex")
        assert (found is not None and found.size == 9) is counts
    finally:
        with suppress(BrokenPipeError):
            agent.close()
