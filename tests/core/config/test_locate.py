import os
import subprocess
import sys
from pathlib import Path

import pytest

from healmon.config.locate import find_config, state_dir
from healmon.config.paths import STORE_MOST
from healmon.errors import ConfigError, StateDirError


@pytest.fixture
def places(tmp_path, monkeypatch):
    """A home, a working directory and a system without any configuration."""
    for name in ("home", "work", "xdg"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path


def environ_of(places, **more):
    return {"HOME": str(places / "home"), **more}


def put(path, text=""):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


no_system_file = pytest.mark.skipif(
    Path("/etc/healmon/healmon.toml").exists(), reason="this host has a configuration"
)


@no_system_file
def test_the_order_of_the_configuration_files(places):
    work = places / "work"
    environ = environ_of(places)
    assert find_config(None, environ, work) is None
    in_home = put(places / "home/.config/healmon/healmon.toml")
    assert find_config(None, environ, work) == in_home
    in_xdg = put(places / "xdg/healmon/healmon.toml")
    environ["XDG_CONFIG_HOME"] = str(places / "xdg")
    assert find_config(None, environ, work) == in_xdg
    here = put(work / "healmon.toml")
    assert find_config(None, environ, work) == here
    from_environ = put(places / "env.toml")
    environ["HEALMON_CONFIG"] = str(from_environ)
    assert find_config(None, environ, work) == from_environ
    explicit = put(work / "explicit.toml")
    assert find_config("explicit.toml", environ, work) == explicit
    assert find_config("~/../work/explicit.toml", environ, work) == explicit


@no_system_file
def test_empty_and_relative_xdg_variables_are_ignored(places):
    put(places / "work/relative/healmon/healmon.toml")
    for value in ("", "relative"):
        environ = environ_of(places, XDG_CONFIG_HOME=value, HEALMON_CONFIG="")
        assert find_config(None, environ, places / "work") is None
        environ = environ_of(places, XDG_STATE_HOME=value, HEALMON_STATE_DIR="")
        assert state_dir(None, environ, None) == places / "home/.local/state/healmon"


@pytest.mark.parametrize("explicit", [True, False])
def test_a_named_file_must_exist(places, explicit):
    put(places / "work/healmon.toml")
    environ = environ_of(places, **({} if explicit else {"HEALMON_CONFIG": "absent.toml"}))
    with pytest.raises(ConfigError) as caught:
        find_config("absent.toml" if explicit else None, environ, places / "work")
    origin = "--config" if explicit else "$HEALMON_CONFIG"
    assert str(caught.value) == f"absent.toml: does not exist, but {origin} names it"
    assert caught.value.exit_code == 78
    assert caught.value.problems[0].file == "absent.toml"


def test_an_empty_name_is_no_file(places):
    with pytest.raises(ConfigError, match="does not exist"):
        find_config("", environ_of(places), places / "work")


def test_a_broken_link_is_not_passed_over(places):
    link = places / "work/healmon.toml"
    link.symlink_to("gone")
    assert find_config(None, environ_of(places), places / "work") == link


def test_the_order_of_the_state_directories(places):
    work = places / "work"
    config = put(places / "conf/healmon.toml")
    environ = environ_of(places)
    assert state_dir(None, environ, None) == places / "home/.local/state/healmon"
    assert state_dir(None, environ, config) == places / "home/.local/state/healmon"
    environ["XDG_STATE_HOME"] = str(places / "xdg")
    assert state_dir(None, environ, config) == places / "xdg/healmon"
    put(config, '[monitor]\nstate_dir = "state"')
    assert state_dir(None, environ, config) == places / "conf/state"
    environ["HEALMON_MONITOR__STATE_DIR"] = "other"
    assert state_dir(None, environ, config) == places / "conf/other"
    environ["HEALMON_STATE_DIR"] = "from_environ"
    assert state_dir(None, environ, config) == work / "from_environ"
    assert state_dir("~/explicit", environ, config) == places / "home/explicit"
    assert state_dir("explicit", environ, config) == work / "explicit"


def test_the_state_directory_is_the_one_that_load_reads(places):
    from healmon.config.load import load

    for written in ("state", "~/state", "/var/state", "../state"):
        config = put(places / "conf/healmon.toml", f'[monitor]\nstate_dir = "{written}"')
        environ = environ_of(places)
        loaded = load(config, environ).monitor.state_dir
        assert str(state_dir(None, environ, config)) == loaded


@pytest.mark.parametrize(
    "text",
    ["[monitor]\nstate_dir = 5", "monitor = 5", "[monitor", '[monitor]\nstate_dir = "\\u0000"'],
)
def test_a_state_directory_that_cannot_be_known_is_not_guessed(places, text):
    config = put(places / "work/healmon.toml", text)
    with pytest.raises(ConfigError, match=r"^healmon\.toml") as refused:
        state_dir(None, environ_of(places), config)
    if text == "[monitor":
        assert "name that one with --state-dir" in str(refused.value)


def test_a_user_whom_nobody_knows_is_at_home_at_the_root(places, monkeypatch):
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    assert state_dir(None, {}, None) == Path("/.local/state/healmon")
    assert find_config(None, {}, places / "work") is None


def test_an_unreadable_file_is_not_passed_over(places):
    with pytest.raises(ConfigError, match="No such file"):
        state_dir(None, environ_of(places), places / "work/absent.toml")


def test_locating_needs_nothing_but_the_standard_library(places):
    config = put(places / "work/healmon.toml", '[monitor]\nstate_dir = "state"')
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from healmon.config.locate import find_config, state_dir\n"
        "found = find_config(None, os.environ, Path.cwd())\n"
        "print(state_dir(None, os.environ, found))\n"
        "heavy = {'msgspec', 'psutil', 'rich', 'textual', 'asyncio', 'inspect'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    environ = {**os.environ, "HEALMON_CONFIG": str(config)}
    environ.pop("HEALMON_STATE_DIR", None)
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env=environ
    )
    assert run.stdout.splitlines() == [str(places / "work/state"), "[]"]


