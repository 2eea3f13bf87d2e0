import pytest

from tests.helpers.configs import Configs


@pytest.fixture
def configs(tmp_path, monkeypatch):
    """A `Configs` whose directory is the current one."""
    monkeypatch.chdir(tmp_path)
    return Configs(tmp_path)
