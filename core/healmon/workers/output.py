"""What a worker wrote last, as it may be told: alerts, notices and pages quote it."""

from __future__ import annotations

from healmon.config.mask import MASK, secrets_in
from healmon.config.settings import Worker
from healmon.redact import redact
from healmon.workers.records import Records
from healmon.world import notes


def last_lines(records: Records, worker: Worker, lines: int) -> str:
    """Return the last lines of a worker's log without its secrets; the log itself keeps them."""
    return discreet(worker, notes.tail(records.log_path(worker.name), lines))


def discreet(worker: Worker, text: str) -> str:
    """Return what a program of a worker's wrote without the worker's secrets, and what looks so."""
    for secret in sorted(secrets_in(worker.env), key=len, reverse=True):
        text = text.replace(secret, MASK)
    return redact(text, paths=True)
