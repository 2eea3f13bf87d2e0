"""What is told of what a worker wrote and was started with: in alerts, notices, on pages."""

from __future__ import annotations

import asyncio

from healmon.config.settings import Worker
from healmon.workers.checks import http
from healmon.workers.facts import fixed
from healmon.workers.output import last_lines
from healmon.workers.planning import start_step
from healmon.workers.records import Records

WROTE = """began
dsn postgres://app:hush-url@db/x
Authorization: Bearer hush-bearer-1234
FATAL: cannot log in with hush-env-123 nor hush-dsn-456
KeyError: no /srv/app/releases/20260207/keys.toml
"""


def test_last_words_are_told_without_secrets_and_the_log_keeps_them(tmp_path) -> None:
    env = {"API_TOKEN": "hush-env-123", "DSN": "amqp://u:hush-dsn-456@mq/", "PLAIN": "began"}
    worker = Worker(name="w", argv=("w", "--token", "hush-arg"), env=env)
    records = Records(tmp_path)
    records.log_path("w").parent.mkdir(parents=True)
    records.log_path("w").write_text(WROTE)
    told = last_lines(records, worker, 5)
    assert "hush" not in told
    assert told.startswith("began\ndsn postgres://app:")
    assert told.endswith("KeyError: no /srv/app/releases/20260207/keys.toml")
    assert last_lines(records, worker, 1) == told.splitlines()[-1]
    assert records.log_path("w").read_text() == WROTE
    assert "hush" not in start_step(worker).command
    assert "hush" not in str(fixed(worker, "log", ()))


def test_what_a_check_asks_is_told_without_its_password() -> None:
    outcome = asyncio.run(http.check("http://u:hush-live@127.0.0.1:1/x?token=hush-query", 5.0))
    assert outcome.ok is False
    assert outcome.text.startswith("http://u:[redacted]@127.0.0.1:1/x?token=[redacted]: ")
