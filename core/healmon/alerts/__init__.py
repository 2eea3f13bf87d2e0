"""The life of an alert: one per cause, open until it is over. Pure.

Findings go in, alert events come out; `state.apply` and the store's rows do the rest. The key
names the cause and nothing that changes while it lasts: `host/healer/component/condition`.

    nothing ── found ──▶ open ── "I know" ──▶ acknowledged
                          ▲ ◀── worse, time over, taken back ── │
                          └──── seen and not found ────▶ resolved

Two rules above all: severity rises and never silently falls; and an alert ends because somebody
looked and the condition was gone, never because nobody could look.
"""

from healmon.alerts.channels import channel_findings
from healmon.alerts.judge import expire, gone, judge, key_of, strays
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
    "channel_findings",
    "clock_note",
    "config_rejected",
    "engine_findings",
    "engine_verdict",
    "expire",
    "gone",
    "healer_failed",
    "judge",
    "key_of",
    "store_fault",
    "store_repaired",
    "strays",
]
