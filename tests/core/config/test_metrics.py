"""`[metrics]`: where numbers are told, and what does not go together."""

from __future__ import annotations

import pytest

from healmon.config import extras
from healmon.config.facesettings import Metrics
from healmon.config.load import load
from healmon.errors import ConfigError
from healmon.service.sides import orders


def test_nothing_is_told_by_default(configs, tmp_path):
    settings = configs.settings("")
    assert settings.metrics == Metrics()
    assert not orders(settings, tmp_path)


def test_an_exporter_runs_beside_the_healer(configs, tmp_path):
    settings = configs.settings("[metrics]\nlisten = '127.0.0.1:9646'\ntextfile = 'a.prom'")
    assert settings.metrics.textfile == str(configs.directory / "a.prom")
    (order,) = orders(settings, tmp_path)
    assert order.name == "metrics"
    assert "127.0.0.1:9646" in order.argv
    assert "--network" not in order.argv
    open_one = configs.settings("[metrics]\nlisten = '0.0.0.0:9646'\nnetwork = true")
    assert "--network" in orders(open_one, tmp_path)[0].argv


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("listen = '0.0.0.0:9646'", "metrics.listen", "network = true"),
        ("listen = '[::]:9646'", "metrics.listen", "network = true"),
        ("listen = '9646'", "metrics.listen", "127.0.0.1:8080"),
        ("textfile = '/var/lib/numbers.txt'", "metrics.textfile", ".prom"),
        ("port = 9646", "metrics.port", "unknown key"),
    ],
)
def test_what_is_wrong_is_told_with_its_key_and_how_to_mend_it(configs, text, key, said):
    (line,) = configs.lines(f"[metrics]\n{text}")
    assert key in line
    assert said in line


@pytest.mark.parametrize(
    ("web", "metrics", "clash"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080", True),
        ("127.0.0.1:8080", "localhost:8080", True),
        ("[::1]:8080", "localhost:8080", True),
        ("127.0.0.1:8080", "0.0.0.0:8080", True),
        ("127.0.0.1:8080", "127.0.0.1:8081", False),
        ("127.0.0.1:8080", "127.0.0.2:8080", False),
        ("127.0.0.1:8080", "[::]:8080", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_one_address_for_page_and_numbers_is_a_fault(configs, web, metrics, clash):
    text = f"[web]\nlisten = '{web}'\n[metrics]\nlisten = '{metrics}'\nnetwork = true"
    if not clash:
        assert configs.settings(text).metrics.listen == metrics
        return
    (line,) = configs.lines(text)
    assert ":4: metrics.listen: web.listen has it already" in line
    assert "give another port" in line


def test_without_its_extra_a_face_is_a_fault_to_check_and_none_to_a_healer(configs, monkeypatch):
    monkeypatch.setattr(extras, "installed", lambda module: module != "prometheus_client")
    text = "[metrics]\nlisten = '127.0.0.1:1'\ntextfile = 'a.prom'"
    assert configs.settings(text).metrics.listen == "127.0.0.1:1"
    with pytest.raises(ConfigError) as caught:
        load(configs.path, {}, whole=True)
    (problem,) = caught.value.problems
    assert (problem.line, problem.key) == (2, "metrics.listen")
    assert "pip install 'healmon[metrics]'" in problem.what
    configs.path.write_text("[metrics]\ntextfile = 'a.prom'")
    load(configs.path, {}, whole=True)
