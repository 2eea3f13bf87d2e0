"""Holding a `--json` answer against its published schema, to the last field."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
from tools import schemas


def strict(part: Any) -> Any:
    """The same schema, in which a field that it does not name is an error."""
    if isinstance(part, list):
        return [strict(one) for one in part]
    if not isinstance(part, dict):
        return part
    made = {key: strict(value) for key, value in part.items()}
    if isinstance(part.get("properties"), dict):
        made.setdefault("additionalProperties", False)
    return made


def fits(name: str, answer: object) -> None:
    kept = json.loads((schemas.SCHEMAS / f"{name}.json").read_text("utf-8"))
    found = jsonschema.Draft202012Validator(strict(kept)).iter_errors(answer)
    told = [f"{name}: {'/'.join(map(str, e.absolute_path))}: {e.message[:300]}" for e in found]
    assert not told, "\n".join(told)
