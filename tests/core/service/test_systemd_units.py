"""Units: what must stand in them so that workers live, and that systemd reads them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from healmon.errors import DataError, StateDirError
from healmon.service.systemd_units import (
    NAME,
    Service,
    command,
    next_steps,
    place,
    render,
    write,
)

ROOT = Path(__file__).parents[3]
SYSTEM = Service(
    command=("/usr/local/bin/healmon",), config="/etc/healmon/healmon.toml", system=True
)
USER = Service(command=("/home/olga/.local/bin/healmon",))


def keys(text):
    rows = [row.split("=", 1) for row in text.splitlines() if "=" in row and row[0] != "#"]
    return dict(rows)


@pytest.mark.parametrize("service", [SYSTEM, USER])
def test_workers_are_out_of_reach_and_the_healer_comes_back(service):
    unit = keys(render(service))
    assert unit["KillMode"] == "process"
    assert unit["OOMPolicy"] == "continue"
    assert unit["Type"] == "notify"
    assert unit["Restart"] == "on-failure"
    assert set(unit["RestartPreventExitStatus"].split()) == {"64", "73", "78"}
    assert int(unit["WatchdogSec"]) > 0
    assert unit["ExecReload"].split()[1] == "reload"
    hands = {"PrivateTmp", "ProtectSystem", "ProtectHome", "ProtectProc", "NoNewPrivileges"}
    assert not hands & unit.keys()


def test_the_hosts_unit_has_its_state_and_a_users_says_nothing_of_users():
    unit, mine = keys(render(SYSTEM)), keys(render(USER))
    assert unit["StateDirectory"] == "healmon"
    assert unit["StateDirectoryMode"] == "0700"
    assert "--state-dir /var/lib/healmon" in unit["ExecStart"]
    assert unit["User"] == "root"
    assert not {"User", "StateDirectory", "LockPersonality"} & mine.keys()
    svc = keys(render(Service(command=("/x",), system=True, user="svc", state_dir="/srv/h")))
    assert svc["User"] == "svc"
    assert "StateDirectory" not in svc
    # for another user than root it would take new privileges from every worker
    assert "LockPersonality" not in svc


def test_words_are_as_systemd_reads_them():
    odd = Service(command=("/opt/my tools/healmon",), config='/etc/50%/$HOME/"a"\\b.toml')
    start = keys(render(odd))["ExecStart"]
    assert start == (r'"/opt/my tools/healmon" run --config "/etc/50%%/$$HOME/\"a\"\\b.toml"')


def test_a_program_whose_name_systemd_does_not_take_is_run_by_env():
    for odd in ("/opt/$x/healmon", '/opt/"x"/healmon', "/opt/it's/healmon", "/opt/a\\b/healmon"):
        start = keys(render(Service(command=(odd,))))["ExecStart"]
        assert start.startswith('/usr/bin/env "/opt/'), odd
    assert render(Service(command=("/x",), config="/a\rb\tc")).count(r'"/a\x0db\x09c"') == 2


def test_where_the_configuration_says_where_the_state_is_the_unit_says_nothing_else(tmp_path):
    placed = replace(SYSTEM, placed="/srv/h m")
    unit = keys(render(placed))
    assert "--state-dir" not in unit["ExecStart"]
    assert "StateDirectory" not in unit
    assert unit["RequiresMountsFor"] == '/etc/healmon/healmon.toml "/srv/h m"'
    assert "/var/lib" not in str(next_steps(placed, tmp_path))


def test_a_path_that_is_no_text_leaves_no_unit(tmp_path):
    with pytest.raises(DataError, match="not UTF-8"):
        write(Service(command=("/x",), config="/a\udcff"), tmp_path / NAME)
    assert not (tmp_path / NAME).exists()


def test_a_boot_waits_for_the_file_systems_that_are_read_first():
    odd = keys(render(replace(SYSTEM, config='/a %/$x/"q"', state_dir="/s")))
    assert odd["RequiresMountsFor"] == r'"/a %%/$x/\"q\"" /s'
    for other in (USER, replace(SYSTEM, config=""), replace(SYSTEM, config="/a\nb")):
        assert "RequiresMountsFor" not in render(other)


def test_the_units_of_the_project_are_what_is_rendered():
    folder = ROOT / "contrib" / "systemd"
    assert (folder / "healmon.service").read_text() == render(SYSTEM)
    mine = render(Service(command=("%h/.local/bin/healmon",))).replace("%%h", "%h")
    assert (folder / "healmon.user.service").read_text() == mine


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
@pytest.mark.parametrize("system", [True, False])
def test_systemd_has_nothing_to_complain_of(tmp_path, system):
    program = tmp_path / '$x "y"' / "healmon"
    program.parent.mkdir()
    program.symlink_to(command(sys.executable)[0])
    service = Service(command=(str(program),), config=str(tmp_path / "a b.toml"), system=system)
    unit = write(service, tmp_path)
    run = str(tmp_path / "run")
    Path(run).mkdir(mode=0o700)
    scope = [] if system else ["--user"]
    done = subprocess.run(
        ["systemd-analyze", *scope, "verify", str(unit)],
        capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "XDG_RUNTIME_DIR": run},
    )  # fmt: skip
    mine = [row for row in done.stderr.splitlines() if "healmon" in row]
    assert (done.returncode, mine) == (0, [])


def test_it_is_written_once_and_never_over_another(tmp_path):
    target = tmp_path / "deep" / NAME
    assert write(USER, target) == target
    assert target.read_text() == render(USER)
    assert write(USER, target) == target, "the same again is no fault"
    target.write_text("[Service]\n")
    with pytest.raises(DataError, match="is there already"):
        write(USER, target)
    assert target.read_text() == "[Service]\n"
    (tmp_path / "file").write_text("")
    with pytest.raises(StateDirError):
        write(USER, tmp_path / "file" / NAME)


def test_where_it_belongs_and_what_comes_next(tmp_path):
    assert str(place(SYSTEM, {})) == "/etc/systemd/system/healmon.service"
    home = {"HOME": "/home/olga"}
    assert str(place(USER, home)) == "/home/olga/.config/systemd/user/healmon.service"
    named = {**home, "XDG_CONFIG_HOME": "/cfg"}
    assert str(place(USER, named)) == "/cfg/systemd/user/healmon.service"
    assert next_steps(SYSTEM, place(SYSTEM, {}))[1] == "systemctl enable --now healmon.service"
    assert "HEALMON_STATE_DIR=/var/lib/healmon " in next_steps(SYSTEM, tmp_path)[-1]
    assert "/var/lib" not in str(next_steps(replace(SYSTEM, state_dir="/s"), tmp_path))
    steps = next_steps(USER, tmp_path / NAME)
    assert steps[0] == f"systemctl --user link {tmp_path / NAME}"
    assert "enable-linger" in steps[-1]
