"""Tokens, logins, and those who guess."""

from __future__ import annotations

import json
import os
from types import SimpleNamespace

import pytest

from healmon import cli
from healmon.config.facesettings import Web
from healmon.errors import StateDirError
from healmon.web import logins, serving, tokens
from healmon.web.logins import Logins, Tries


def test_tokens_are_long_private_and_stay(tmp_path):
    first = tokens.known(tmp_path)
    assert tokens.known(tmp_path) == first
    assert first.viewer != first.operator
    assert min(len(first.viewer), len(first.operator)) >= 43, "256 bits"
    assert tokens.path_of(tmp_path).stat().st_mode & 0o777 == 0o600
    assert tokens.path_of(tmp_path).parent.stat().st_mode & 0o777 == 0o700
    assert first.role_of(first.viewer) == "viewer"
    assert first.role_of(first.operator) == "operator"
    for wrong in ("", "x", first.viewer[:-1], first.viewer + "x", "\udcff", "ä" * 43):
        assert first.role_of(wrong) is None
    assert first.viewer not in first.mark


def test_renewed_tokens_are_others_and_a_broken_file_is_told(tmp_path):
    ring = tokens.Keyring(tmp_path)
    first = ring.tokens
    assert not ring.fresh()
    second = tokens.known(tmp_path, renew=True)
    assert {second.viewer, second.operator}.isdisjoint({first.viewer, first.operator})
    assert ring.fresh()
    assert ring.tokens == second
    tokens.path_of(tmp_path).write_text("{")
    os.utime(tokens.path_of(tmp_path), (1, 1))
    assert not ring.fresh(), "what was known stays in force"
    assert ring.tokens == second
    with pytest.raises(StateDirError, match="web-token --renew"):
        tokens.known(tmp_path)


def test_a_dry_run_renews_no_token(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["web-token", "--json", "--state-dir", str(tmp_path / "state")]
    told = []
    for more in ([], ["--renew", "--dry-run"], ["--renew"]):
        assert cli.main([*words, *more]) == 0
        told.append(json.loads(capsys.readouterr().out))
    assert [one["renewed"] for one in told] == [False, False, True]
    assert told[0]["token"] == told[1]["token"] != told[2]["token"]


def test_a_page_that_was_asked_to_only_plan_lets_nobody_act():
    for words, acts in (({}, True), ({"dry_run": True}, False)):
        args = SimpleNamespace(address=None, behind_proxy=None, **words)
        assert serving.asked(args, Web())[1].operator is acts


def test_a_login_holds_until_its_time_or_its_end(tmp_path):
    known = Logins(tmp_path, "mark", 100.0)
    secret, login = known.begin("operator", 1000.0)
    assert known.find(secret, 1099.0) == login
    assert known.find(secret, 1100.0) is None
    assert known.find("", 1000.0) is None
    assert known.find(secret + "x", 1000.0) is None
    known.end(secret)
    assert known.find(secret, 1001.0) is None


def test_logins_outlive_a_restart_but_not_other_tokens_and_hold_no_secret(tmp_path):
    known = Logins(tmp_path, "mark", 100.0)
    secret, login = known.begin("viewer", 1000.0)
    kept = (tmp_path / "web" / logins.FILE).read_text()
    assert secret not in kept
    assert (tmp_path / "web" / logins.FILE).stat().st_mode & 0o777 == 0o600
    assert Logins(tmp_path, "mark", 100.0).find(secret, 1001.0) == login
    assert Logins(tmp_path, "other", 100.0).find(secret, 1001.0) is None
    known.renew("other")
    assert known.find(secret, 1001.0) is None
    assert json.loads((tmp_path / "web" / logins.FILE).read_text())["logins"] == {}


def test_one_login_too_many_ends_the_oldest(tmp_path):
    known = Logins(tmp_path, "mark", 1000.0)
    secrets = [known.begin("viewer", 1000.0 + n)[0] for n in range(logins.MOST + 1)]
    assert known.find(secrets[0], 1500.0) is None
    assert all(known.find(secret, 1500.0) for secret in secrets[1:])


def test_who_may_look_cannot_end_the_logins_of_those_who_act(tmp_path):
    known = Logins(tmp_path, "mark", 1000.0)
    acting, _ = known.begin("operator", 1000.0)
    for n in range(2 * logins.MOST):
        known.begin("viewer", 1001.0 + n)
    assert known.find(acting, 1500.0)
    assert Logins(tmp_path, "mark", 1000.0).find(acting, 1500.0), "all of them can be kept"


def test_who_guesses_waits_and_nobody_else():
    tries = Tries(most=3, within=60.0)
    for n in range(3):
        assert tries.wait("a", 100.0 + n) == 0.0
        tries.wrong("a", 100.0 + n)
    assert tries.wait("a", 103.0) == pytest.approx(57.0)
    assert tries.wait("b", 103.0) == 0.0
    assert tries.wait("a", 160.0) == 0.0


def test_many_addresses_cost_no_more_memory():
    tries = Tries()
    for n in range(3 * logins.ADDRESSES):
        tries.wrong(f"10.0.{n // 256}.{n % 256}", float(n % 7))
    assert len(tries.counted) == logins.ADDRESSES
