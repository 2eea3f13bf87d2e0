"""What is kept of a screen holds no secret, and still says what happened."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from healmon.redact import MARK, command_line, prompt_only, redact, redact_all, redact_words

A20 = "aB3dE6gH9jK2mN5pQ8sT"
HIDDEN = [
    f"export OPENAI_API_KEY=sk-proj-{A20}{A20}",
    f"ANTHROPIC_API_KEY: sk-ant-api03-{A20}-{A20}",
    f"using key sk-or-v1-{A20}",
    f"remote: https://user:{A20}@github.com/a/b.git",
    f"postgres://app:{A20}@db.internal:5432/x",
    f"https://{A20}@github.com/a/b.git",
    f"Authorization: Bearer {A20}",
    f"authorization: Basic {A20}==",
    f"curl -H 'Authorization: token {A20}' https://api.example",
    f"> proxy-authorization: Basic {A20}",
    f"x-api-key: {A20}",
    f"Cookie: session={A20}; theme=dark",
    f"set-cookie: sid={A20}; HttpOnly",
    f'  "apiKey": "{A20}",',
    f"  api_key: '{A20}'",
    f"AWS_SECRET_ACCESS_KEY={A20}{A20}",
    f"aws_access_key_id = AKIA{'IOSFODNN7EXAMPLE'}",
    f"AKIA{'IOSFODNN7EXAMPLE'}",
    f"ghp_{A20}{A20}",
    f"github_pat_{A20}_{A20}",
    f"glpat-{A20}",
    f"xoxb-1234567890-{A20}",
    f"https://hooks.slack.com/services/T000/B000/{A20}",
    f"AIza{A20}{A20}",
    f"hf_{A20}",
    f"npm_{A20}",
    f"pypi-{A20}",
    f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIx{A20}.{A20}",
    f"DB_PASSWORD={A20}",
    f"password: {A20}",
    f"psql --password {A20} -h db",
    f"tool --api-key={A20}",
    f"tool --token '{A20}'",
    f"https://x.example/cb?access_token={A20}&state=1",
    f"https://x.example/q?key={A20}",
    f"the token is\n   {A20}{A20}",
    "secret digest 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    f"│ OPENAI_API_KEY=sk-proj-{A20}     │\n│ {A20}{A20}                       │",
    f"client_secret={A20}",
    f"GOCSPX-{A20}",
    f"sk_live_{A20}",
    f"MY_SERVICE_TOKEN={A20}",
    f"token => '{A20}'",
    f"{{'password': '{A20}'}}",
]
KEPT = [
    "✻ Thinking… (1m 53s · ↓ 10 tokens · esc to interrupt)",
    "API Error: 529 Overloaded.",
    "Do you want to proceed?",
    "❯ 1. Yes",
    "commit 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b",
    "tokens used: 10.2k",
    "https://docs.example/path/to/page?tab=2",
    "npm warn deprecated inflight@1.0.6",
    "src/auth/token_store.py:12: error: Missing return",
    "ssh://git@github.com",
    "[sudo] password for alice:",
    "Enter passphrase for key '/home/a/.ssh/id_ed25519':",
    "Press enter to confirm or esc to cancel",
    "a-very-long-branch-name-without-any-number-in-it-at-all",
    "user@host:~/work$ make -j4",
    "token: null",
]
PEM = """loading
-----BEGIN RSA PRIVATE KEY-----
MIIEowIBAAKCAQEAx4UbaDzY5xjW6hc9jwN0mX33XpTDVW3WmKzXz0Mwmx1bTp1d
abc4UbaDzY5xjW6hc9jwN0mX33XpTDVW3WmKzXz0Mwmx1bTp1dMIIEowIBAAKCAQ
-----END RSA PRIVATE KEY-----
done"""


@pytest.mark.parametrize("line", HIDDEN)
def test_secrets_go(line):
    clear = redact(line)
    assert A20 not in clear
    assert "IOSFODNN7" not in clear
    assert "9f86d081" not in clear
    assert MARK in clear
    assert redact(clear) == clear
    assert len(clear.split("\n")) == len(line.split("\n"))


@pytest.mark.parametrize("line", KEPT)
def test_what_is_no_secret_stays(line):
    said = redact(line)
    assert said == (line if "ssh://git@" not in line else f"ssh://{MARK}@github.com")


@pytest.mark.parametrize("cut", ["whole", "head", "tail"])
def test_a_key_goes_also_when_the_screen_shows_a_part_of_it(cut):
    lines = PEM.split("\n")
    text = "\n".join({"whole": lines, "head": lines[:4], "tail": lines[2:]}[cut])
    clear = redact(text)
    assert "UbaDzY5" not in clear
    assert MARK in clear
    assert ("loading" in clear) == (cut != "tail")
    assert ("done" in clear) == (cut != "head")
    assert redact(clear) == clear


def test_after_a_key_that_is_cut_off_the_screen_goes_on():
    clear = redact("-----BEGIN PRIVATE KEY-----\nMIIEowIBAAKCAQEAx4UbaDzY5\n$ ls -la now")
    assert clear.endswith("$ ls -la now")


def test_where_a_password_is_asked_only_the_prompt_is_kept():
    screen = f"$ history\n export X_TOKEN={A20}\n$ sudo make\n[sudo] password for alice: \n\n"
    assert prompt_only(screen) == "[sudo] password for alice:"
    assert prompt_only("\n \n") == ""


def test_every_text_of_a_record_is_redacted_and_nothing_else():
    record = {"argv": ["tool", f"--token={A20}"], "n": 3, "ok": None, "deep": {"a": f"sk-{A20}"}}
    assert redact_all(record) == {
        "argv": ["tool", f"--token={MARK}"], "n": 3, "ok": None, "deep": {"a": MARK},
    }  # fmt: skip


@given(st.text(alphabet=st.sampled_from(" \n:=@/'\"-_.abcKEYtoken0123456789│"), max_size=300))
def test_no_text_breaks_it_and_twice_is_once(text):
    once = redact(text)
    assert redact(once) == once


def test_a_large_screen_is_no_burden():
    assert redact("token=" + "=" * 20_000)
    assert redact(("a-" * 5000 + "key: ") * 3)
    assert redact("\n".join(["x" * 500 + " password"] * 400))


def test_command_lines_tell_no_secret_wherever_it_stands_in_them():
    words = ("prog", "--token", "hush-1", "-v", "--password=hush-2", "PGPASSWORD=hush-3", "x.py")
    assert redact_words(words) == (
        "prog", "--token", MARK, "-v", f"--password={MARK}", f"PGPASSWORD={MARK}", "x.py",
    )  # fmt: skip
    assert "hush" not in command_line(["sh", "-c", "DB_TOKEN=hush-4 run", "redis://u:hush-5@h/0"])
    plain = ("python3", "-m", "worker", "--key-file", "/etc/keys/a", "--daemon", "")
    assert redact_words(plain) == plain
    assert command_line(plain[:3], 10) == "python3 -…"


def test_paths_near_a_word_for_a_key_may_stay():
    line = "KeyError in /srv/app/releases/20260207/worker.py: token=hush"
    assert (
        redact(line, paths=True)
        == f"KeyError in /srv/app/releases/20260207/worker.py: token={MARK}"
    )
