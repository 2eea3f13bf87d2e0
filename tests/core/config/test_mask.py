"""What must not be printed is not printed, and everything else is."""

import tomllib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.cli import main
from healmon.config.mask import looks_secret, masked, without_userinfo
from healmon.config.show import show
from tests.helpers.configs import EXAMPLE

SECRETS = (
    "API_KEY", "GITHUB_TOKEN", "token", "DjangoSecret", "DB_PASS", "PASSWORD", "passphrase",
    "AWS_CREDENTIALS", "BASIC_AUTH", "OAuth2", "ssh-key.pem", "X_Authorization",
)  # fmt: skip
OPEN = ("APP_ENV", "PATH", "HOME", "TOKE", "LANG", "RETRIES", "URL", "DATABASE_URL", "ä ß")


@pytest.mark.parametrize("name", SECRETS)
def test_these_names_look_secret(name):
    assert looks_secret(name)
    assert looks_secret(name.upper())
    assert looks_secret(name.lower())


@pytest.mark.parametrize("name", OPEN)
def test_these_do_not(name):
    assert not looks_secret(name)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgres://user:pass@host:5432/db?x=1", "postgres://***@host:5432/db?x=1"),
        ("HTTPS://user:pass@host", "HTTPS://***@host"),
        ("https://ghp_abc@github.com/a/b", "https://***@github.com/a/b"),
        ("redis://:pass@host/0", "redis://***@host/0"),
        ("postgres://u:p@ss:w@rd@host/db", "postgres://***@host/db"),
        ("redis://:pa/ss@host/0", "redis://***@host/0"),
        ("mysql://u:p?a#s@host/x", "mysql://***@host/x"),
        ("jdbc:postgresql://u:p@host/db", "jdbc:postgresql://***@host/db"),
        ("postgresql+psycopg://u:p@h", "postgresql+psycopg://***@h"),
        ("amqp://u:p@one,amqp://u:q@two", "amqp://***@one,amqp://***@two"),
        ("curl 'http://u:p@h/' and ftp://a:b@c", "curl 'http://***@h/' and ftp://***@c"),
        ("http://u:p@[::1]:80/x", "http://***@[::1]:80/x"),
        # none of these has a user
        ("http://localhost:8080/health", "http://localhost:8080/health"),
        ("http://host:8080/@scope/x", "http://host:8080/@scope/x"),
        ("http://[::1]:80/@x", "http://[::1]:80/@x"),
        ("https://host/image@2x.png", "https://host/image@2x.png"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("me@example.org", "me@example.org"),
        ("sqlite:///data/x.db", "sqlite:///data/x.db"),
        ("a://b", "a://b"),
        ("", ""),
    ],
)
def test_user_and_password_of_a_url_are_masked(text, shown):
    assert without_userinfo(text) == shown
    assert without_userinfo(shown) == shown


words = st.text("abcXYZ019%:@!$&=~._-", min_size=1, max_size=12)


@given(words, st.text("ghjw019", min_size=1), st.sampled_from(["http", "x+y.z-1", "S3"]))
def test_no_password_is_left_of_any_url(password, host, scheme):
    text = f"see {scheme}://user:{password}@{host}/path"
    assert without_userinfo(text) == f"see {scheme}://***@{host}/path"


@given(st.text())
def test_text_without_a_url_stays_as_it_is(text):
    text = text.replace("://", "")
    assert without_userinfo(text) == text


CONFIG = """
[workers.a]
command = ["curl", "http://me:sesame@host/", "--verbose"]
args = ["postgres://me:sesame@host/db", "--token", "sesame"]
ready = { http = "http://me:sesame@localhost/ready?key=sesame" }
liveness = { command = ["ping", "https://sesame@host"] }
env = { API_KEY = "sesame", db_Password = "sesame", EMPTY_TOKEN = "", APP_ENV = "prod",
        DATABASE_URL = "postgres://me:sesame@host/db" }
[[disk.rules]]
name = "logs"
paths = ["logs"]
patterns = ["*.log"]
backup = "sftp://sesame@host/prefix"
""".replace(",\n        ", ", ")


