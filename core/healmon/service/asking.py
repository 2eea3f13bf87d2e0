"""Asking the healer that runs, from another process. Loads nothing of a healer."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import msgspec

from healmon.errors import HealmonError
from healmon.plans import Answer, Packed, Plan
from healmon.service import commands, instance
from healmon.service.push import Ear
from healmon.service.statedir import DATABASE
from healmon.service.wake import knock
from healmon.text import clean

ASK_PATIENCE = 60.0
"""Seconds an answer is waited for."""


def ask_healer(
    state_dir: Path, verb: str, target: str, arguments: Packed, asker: str = ""
) -> Answer:
    """Ask the healer that holds `state_dir` for something; returns its answer.

    `asker` is who asks, in words; empty: this process's user. Never raises: an unreachable healer
    is an answer too.
    """
    if instance.holder(state_dir) is None:
        return Answer(ok=False, text=f"no healer runs on {state_dir}")
    database = state_dir / DATABASE
    try:
        with contextlib.closing(Ear(state_dir)) as ear:
            asker = asker or commands.origin()
            number = commands.send(database, verb, target, arguments, asker, ASK_PATIENCE)
            knock(state_dir)
            state, outcome = commands.wait(database, number, ASK_PATIENCE, ear)
            if state == "queued":  # the wall clock was set back: nobody waits for it any more
                state, outcome = commands.withdraw(database, number)
    except (OSError, sqlite3.Error, HealmonError) as error:
        return Answer(ok=False, text=clean(f"the store cannot be asked: {error}"))
    if not outcome:
        late = f"no answer within {ASK_PATIENCE:g} s, but it was taken and may be done yet"
        return Answer(ok=False, text=f"{late}; see: healmon status")
    data = msgspec.json.decode(outcome)
    plan = msgspec.convert(data["plan"], Plan) if data.get("plan") else None
    return Answer(
        ok=bool(data["ok"]),
        text=str(data["text"]),
        plan=plan,
        code=int(data.get("code", 0)),
        data=data.get("data", {}),
    )
