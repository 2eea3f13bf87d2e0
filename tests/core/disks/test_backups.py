"""Backup targets as the healer of disks sees them: asked, told, alerted, named."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import asyncssh
import pytest
from hypothesis import given
from hypothesis import strategies as st
from obstore import exceptions as errors

from healmon import cli
from healmon.clock import ManualClock, SystemClock
from healmon.config.settings import Budget, Disk, Rule
from healmon.disks.backups import RECHECK
from healmon.disks.diagnose import diagnose
from healmon.disks.healer import DisksHealer
from healmon.errors import RemedyError
from healmon.state import Snapshot
from healmon.world import depotsftp, depotstore, saving
from healmon.world.depotrecord import Record, decoded, encoded, id_of, key_of, path_in
from healmon.world.depots import Depots
from healmon.world.depotstore import s3_settings
from healmon.world.depotwords import REMEDIES, sentence, told
from healmon.world.filedata import Choice, Limits, Selection
from healmon.world.files import SystemFiles
from healmon.world.simulated.depots import SimulatedDepots
from healmon.world.simulated.files import SimulatedFiles
from tests.helpers.shapes import fits

URL = "s3://bucket/prefix"
RULE = Rule(name="logs", paths=("/data",), patterns=("*.log",), older_than=1.0, backup=URL)
DISK = Disk(
    paths=("/data",), budgets=(Budget(path="/other", limit=10),), rules=(RULE,)
)  # fmt: skip


def test_a_target_out_of_order_is_an_alert_until_it_answers_again():
    files, depots, clock = SimulatedFiles(), SimulatedDepots(), ManualClock()
    files.add_disk("/", 10**12)
    files.add_disk("/data", 10**9)
    files.write("/other/x", 1, clock.read().wall)
    depots.break_down(URL, sentence(URL, "unreachable", "it is silent"))
    healer = DisksHealer(DISK, Path("/state"), files, clock, depots)

    async def looks():
        async def seen(status: str) -> list[list[tuple[str, str]]]:
            await healer.look()
            for _ in range(600):
                await asyncio.sleep(0.05)  # the answer is waited for by nobody
                seen = await healer.look()
                verdicts = diagnose(seen, DISK, Snapshot(), clock.read()).verdicts
                if verdicts[0].status == status:
                    break
            return [
                [(v.status, ""), *((f.condition, f.message) for f in v.findings)] for v in verdicts
            ]

        try:
            broken = await seen("warning")
            depots.break_down(URL, "")
            again = await seen("warning")
            clock.advance(RECHECK + 1)
            return broken, again, await seen("healthy")
        finally:
            await healer.close()

    (broken, untouched), again, mended = asyncio.run(looks())
    assert broken[0] == ("warning", "")
    told = f"Disk /data: rule logs keeps its files: backup target {URL} cannot be reached"
    remedy = " (it is silent): see whether it runs and can be reached from here"
    assert broken[1] == ("backup", f"{told}{remedy}")
    assert untouched == [("healthy", "")], "the rule does not reach there"
    assert again[0] == broken, "it is not asked at each look"
    assert mended[0] == [("healthy", "")]


def test_a_full_budget_whose_backup_is_down_loses_nothing_and_says_why(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "DEPOTS", depots := Depots(patience=60.0))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "sesame")
    logs, state = tmp_path / "logs", tmp_path / "state"
    logs.mkdir()
    state.mkdir()
    for number in range(9):
        (logs / f"{number}.log").write_bytes(bytes(4096))
    url = "s3://bucket/x?endpoint=http://127.0.0.1:9"
    rule = Rule(name="logs", paths=(str(logs),), patterns=("*.log",), older_than=1e-9, backup=url)
    disk = Disk(paths=(), budgets=(Budget(path=str(logs), limit=9 * 4096),), rules=(rule,))
    clock = SystemClock()

    async def run():
        healer = DisksHealer(disk, state, SystemFiles(), clock, depots)
        try:
            diagnosis = diagnose(await healer.look(), disk, Snapshot(), clock.read())
            plan = diagnosis.verdicts[0].plan
            assert plan is not None
            assert f"copy to {url}, verify, delete" in plan.steps[0].text
            with pytest.raises(RemedyError) as failed:
                await healer.carry_out(plan, Hand())
            seen = await healer.look()
        finally:
            await healer.close()
        return failed.value, diagnose(seen, disk, Snapshot(), clock.read()).verdicts[0]

    failed, verdict = asyncio.run(run())
    assert len(list(logs.glob("*.log"))) == 9
    assert "stays: 9 unsaved" in str(failed)
    (told,) = (f for f in verdict.findings if f.condition == "backup")
    for text in (str(failed), told.message):
        assert f"backup target {url} cannot be reached" in text
        assert "see whether it runs" in text
        assert "sesame" not in text


class Hand:
    async def about_to(self, text: str) -> None:
        return None


@given(st.binary(min_size=1, max_size=300).filter(lambda b: b"\0" not in b))
def test_every_path_has_a_key_of_its_own_and_its_record_tells_it(name):
    path = os.fsdecode(b"/" + name)
    key = key_of("host", path, "a" * 64)
    assert len(os.fsencode(key.partition("/")[2])) <= 250
    assert key.isascii()
    assert id_of(key) != id_of(key_of("host", path + "x", "a" * 64))
    assert id_of(key) != id_of(key_of("host", path, "b" * 64))
    assert path_in(key) == path or path_in(key).startswith("…")
    record = Record(path=path, key=key, host="host", rule="r", run="1", user=0, group=0, mode=0o644,
                    modified=1, size=2, sha256="a" * 64)  # fmt: skip
    assert decoded(encoded(record)) == record


@pytest.mark.parametrize(
    "text",
    [
        "Error performing PUT https://a/b?sig=sesame&x=1 in 1s - HTTP error: none",
        "failed: https://a/b?X-Amz-Signature=sesame",
        'Secret_Access_Key: "sesame"',
        "AccountKey token=sesame",
        "<Code>Denied</Code> sesame",
        "one line\nsesame",
    ],
)
def test_words_of_libraries_are_told_without_what_opens_doors(text):
    assert "sesame" not in told(text)


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (errors.PermissionDeniedError("403 Forbidden"), "denied"),
        (errors.UnauthenticatedError("401"), "denied"),
        (FileNotFoundError("<Code>NoSuchBucket</Code>"), "absent"),
        (errors.GenericError("status code: 507 Insufficient Storage"), "full"),
        (errors.GenericError("<Code>XMinioStorageFull</Code>"), "full"),
        (errors.GenericError("<Code>XAmzContentSHA256Mismatch</Code>"), "damaged"),
        (errors.GenericError("GET http://169.254.169.254/latest: error sending request"), "denied"),
        (errors.GenericError("HTTP error: error sending request"), "unreachable"),
        (errors.GenericError("HTTP error: operation timed out"), "unreachable"),
        (errors.GenericError("500 Internal Server Error"), "failed"),
        (asyncssh.HostKeyNotVerifiable("x"), "host key"),
        (asyncssh.PermissionDenied("x"), "denied"),
        (asyncssh.SFTPPermissionDenied("x"), "denied"),
        (asyncssh.SFTPNoSuchFile("x"), "absent"),
        (asyncssh.SFTPNoSpaceOnFilesystem("x"), "full"),
        (asyncssh.SFTPConnectionLost("x"), "unreachable"),
        (asyncssh.SFTPFailure("x"), "failed"),
        (ConnectionRefusedError(111, "refused"), "unreachable"),
        (TimeoutError(), "unreachable"),
    ],
)
def test_what_libraries_raise_is_told_apart(error, fault):
    module = depotstore if type(error).__module__.startswith("obstore") else depotsftp
    module = depotstore if isinstance(error, FileNotFoundError) else module
    assert module._fault(error).fault == fault


def test_each_fault_has_words_and_a_remedy():
    for fault, remedy in REMEDIES.items():
        assert sentence(URL, fault, "").endswith(remedy)


def test_profiles_are_read_as_the_tools_of_aws_do(tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert s3_settings({}) == {}
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[default]\naws_access_key_id = a\naws_secret_access_key = b%c\n"
        "[ops]\naws_access_key_id = d\naws_secret_access_key = e\naws_session_token = f\n"
    )
    (tmp_path / ".aws" / "config").write_text(
        "[profile ops]\nregion = r\nendpoint_url = http://o\n"
    )
    assert s3_settings({}) == {"access_key_id": "a", "secret_access_key": "b%c"}
    ops = {"access_key_id": "d", "secret_access_key": "e", "session_token": "f",
           "endpoint": "http://o", "region": "r"}  # fmt: skip
    assert s3_settings({"profile": "ops"}) == ops
    monkeypatch.setenv("AWS_PROFILE", "ops")
    assert s3_settings({}) == ops
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://all")
    monkeypatch.setenv("AWS_REGION", "z")
    assert s3_settings({}) == {**{k: ops[k] for k in list(ops)[:3]}, "endpoint": "http://all"}
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://s3")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    assert s3_settings({}) == {"endpoint": "http://s3"}
    assert s3_settings({"endpoint": "http://url"}) == {"endpoint": "http://url"}


def test_what_a_directory_keeps_is_listed_and_comes_back_as_it_was(tmp_path, capsys):
    logs, kept, state = (tmp_path / name for name in ("logs", "kept", "state"))
    for made in (logs, kept, state):
        made.mkdir(mode=0o700)
    log = logs / "a.log"
    log.write_bytes(b"text")
    log.chmod(0o640)
    os.utime(log, ns=(1, 10**18))
    selection = Selection(
        rule="logs", roots=(str(logs),), patterns=("*.log",), older_than=1e-9, backup=str(kept)
    )
    now = SystemClock().read().wall + 60
    swept = SystemFiles().sweep(
        selection,
        Choice(held=1 << 30, files=9),
        "delete",
        now,
        Limits(seconds=600.0),
        lambda: False,
    )
    assert swept.taken.files == 1
    config = tmp_path / "healmon.toml"
    config.write_text(
        '[[disk.rules]]\nname = "logs"\npaths = ["logs"]\npatterns = ["*.log"]\nbackup = "kept"\n'
    )
    words = ["restore", "--backup", "--config", str(config), "--state-dir", str(state)]
    assert cli.main([*words, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    fits("saved", listed)
    (one,) = listed
    assert (one["path"], one["size"], one["target"]) == (str(log), 4, str(kept))
    assert cli.main([*words, one["id"]]) == 0
    assert (log.read_bytes(), log.stat().st_mode & 0o777) == (b"text", 0o640)
    assert log.stat().st_mtime_ns == 10**18
    (kept / one["key"]).write_bytes(b"tent")
    log.unlink()
    assert cli.main([*words, one["id"]]) == 65
    assert "what is kept is not what was saved" in capsys.readouterr().err
    assert not log.exists()
    assert cli.main([*words, "--host", "elsewhere"]) == 0
    config.write_text("")
    assert cli.main(words) == 65
    assert "no rule has a backup target" in capsys.readouterr().err
