"""The command that begins maintenance: what it covers is said first."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from healmon.alerts import PAUSED_AT_MOST, covered
from healmon.errors import DataError
from healmon.gate import EVERYTHING
from healmon.service.alerts_cli import known_state, must_run, shown_first, with_end
from healmon.state import Snapshot
from healmon.text import clean


def pause(state_dir: Path, args: argparse.Namespace) -> int:
    """Say what is covered now, then begin maintenance with an end time; returns 0 when done.

    Raises:
        DataError: no such component, or it was refused.
        HolderError: no healer runs.
    """
    name = clean(args.target or EVERYTHING)
    arguments = with_end(args, PAUSED_AT_MOST)
    must_run(state_dir)
    known = known_state(state_dir)
    found = covered(known, name)
    if not found and not re.search(r"[*?]", name):
        there = ", ".join(sorted(known.components)) or "none yet"
        raise DataError(f"no component {name}", remedy=f"there are: {there}")
    listed = [{"component": view.name, "status": view.status} for view in found]
    shown = _covered_lines(known, name)
    return shown_first(state_dir, args, ("pause", name, arguments), shown, listed)


def _covered_lines(known: Snapshot, name: str) -> list[str]:
    found = covered(known, name)
    count = f"{len(found) or 'no'} component{'' if len(found) == 1 else 's'}"
    lines = [f"{name} covers {count} now{':' if found else ''}"]
    for view in found:
        plan = known.plans.get(view.name)
        waits = "" if plan is None else f", {plan.plan.action} under way"
        if plan is not None and not plan.acting:
            waits = f", {plan.plan.action} would not be done"
        lines.append(f"  {view.name}: {view.status}{waits}")
    return lines
