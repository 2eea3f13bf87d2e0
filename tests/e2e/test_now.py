"""`--now`: overrides without a healer that runs, with real workers, sessions and files."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

from healmon.cli import main
from healmon.engine import Engine
from tests.helpers.box import UP, alive
from tests.helpers.wait import until


@pytest.fixture
def run(box, capsys):
    """Type a command; give its exit code, what it said and what it complained of."""

    def typed(*words: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*words, "--config", str(box.config), "--state-dir", str(box.state)])
        said = capsys.readouterr()
        return code, said.out, said.err

    return typed


def test_without_a_healer_it_says_so_and_how(box, run):
    box.write(box.worker("w"))
    for words in (["restart", "w"], ["clear", "s"], ["ack", "1"], ["pause", "--for", "1h"]):
        code, _, said = run(*words)
        assert (code, "--now" in said) == (75, True), words


@pytest.mark.slow
def test_workers_are_started_restarted_and_stopped_here_and_nothing_else_is(box, run):
    code = "import time\nwhile True: time.sleep(1)\n"
    box.write(box.worker("w", min_uptime="200ms", ready=UP), box.worker("other", code))
    done = box.healmon("start-worker", "w", "--now", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
    (first,) = box.started_pids()
    assert alive(first)
    # it was down, too, and nobody asked for it
    plans = box.events("planmade")
    assert [(p["plan"]["component"], p["plan"]["action"]) for p in plans] == [("w", "start_worker")]
    ended, said, why = run("restart", "w", "--now")
    assert ended == 0, why
    second = box.started_pids()[1]
    assert (alive(first), alive(second)) == (False, True)
    assert f"pid {first} gone" in said
    assert run("stop-worker", "w", "--now")[0] == 0
    assert not alive(second)
    # the next healer knows that a person stopped it
    box.healmon("once")
    assert not [p for p in box.started_pids() if alive(p)]
    assert box.rows("SELECT state FROM commands") == [("done",)] * 3


def test_what_does_not_exist_or_must_not_be_is_65_and_the_lock_is_free_again(box, run):
    box.write(box.worker("w"))
    assert run("restart", "nope", "--now")[0] == 65
    assert run("ack", "7", "--now")[0] == 65
    assert run("pause", "--for", "1h", "--now")[0] == 0
    code, _, said = run("restart", "w", "--now")
    assert (code, "maintenance" in said) == (65, True)
    assert run("resume", "--now")[0] == 0
    code, said, _ = run("start-worker", "w", "--now", "--dry-run")
    assert (code, "would start_worker w" in said, "dry run" in said) == (0, True, True)
    assert box.started_pids() == []
    assert run("status")[0] == 3


@pytest.mark.slow
def test_several_at_once_take_turns_and_there_is_one_copy(box):
    box.write(box.worker("w", min_uptime="200ms", ready=UP))
    words = box.argv("restart", "w", "--now", program="healmon")
    runs = [
        subprocess.Popen(words, env=box.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    said = [run.communicate(timeout=120)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], said
    assert len(box.started_pids()) == 3
    assert len([pid for pid in box.started_pids() if alive(pid)]) == 1


@pytest.mark.slow
def test_with_a_healer_it_is_sent_to_that_one(box):
    box.write(box.worker("w", min_uptime="200ms", ready=UP))
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 60, "the first start")
    (pid,) = box.started_pids()
    dry = box.healmon("restart", "w", "--dry-run", "--json")
    assert json.loads(dry.stdout)["plan"]["action"] == "restart_worker"
    assert alive(pid)
    assert box.started_pids() == [pid]
    assert box.healmon("restart", "w", "--now").returncode == 0
    assert {e["mode"] for e in box.events("enginestarted")} == {"daemon"}
    assert len([p for p in box.started_pids() if alive(p)]) == 1
    assert box.run("--stop").returncode == 0


def test_a_wrong_configuration_is_78_and_nothing_is_done(box, run):
    box.config.write_text("[monitor]\nnonsense = 1\n")
    code, _, said = run("restart", "w", "--now")
    assert (code, "nonsense" in said) == (78, True)


@pytest.mark.slow
def test_cleaning_and_restoring_are_proved_here(box, run):
    logs = box.base / "logs"
    logs.mkdir()
    for number in range(3):
        (logs / f"{number}.log").write_bytes(b"x" * 400_000)
    box.config.write_text(
        f'[monitor]\nname = "box"\n[sessions]\nsockets = []\n'
        f'[disk]\npaths = []\nbudgets = [{{ path = "{logs}", limit = "1MB" }}]\n'
        f'[[disk.rules]]\nname = "logs"\npaths = ["{logs}"]\npatterns = ["*.log"]\n'
        'older_than = "1s"\naction = "trash"\n'
    )
    newest = (logs / "2.log").stat().st_ctime
    until(lambda: time.time() - newest > 1.2, 60, "files that are old enough")
    code, _, why = run("clean", str(logs), "--now")
    assert code == 0, why
    assert 3 - len(list(logs.glob("*.log"))) > 0
    listed = json.loads(run("restore", "--json")[1])
    told = json.loads(run("restore", listed[0]["id"], "--dry-run", "--json")[1])
    assert (told["verb"], told["text"][:15]) == ("restore", "would take back")
    code, _, why = run("restore", listed[0]["run"], "--now")
    assert code == 0, why
    assert len(list(logs.glob("*.log"))) == 3


def test_one_rule_goes_alone_and_without_a_name_all_do(box, run):
    logs, left = box.base / "logs", box.base / "left"
    for folder, name in ((logs, "a.log"), (left, "a.tmp")):
        folder.mkdir()
        (folder / name).write_bytes(b"x" * 4000)
    box.config.write_text(
        f'[monitor]\nname = "box"\n[sessions]\nsockets = []\n[disk]\npaths = []\n'
        f'budgets = [{{ path = "{logs}", limit = "1MB" }}, {{ path = "{left}", limit = "1MB" }}]\n'
        f'[[disk.rules]]\nname = "logs"\npaths = ["{logs}"]\npatterns = ["*.log"]\n'
        f'older_than = "1s"\n[[disk.rules]]\nname = "left"\npaths = ["{left}"]\n'
        'patterns = ["*.tmp"]\nolder_than = "1s"\n'
    )
    newest = (left / "a.tmp").stat().st_ctime
    until(lambda: time.time() - newest > 1.2, 30, "files that are old enough")
    code, _, why = run("clean", "lost", "--now")
    assert (code, "there is: " in why, "logs, left" in why) == (65, True, True)
    assert run("clean", "left", "--now")[0] == 0
    assert not [*left.glob("*.tmp")]
    assert [*logs.glob("*.log")]
    code, said, _ = run("clean", "--now", "--json")
    told = [json.loads(line) for line in said.splitlines()]
    assert (code, [one["target"] for one in told]) == (0, [f"disk:{logs}", f"disk:{left}"])
    assert not [*logs.glob("*.log")]


@pytest.mark.parametrize("late", [False, True])
def test_a_healer_of_our_own_that_fails_is_told_and_not_waited_for(box, run, monkeypatch, late):
    box.write()

    async def fails(self, ready, *, look):
        if late:
            ready.set()
        raise RuntimeError("odd")

    monkeypatch.setattr(Engine, "serve", fails)
    began = time.monotonic()
    code, _, said = run("ack", "1", "--now")
    assert (code, "could not be done here: RuntimeError: odd" in said) == (75, True), said
    assert time.monotonic() - began < 45
    assert run("status")[0] == 3


@pytest.mark.slow
@pytest.mark.parametrize("words", [("once",), ("restart", "w", "--now")])
def test_a_signal_in_the_middle_ends_them_in_order(box, words):
    box.write(box.worker("w", min_uptime="5m"))
    with subprocess.Popen(
        box.argv(*words, program="healmon"), env=box.env, stdout=subprocess.DEVNULL
    ) as healer:
        until(lambda: box.events("steptaken"), 60, "the start under way")
        healer.terminate()
    assert healer.returncode == 128 + signal.SIGTERM
    assert box.events("planabandoned")
    assert box.events("enginestopped")