def test_what_is_shown_with_a_mask_holds_no_secret_and_everything_else(configs):
    loaded = configs.settings(CONFIG)
    assert "sesame" in show(loaded)
    text = show(loaded, mask=True)
    assert "sesame" not in text
    document, plain = tomllib.loads(text), tomllib.loads(show(loaded))
    assert document["workers"]["a"]["env"] == {
        "API_KEY": "***", "db_Password": "***", "EMPTY_TOKEN": "", "APP_ENV": "prod",
        "DATABASE_URL": "postgres://***@host/db",
    }  # fmt: skip
    assert document["workers"]["a"]["command"] == [
        "curl", "http://***@host/", "--verbose", "postgres://***@host/db", "--token",
        "[redacted]",
    ]  # fmt: skip
    assert document["workers"]["a"]["ready"]["http"] == "http://***@localhost/ready?key=[redacted]"
    assert document["workers"]["a"]["liveness"]["command"] == ["ping", "https://***@host"]
    assert document["disk"]["rules"][0]["backup"] == "sftp://***@host/prefix"
    assert document["sessions"] == plain["sessions"]
    assert document["workers"]["a"].keys() == plain["workers"]["a"].keys()


def test_without_secrets_the_mask_changes_nothing(configs):
    loaded = configs.settings(EXAMPLE)
    assert show(loaded, mask=True) == show(loaded)
    assert masked(loaded) == loaded


def test_the_settings_themselves_keep_their_secrets(configs):
    loaded = configs.settings(CONFIG)
    before = msgspec.to_builtins(loaded)
    masked(loaded)
    assert msgspec.to_builtins(loaded) == before


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("env = { API_KEY = 777123 }", 'workers.a.env.API_KEY: found "***"; allowed: text'),
        ("env = { API_KEY = ['777123'] }", 'found "***"'),
        ("env = { PORT = 80 }", "workers.a.env.PORT: found 80; allowed: text"),
        ("env = ['API_KEY=777123', 'A=b']", 'found ["API_KEY=***", "A=b"]'),
        ("env = 'API_KEY=777123'", 'found "API_KEY=***"'),
        ("ready = { http = 'htp://me:777123@host' }", 'found "htp://***@host"'),
        ("ready = [{ token = '777123' }]", 'found [{ token = "***" }]'),
    ],
)
def test_faults_tell_no_secret(configs, lines, told):
    found = "\n".join(configs.lines(f"[workers.a]\ncommand = ['x']\n{lines}"))
    assert told in found
    assert "777123" not in found


def test_a_list_of_workers_tells_no_secret(configs):
    text = "[[workers]]\nenv = { API_KEY = '777123', U = 'x://a:777123@b' }"
    assert configs.lines(text)[0].count("***") == 2
    assert "777123" not in configs.lines(text)[0]


def test_healmon_check_prints_no_secret(configs, capsys, monkeypatch):
    monkeypatch.setenv("HEALMON_WORKERS__A__ENV__EXTRA_TOKEN", "sesame")
    configs.path.write_text(CONFIG)
    assert main(["check", "--config", str(configs.path)]) == 0
    said = capsys.readouterr()
    assert "sesame" not in said.out + said.err
    assert tomllib.loads(said.out)["workers"]["a"]["env"]["EXTRA_TOKEN"] == "***"
    configs.path.write_text(CONFIG + "no = 1\n[workers.b]\nenv = { KEY = 777123 }\n")
    assert main(["check", "--config", str(configs.path)]) == 78
    assert "777123" not in capsys.readouterr().err


def test_the_checker_outside_is_named_by_its_host_only(configs):
    loaded = configs.settings('[monitor]\nheartbeat_url = "https://check.example/ping/777123"')
    assert 'heartbeat_url = "https://check.example/***"' in show(loaded, mask=True)
    told = str(configs.faults('[monitor]\nheartbeat_url = "htps://check.example/777123"'))
    assert "777123" not in told
