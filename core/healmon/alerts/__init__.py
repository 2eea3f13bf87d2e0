"""The life of an alert: one per cause, from the first sight of it until it is over. Pure.

Findings go in, alert events come out; `state.apply` and the store's rows do the rest. The key
names the cause and nothing that changes while it lasts: `host/healer/component/condition`.

    nothing ── found ──▶ pending ── found again ──▶ open ── "I know" ──▶ acknowledged
                            │                       ▲ ▲ ◀── worse, time over, taken back ──┘
                          gone               soon again │
                            ▼                       │   └─ seen again ── stale ◀── nobody can look
                         dropped        archived ◀── resolved ◀── not found, not found again

Three rules above all: severity rises and never silently falls; an alert ends because somebody
looked and the condition was gone, never because nobody could look; and one look proves little:
`confirm` says when it is enough. What lies over an alert (`overlay`) mutes what is told of it, and
its life goes on underneath.
"""

from healmon.alerts.judge import Case, Judged, archive, expire, gone, judge, key_of, strays
from healmon.alerts.overlay import overlay
from healmon.alerts.own import (
    ENGINE,
    clock_note,
    config_rejected,
    engine_findings,
    engine_verdict,
    healer_failed,
    store_fault,
    store_repaired,
)

__all__ = [
    "ENGINE",
    "Case",
    "Judged",
    "archive",
    "clock_note",
    "config_rejected",
    "engine_findings",
    "engine_verdict",
    "expire",
    "gone",
    "healer_failed",
    "judge",
    "key_of",
    "overlay",
    "store_fault",
    "store_repaired",
    "strays",
]
