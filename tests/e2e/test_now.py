"""`--now`: overrides without a healer that runs, with real workers, sessions and files."""

from __future__ import annotations

import json
import time

import pytest

from healmon.cli import main
from tests.helpers.box import alive
from tests.helpers.wait import until


def test_without_a_healer_it_says_so_and_how(box):
    box.write(box.worker("w"))
    for words in (["restart", "w"], ["clear", "s"], ["ack", "1"], ["pause", "--for", "1h"]):
        answer = box.healmon(*words)
        assert answer.returncode == 75, words
        assert "--now" in answer.stderr


@pytest.mark.slow
def test_workers_are_started_restarted_and_stopped_here_and_nothing_else_is(box):
    code = "import time\nwhile True: time.sleep(1)\n"
    box.write(box.worker("w", min_uptime="200ms"), box.worker("other", code))
    done = box.healmon("start-worker", "w", "--now", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ok"] is True
    (first,) = box.started_pids()
    assert alive(first)
    # it was down, too, and nobody asked for it
    plans = box.events("planmade")
    assert [(p["plan"]["component"], p["plan"]["action"]) for p in plans] == [("w", "start_worker")]
    done = box.healmon("restart", "w", "--now")
    assert done.returncode == 0, done.stderr
    second = box.started_pids()[1]
    assert (alive(first), alive(second)) == (False, True)
    assert f"pid {first} gone" in done.stdout
    assert box.healmon("stop-worker", "w", "--now").returncode == 0
    assert not alive(second)
    # the next healer knows that a person stopped it
    box.healmon("once")
    assert not [p for p in box.started_pids() if alive(p)]
    assert box.rows("SELECT state FROM commands") == [("done",)] * 3


def test_what_does_not_exist_or_must_not_be_is_65_and_the_lock_is_free_again(box, capsys):
    box.write(box.worker("w"))
    where = ["--config", str(box.config), "--state-dir", str(box.state)]

    def run(*words: str) -> tuple[int, str]:
        code = main([*words, "--now", *where])
        return code, capsys.readouterr().err

    assert run("restart", "nope")[0] == 65
    assert run("ack", "7")[0] == 65
    assert run("pause", "--for", "1h")[0] == 0
    code, said = run("restart", "w")
    assert (code, "maintenance" in said) == (65, True)
    assert run("resume")[0] == 0
    code, said = run("restart", "w", "--dry-run")
    assert (code, "dry run" in said) == (65, True)
    assert box.started_pids() == []
    assert box.run("--status").returncode == 3


@pytest.mark.slow
def test_with_a_healer_it_is_sent_to_that_one(box):
    box.write(box.worker("w", min_uptime="200ms"))
    assert box.run("--daemon").returncode == 0
    until(lambda: box.events("actionverified"), 20, "the first start")
    assert box.healmon("restart", "w", "--now").returncode == 0
    assert {e["mode"] for e in box.events("enginestarted")} == {"daemon"}
    assert len([p for p in box.started_pids() if alive(p)]) == 1
    assert box.run("--stop").returncode == 0


def test_a_wrong_configuration_is_78_and_nothing_is_done(box):
    box.config.write_text("[monitor]\nnonsense = 1\n")
    answer = box.healmon("restart", "w", "--now", "--state-dir", str(box.state))
    assert answer.returncode == 78
    assert "nonsense" in answer.stderr


def test_cleaning_and_restoring_are_proved_here(box):
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
    until(lambda: time.time() - newest > 1.2, 5, "files that are old enough")
    done = box.healmon("clean", str(logs), "--now")
    assert done.returncode == 0, done.stderr
    gone = 3 - len(list(logs.glob("*.log")))
    assert gone > 0
    listed = json.loads(box.healmon("restore", "--json").stdout)
    back = box.healmon("restore", listed[0]["run"], "--now")
    assert back.returncode == 0, back.stderr
    assert len(list(logs.glob("*.log"))) == 3
