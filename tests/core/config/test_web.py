"""`[web]`: where to listen, and what must not be listened on unguarded."""

from __future__ import annotations

import argparse

import pytest

from healmon.config import webkeys
from healmon.config.facesettings import Web
from healmon.config.load import load
from healmon.config.show import show
from healmon.errors import ConfigError, MissingPartError, UsageError
from healmon.web import serving


def problems(text: str, tmp_path) -> list[str]:
    file = tmp_path / "healmon.toml"
    file.write_text(f"[web]\n{text}\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(file, {})
    return [str(problem) for problem in caught.value.problems]


def settings(text: str, tmp_path, **environ: str) -> Web:
    file = tmp_path / "healmon.toml"
    file.write_text(f"[web]\n{text}\n", "utf-8")
    return load(file, environ).web


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("127.0.0.1:8080", "127.0.0.1:8080"), ("localhost:0", "localhost:0"),
        ("[::1]:80", "[::1]:80"), ("[0:0::1]:80", "[::1]:80"),
    ],
)  # fmt: skip
def test_an_address_is_read_and_written_again(text, where, tmp_path):
    assert settings(f'listen = "{text}"', tmp_path).listen == where
    assert str(webkeys.parse(where)) == where
    assert webkeys.parse(where).loopback


@pytest.mark.parametrize(
    "text",
    ["8080", "127.0.0.1", ":8080", "127.0.0.1:99999", "example.org:80", "1.2.3:80", "[::1:80",
     "127.0.0.1:80 x", "unix:/x"],
)  # fmt: skip
def test_what_is_none_is_told(text, tmp_path):
    (told,) = problems(f'listen = "{text}"', tmp_path)
    assert "healmon.toml:2: web.listen" in told
    assert '"127.0.0.1:8080"' in told


@pytest.mark.parametrize("where", ["0.0.0.0:8080", "[::]:8080", "192.168.0.7:80"])
def test_the_network_is_served_only_with_tls_or_behind_a_proxy(where, tmp_path):
    (told,) = problems(f'listen = "{where}"', tmp_path)
    assert "everybody on the network" in told
    assert "cert and key" in told
    guarded = settings(f'listen = "{where}"\ncert = "c.pem"\nkey = "k.pem"', tmp_path)
    assert guarded.cert == str(tmp_path / "c.pem")
    settings(f'listen = "{where}"\npublic_url = "https://health.example.org/"', tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('cert = "c.pem"', "go together"),
        ('public_url = "http://health.example.org"', "no TLS"),
        ('public_url = "https://a@b"', "an address such as"),
        ('public_url = "https://x/path"', "an address such as"),
        ('hosts = ["https://x"]', "the name of a host"),
        ("max_viewers = 0", "whole number"),
        ('listn = "x"', 'did you mean "listen"'),
    ],
)
def test_faults_say_what_and_where(text, said, tmp_path):
    told = problems(text, tmp_path)
    assert any(said in one for one in told), told


def test_it_is_shown_as_understood_and_by_default_nothing_listens(tmp_path):
    assert Web().listen == ""
    file = tmp_path / "healmon.toml"
    file.write_text('[web]\nlisten = "127.0.0.1:8080"\n')
    shown = show(load(file, {}))
    assert 'listen = "127.0.0.1:8080"' in shown
    found = load(file, {"HEALMON_WEB__LISTEN": "127.0.0.1:9090"})
    assert found.web.listen == "127.0.0.1:9090"


def test_the_extra_that_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("healmon.config.extras.find_spec", lambda _name: None)
    found = settings('listen = "127.0.0.1:8080"', tmp_path)
    assert found.listen == "127.0.0.1:8080", "no healer is to fail for who looks on"
    with pytest.raises(ConfigError, match="pip install 'healmon\\[web\\]'"):
        load(tmp_path / "healmon.toml", {}, whole=True)
    with pytest.raises(MissingPartError, match="pip install 'healmon\\[web\\]'") as caught:
        serving.must_be_installed()
    assert caught.value.exit_code == 69


def asked(*, address: str | None = None, behind: str = "", web: Web | None = None):
    args = argparse.Namespace(address=address, behind_proxy=behind)
    return serving.asked(args, web or Web())


def test_the_command_line_says_where_else_the_configuration_else_here():
    assert str(asked()[0]) == "127.0.0.1:8080"
    assert str(asked(web=Web(listen="127.0.0.1:9"))[0]) == "127.0.0.1:9"
    assert str(asked(address="[::1]:7", web=Web(listen="127.0.0.1:9"))[0]) == "[::1]:7"
    where, web = asked(address="0.0.0.0:80", behind="https://health.example.org")
    assert (where.loopback, web.public_url) == (False, "https://health.example.org")


@pytest.mark.parametrize(
    "words",
    [{"address": "0.0.0.0:80"}, {"address": "nonsense"}, {"address": ""}, {"behind": "http://health.example.org"},
     {"behind": "x"}],
)  # fmt: skip
def test_the_command_line_is_held_to_the_same(words):
    with pytest.raises(UsageError, match="serve"):
        asked(**words)