NAME_TOO_LONG = "/srv/" + "a" * 300
PATH_TOO_LONG = "/srv" + "/a" * 3000


@pytest.mark.parametrize("path", [NAME_TOO_LONG, PATH_TOO_LONG])
@pytest.mark.parametrize("origin", ["--config", "$HEALMON_CONFIG"])
def test_a_configuration_of_an_overlong_name_is_told_so_in_a_short_line(places, path, origin):
    environ = environ_of(places, **({} if origin == "--config" else {"HEALMON_CONFIG": path}))
    with pytest.raises(ConfigError) as caught:
        find_config(path if origin == "--config" else None, environ, places)
    said = str(caught.value)
    assert f"is too long: {'a name in it has 300' if path is NAME_TOO_LONG else 'it'}" in said
    assert origin in said
    assert len(said) < 250


@pytest.mark.parametrize("path", [NAME_TOO_LONG, PATH_TOO_LONG, "/srv" + "/a" * 300])
@pytest.mark.parametrize("origin", ["argument", "variable", "key"])
def test_a_state_directory_in_which_no_store_can_be_opened_is_refused(places, path, origin):
    config = put(places / "c.toml", f"[monitor]\nstate_dir = '{path if origin == 'key' else 's'}'")
    environ = environ_of(places, **({"HEALMON_STATE_DIR": path} if origin == "variable" else {}))
    with pytest.raises(StateDirError, match="is too long") as caught:
        state_dir(path if origin == "argument" else None, environ, config)
    assert "--state-dir" in caught.value.remedy
    assert len(str(caught.value)) < 350


def test_the_longest_state_directory_holds_a_store_and_a_link_may_lead_to_a_shorter_one(places):
    import sqlite3

    environ, base = environ_of(places), str(places)
    longest = base + ("/" + "b" * 99) * 9
    longest = f"{longest[: STORE_MOST - 2].rstrip('/')}/".ljust(STORE_MOST, "c")
    Path(longest).mkdir(parents=True)
    assert str(state_dir(longest, environ, None)) == longest
    sqlite3.connect(f"{longest}/healmon.db").execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(StateDirError):
        state_dir(f"{longest}c", environ, None)
    Path(longest, "link").symlink_to(base)
    assert str(state_dir(f"{longest}/link", environ, None)) == f"{longest}/link"
