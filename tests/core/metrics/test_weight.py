"""Who does not scrape loads nothing for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.helpers.sources import CORE, imports, mentioning


def test_one_module_knows_the_client():
    client = {"prometheus_client"}
    maybe = mentioning(CORE.rglob("*.py"), client)
    users = {path.name for path in maybe if imports(path) & client}
    assert users == {"collector.py"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["healmon.service.host", "healmon.service.metrics_cli", "healmon.service.exporter"]
)
def test_healer_and_command_load_no_client(module):
    code = (
        f"import sys, {module}; print('prometheus_client' in sys.modules, 'aiohttp' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["False", "False"], done.stderr
