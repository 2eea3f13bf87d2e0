"""People and the inbox, through the commands that they type, on a real healer."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from healmon import cli
from tests.helpers.wait import until

pytestmark = pytest.mark.slow


class Said(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def test_known_silenced_paused_and_all_of_it_taken_back(box, capsys):
    def healmon(*words: str) -> Said:
        where = ["--config", str(box.config), "--state-dir", str(box.state)]
        code = cli.main([words[0], *where, *words[1:]])
        return Said(code, *capsys.readouterr())

    box.write(box.worker("well"), box.worker("a", script=str(box.base / "none.py")), interval="1h")
    assert box.run("--daemon").returncode == 0
    inbox = "SELECT id FROM health_alerts WHERE resolved = 0 AND component = 'a'"
    (number,) = until(lambda: box.rows(inbox), 60, "its alert")[0]

    # one bad id is told, the other is done
    known = healmon("ack", "999", str(number), "--note", "it is on its way", "--for", "2h")
    assert known.returncode == 65
    assert known.stdout.startswith("acknowledged for 2h")
    assert "no open alert 999" in known.stderr

    # what matches is said first; a dry run saves nothing
    words = ("silence", "component=a,b*", "healer=workers", "--for", "2h", "--note", "rebuilding")
    dry = healmon(*words, "--dry-run")
    assert dry.returncode == 0
    assert "component=a,b* healer=workers matches 1 alert now:" in dry.stdout
    assert "dry run: nothing was saved" in dry.stdout
    assert box.events("silencestarted") == []
    said = json.loads(healmon(*words, "--json").stdout)
    assert said["ok"]
    assert [match["id"] for match in said["matches"]] == [number]
    (silence,) = json.loads(healmon("silences", "--json").stdout)
    assert (silence["match"], silence["note"]) == (
        "component=a,b* healer=workers", "rebuilding",
    )  # fmt: skip
    assert healmon("silence", "998", "--for", "2h").returncode == 65

    # what is covered is said first, too
    paused = healmon("pause", "?", "--for", "1h", "--note", "moving house")
    assert paused.returncode == 0
    assert "? covers 1 component now:" in paused.stdout
    assert healmon("pause", "nobody", "--for", "1h").returncode == 65
    listed = healmon("alerts").stdout
    for text in ("it is on its way", "component=a,b*", "rebuilding", "moving house"):
        assert text in listed, listed

    ended = healmon("unsilence", str(silence["id"]), "997")
    assert ended.returncode == 65
    assert f"silence {silence['id']} ended: taken back by" in ended.stdout
    assert "no silence 997" in ended.stderr
    resumed = healmon("resume", "?")
    assert resumed.returncode == 0
    assert "actions allowed again: ?" in resumed.stdout
    assert healmon("resume", "?").returncode == 65

    # the dry run of the running healer is a mode that its status tells
    dry = healmon("dry-run", "on")
    assert dry.returncode == 0
    assert dry.stdout.startswith("dry run on: it only plans")
    assert until(
        lambda: json.loads(healmon("status", "--json").stdout)["dry_run"], 60, "it is told"
    )
    assert "DRY RUN" in healmon("status").stdout
    refused = until(lambda: "dry run" in healmon("restart", "well").stderr, 60, "nothing is done")
    assert refused
    assert json.loads(healmon("dry-run", "off", "--json").stdout)["ok"]
    assert until(
        lambda: not json.loads(healmon("status", "--json").stdout)["dry_run"], 60, "it is over"
    )
    assert len(box.events("dryrunchanged")) == 2
    assert healmon("stop").returncode == 0
