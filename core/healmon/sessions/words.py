"""The words that the sessions' healer has for what it sees. Types only."""

from __future__ import annotations

from typing import Final, Literal

State = Literal[
    "unknown", "gone", "dead", "protected", "human", "suspended", "secret", "approval", "question",
    "flow_stopped", "idle", "starting", "gave_up", "unsent", "idle_with_task", "rate_limited",
    "retrying", "tool", "working", "frozen", "quiet", "stalled",
]  # fmt: skip
"""How a session stands, in the order in which the first that fits is taken (see `states`)."""
STUCK: Final = frozenset[State]({"stalled", "frozen", "gave_up", "idle_with_task", "dead", "gone"})
"""It has a task and nobody works on it any more."""
