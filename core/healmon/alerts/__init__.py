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

from healmon.alerts.channels import channel_findings
from healmon.alerts.judge import Case, Judged, archive, expire, gone, judge, key_of, strays
from healmon.alerts.maintenance import AT_MOST as PAUSED_AT_MOST
from healmon.alerts.maintenance import (
    covered,
    end_maintenance,
    expire_maintenance,
    maintenance_of,
    would_have,
)
from healmon.alerts.matching import Match, matches, one_of, parse
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
from healmon.alerts.silences import AT_MOST as SILENCED_AT_MOST
from healmon.alerts.silences import (
    end_silence,
    expire_silences,
    matched,
    silence_of,
    unknown_ids,
)

__all__ = [
    "ENGINE",
    "PAUSED_AT_MOST",
    "SILENCED_AT_MOST",
    "Case",
    "Judged",
    "Match",
    "archive",
    "channel_findings",
    "clock_note",
    "config_rejected",
    "covered",
    "end_maintenance",
    "end_silence",
    "engine_findings",
    "engine_verdict",
    "expire",
    "expire_maintenance",
    "expire_silences",
    "gone",
    "healer_failed",
    "judge",
    "key_of",
    "maintenance_of",
    "matched",
    "matches",
    "one_of",
    "overlay",
    "parse",
    "silence_of",
    "store_fault",
    "store_repaired",
    "strays",
    "unknown_ids",
    "would_have",
]
