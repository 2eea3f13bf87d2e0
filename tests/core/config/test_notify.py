"""`[notify]`: what is understood, what is refused, and that no URL is ever told."""

import tomllib

import pytest

from healmon.cli import main
from healmon.config import settings as st
from healmon.config.mask import without_address
from healmon.config.show import show

CHANNELS = """
[notify.channels.ops]
url = "slack://sesame1/sesame2/sesame3"
severity = "WARNING"
rate = "5 / 30m"
[notify.channels.hook]
url = "https://me:sesame4@example.org/sesame5?token=sesame6"
[notify.channels.page]
command = ["./page", "me"]
topics = ["opened"]
"""


def test_the_first_channel_is_told_first_and_the_others_later(configs):
    notify = configs.settings(CHANNELS).notify
    assert notify.steps == (
        st.Rung(after=300.0, channels=("ops",)),
        st.Rung(after=900.0, channels=("hook", "page")),
    )
    assert notify.channel("ops").rate == st.Rate(5, 1800.0)
    assert notify.channel("page").command == (f"{configs.directory}/page", "me")
    assert notify.channel("page").severity == "CRITICAL"
    assert notify.channel("none") is None
    alone = configs.settings('[notify.channels.a]\nurl_env = "HOOK"').notify
    assert alone.steps == (st.Rung(after=300.0, channels=("a",)),)
    assert configs.settings("").notify == st.Notify()


def test_what_is_shown_reads_back_to_itself(configs):
    loaded = configs.settings('[notify]\nquiet = "22:00 - 07:00"\n' + CHANNELS)
    assert loaded.notify.quiet == "22:00-07:00"
    assert configs.settings(show(loaded)) == loaded


def test_no_url_is_shown(configs, capsys):
    configs.path.write_text(CHANNELS)
    assert main(["check", "--config", str(configs.path)]) == 0
    said = capsys.readouterr()
    assert "sesame" not in said.out + said.err
    channels = tomllib.loads(said.out)["notify"]["channels"]
    assert [channels[name].get("url") for name in channels] == [
        "slack://***", "https://example.org/***", None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "notify.channels.a.url = 'sesame'",
        "notify.channels.a.url = ['json://sesame']",
        "notify.channels.a = 'json://sesame'",
        "notify.channels = ['https://host/sesame']",
        "notify = 'slack://sesame'",
        "notify.channels.a = { url = 'json://h/sesame', url_env = 'X' }",
    ],
)
def test_faults_tell_no_url(configs, text):
    found = "\n".join(configs.lines(text))
    assert found
    assert "sesame" not in found


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("[notify]\nquiet = '22-07'", 'notify.quiet: found "22-07"; allowed: hours such as'),
        ("[notify]\nquiet = '07:00-07:00'", "notify.quiet"),
        ("[notify.channels.a]\nurl = 'json://h'\nrate = '0/1h'", 'rate: found "0/1h"; allowed'),
        ("[notify.channels.a]\nurl = 'json://h'\nrate = '61/1h'", "allowed: a rate such as"),
        ("[notify.channels.a]\nurl = 'json://h'\nrate = '5/0s'", "allowed: a rate such as"),
        ("[notify.channels.a]", "has no way out; give exactly one of url, url_env, url_file"),
        ("[notify.channels.a]\nurl = 'json://h'\ncommand = ['x']", "has url and command; give"),
        ("[[notify.steps]]\nafter = 300\nchannels = ['a']", 'no such channel; found "a"'),
        (f"{CHANNELS}[[notify.steps]]\nafter = 0\nchannels = ['opps']", 'did you mean "ops"?'),
        ("[notify.channels.a]\nurl = 'x'\n[[notify.steps]]\nafter = 0\nchannels = ['a']", "a.url"),
    ],
)
def test_what_does_not_fit_is_told(configs, lines, told):
    assert told in "\n".join(configs.lines(lines))


def test_the_environment_gives_a_channel_its_url(configs):
    text = "[notify.channels.ops]\nurl = 'json://one'"
    loaded = configs.settings(text, HEALMON_NOTIFY__CHANNELS__OPS__URL="json://two")
    assert loaded.notify.channels[0].url == "json://two"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.slack.com/services/T/B/X", "https://hooks.slack.com/***"),
        ("http://u:p@[::1]:80?token=x", "http://[::1]:80/***"),
        ("tgram://123:abc/45", "tgram://***"),
        ("no url", "***"),
    ],
)
def test_only_scheme_and_web_host_are_left_of_an_address(url, shown):
    assert without_address(url) == shown
