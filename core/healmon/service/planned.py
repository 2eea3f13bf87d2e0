"""`--dry-run` of an override: what would be done, why, and how it would be proved; nothing is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from healmon.errors import DataError, RefusedError
from healmon.plans import Packed, Plan, pack
from healmon.service.asking import ask_healer
from healmon.text import clean

VERBS: Final = frozenset(
    {"restart", "stop", "start", "release", "unlock", "clean", "clear", "answer", "restore"}
)
"""Requests that are plans; the others change no more than what healmon itself remembers."""


def planned(
    state_dir: Path, verb: str, target: str, arguments: Packed, *, json_wanted: bool
) -> tuple[int, str]:
    """Ask the healer for its plan and leave it there; returns exit code and what to say.

    Raises:
        RefusedError: there is nothing to plan; the answer is wanted as text.
    """
    told: Packed = {"ok": True, "verb": verb, "target": target, "text": "dry run: nothing was done"}
    plan: Plan | None = None
    refused = 0
    if verb in VERBS:
        answer = ask_healer(state_dir, "offer", target, {**arguments, "verb": verb})
        plan = answer.plan
        told |= {"ok": answer.ok, "text": answer.text or "dry run: nothing was done"}
        refused = answer.code
    code = 0 if told["ok"] else refused or DataError.exit_code
    if json_wanted:
        more = {"plan": pack(plan)} if plan is not None else {}
        return code, json.dumps({**told, "arguments": arguments, **more})
    if code:
        raise RefusedError(str(told["text"]), code)
    return code, "\n".join(_lines(plan, str(told["text"]))) if plan else str(told["text"])


def _lines(plan: Plan, text: str) -> Iterator[str]:
    yield f"would {plan.action} {clean(plan.component)}: {clean(plan.why)}"
    for number, step in enumerate(plan.steps, 1):
        yield f"  {number}. {clean(step.text)}"
    yield f"  proof: {clean(plan.proof)}"
    yield f"  else: {clean(plan.on_failure)}"
    yield clean(text)
