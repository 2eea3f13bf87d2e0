"""What only extras bring is loaded in its own room, and only when it is wanted."""

from __future__ import annotations

import pytest

from tests.architecture.test_rules import loaded
from tests.helpers.sources import SOURCES, imports, mentioning

WEB = {"aiohttp", "textual_serve", "yarl"}


def test_only_the_web_room_knows_the_web_libraries() -> None:
    users = {path for path in mentioning(SOURCES, WEB) if imports(path) & WEB}
    assert users
    assert {path.parts[path.parts.index("healmon") + 1] for path in users} <= {"web", "metrics"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "code",
    [
        "import healmon.cli, healmon.registry, healmon.service.host, healmon.report",
        "from healmon.cli import main; main(['status', '--state-dir', '/nowhere'])",
        "from healmon.cli import main; main(['help', 'serve'])",
        "import healmon_tui.app",
    ],
)
def test_nothing_else_loads_them(code: str) -> None:
    assert not {module.partition(".")[0] for module in loaded(code)} & WEB


@pytest.mark.slow
def test_without_the_extra_the_command_ends_with_69() -> None:
    loaded(
        "sys.modules['aiohttp'] = None\n"
        "from healmon.cli import main\n"
        "assert main(['serve', '--state-dir', '/nowhere']) == 69"
    )
