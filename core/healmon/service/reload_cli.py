"""`healmon reload`: have the healer read its configuration again, and tell what changes."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from healmon.errors import ConfigError, HealmonError, HolderError, RefusedError
from healmon.plans import Answer
from healmon.service import instance
from healmon.service.asking import ask_healer
from healmon.service.commandline import say

KEPT = "the configuration before stays in force"


def reload(state_dir: Path, args: argparse.Namespace) -> int:
    """Ask, and print what became of it; returns 0, with `--json` also 75 or 78.

    Raises:
        HolderError: no healer runs, or it did not answer.
        ConfigError: the configuration is wrong; every fault is listed.
    """
    if instance.holder(state_dir) is None:
        raise HolderError(
            f"no healer runs on {state_dir}",
            remedy="start one: healmon daemon, or healmon-tui; or only validate: healmon check",
        )
    dry = bool(getattr(args, "dry_run", False))
    answer = ask_healer(state_dir, "reload", "", {"dry_run": True} if dry else {})
    if getattr(args, "json", False):
        say(json.dumps(_data(answer, dry=dry)))
        return 0 if answer.ok else answer.code or HolderError.exit_code
    if not answer.ok:
        raise _error(answer)
    for line in _lines(answer, dry=dry):
        say(line)
    return 0


def _error(answer: Answer) -> HealmonError:
    problems: list[str] = answer.data.get("problems", [])
    if answer.code == ConfigError.exit_code and problems:
        return ConfigError("\n".join(problems), remedy=KEPT)
    return RefusedError(answer.text, answer.code or HolderError.exit_code)


def _lines(answer: Answer, *, dry: bool) -> list[str]:
    said = [f"  {one['says']}" for one in answer.data.get("changes", [])]
    if not said:
        return [answer.text]
    lead = "dry run, nothing was changed; this would:" if dry else "the configuration was read:"
    waiting = [f"  in force once this is over: {w}" for w in answer.data.get("waiting", [])]
    return [lead, *said, *waiting]


def _data(answer: Answer, *, dry: bool) -> dict[str, Any]:
    more: dict[str, Any] = {"changes": [], "waiting": [], "problems": [], "dry_run": dry}
    return {"ok": answer.ok, "verb": "reload", "text": answer.text, **more, **answer.data}
