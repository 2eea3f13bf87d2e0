"""Whose word a configuration is, and who can read its secrets."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from healmon import cli
from healmon.config import locate, trust
from healmon.config.load import load
from healmon.errors import ConfigError
from healmon.service import foreground
from healmon.sessions.packs import user

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 65_534
PACK = Path(user.__file__).with_name("data") / "raw.toml"


def write(path: Path, text: str = "", mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o602, 0o646, 0o666, 0o777])
def test_what_anybody_may_write_is_no_configuration(tmp_path: Path, mode: int) -> None:
    config = write(tmp_path / "healmon.toml", mode=mode)
    with pytest.raises(ConfigError, match="can be written by anybody") as caught:
        load(config, {})
    assert caught.value.exit_code == 78
    assert f"chmod go-w {config}" in str(caught.value)


def test_nor_through_a_link(tmp_path: Path) -> None:
    write(tmp_path / "real", mode=0o666)
    (tmp_path / "healmon.toml").symlink_to("real")
    with pytest.raises(ConfigError, match="can be written by anybody"):
        load(tmp_path / "healmon.toml", {})


def test_nor_a_pack_of_ones_own(tmp_path: Path) -> None:
    pack = write(tmp_path / "mine.toml", PACK.read_text(), 0o644)
    user.packs_of(str(tmp_path))
    pack.chmod(0o646)
    with pytest.raises(ConfigError, match=r"mine\.toml.*can be written by anybody"):
        user.packs_of(str(tmp_path))
    pack.chmod(0o644)
    tmp_path.chmod(0o1777)  # nobody else's pack can be replaced, but one of anybody's added
    with pytest.raises(ConfigError, match=f"{tmp_path}: can be written by anybody"):
        user.packs_of(str(tmp_path))


@ROOT_ONLY
def test_what_somebody_left_where_one_happens_to_be_is_not_taken(tmp_path: Path) -> None:
    config = write(tmp_path / "healmon.toml")
    assert locate.find_config(None, {}, tmp_path) == config
    os.chown(config, STRANGER, STRANGER)
    with pytest.raises(ConfigError, match=f"belongs to uid {STRANGER}.*--config") as caught:
        locate.find_config(None, {}, tmp_path)
    assert caught.value.exit_code == 78
    with pytest.raises(ConfigError):
        locate.state_dir(None, {}, locate.find_config(None, {"SUDO_UID": "1"}, tmp_path))
    # who names it means it, and who calls sudo has asked for it
    assert locate.find_config(str(config), {}, tmp_path) == config
    assert locate.find_config(None, {"HEALMON_CONFIG": str(config)}, tmp_path) == config
    assert locate.find_config(None, {"SUDO_UID": str(STRANGER)}, tmp_path) == config


@ROOT_ONLY
def test_a_link_to_somebody_elses_is_not_taken_either(tmp_path: Path) -> None:
    os.chown(write(tmp_path / "theirs"), STRANGER, STRANGER)
    (tmp_path / "healmon.toml").symlink_to("theirs")
    with pytest.raises(ConfigError, match="belongs to uid"):
        locate.find_config(None, {}, tmp_path)


@ROOT_ONLY
def test_it_is_in_nobodys_way_who_names_the_state_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chown(write(tmp_path / "healmon.toml"), STRANGER, STRANGER)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HEALMON_STATE_DIR", raising=False)
    assert cli.main(["stop"]) == 78
    assert cli.main(["stop", "--state-dir", str(tmp_path / "state")]) == 0
    assert "nothing to stop" in capsys.readouterr().out


@ROOT_ONLY
def test_nor_is_a_link_that_somebody_left(tmp_path: Path) -> None:
    write(tmp_path / "ours")
    (tmp_path / "healmon.toml").symlink_to("ours")
    assert locate.find_config(None, {}, tmp_path)
    os.lchown(tmp_path / "healmon.toml", STRANGER, STRANGER)
    with pytest.raises(ConfigError, match="belongs to uid"):
        locate.find_config(None, {}, tmp_path)


@ROOT_ONLY
def test_what_is_read_is_what_was_vouched_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, other = write(tmp_path / "healmon.toml"), write(tmp_path / "other")
    monkeypatch.chdir(tmp_path)
    found = locate.find_config

    def find(*asked: Any) -> Path | None:
        path = found(*asked)
        os.chown(config, STRANGER, STRANGER)  # exchanged right after it was looked at
        return path

    monkeypatch.setattr(locate, "find_config", find)
    with pytest.raises(ConfigError, match=f"belongs to uid {STRANGER}"):
        foreground.configured(Namespace())
    named = Namespace(config=str(config))
    read = foreground.again(named, foreground.configured(named)[0])
    read()  # whoever named it took it as it was
    os.chown(config, STRANGER + 1, 0)
    with pytest.raises(ConfigError, match=f"belongs to uid {STRANGER + 1}"):
        read()
    other.replace(config)
    read()
    config.replace(other)
    config.symlink_to(other)
    read()
    os.lchown(config, STRANGER + 1, 0)
    with pytest.raises(ConfigError, match=f"belongs to uid {STRANGER + 1}"):
        read()


@ROOT_ONLY
def test_who_can_replace_the_file_is_told(tmp_path: Path) -> None:
    folder = tmp_path / "theirs" / "deep"
    folder.mkdir(parents=True, mode=0o700)
    config = write(folder / "healmon.toml")
    assert worries(config) == []
    os.chown(folder.parent, STRANGER, 0)
    told = (
        f"lies in {folder.parent}: that belongs to uid {STRANGER}, who can change what lies there"
    )
    assert worries(config) == [("healmon.toml", told)]
    os.chown(folder.parent, 0, 0)
    folder.chmod(0o1777)
    assert worries(config) == [], "what is sticky keeps ours where it is"
    folder.chmod(0o777)
    ((_, what),) = worries(config)
    assert "can be written by others" in what


def worries(config: Path) -> list[tuple[str, str]]:
    return [(path.name, what) for path, what, _ in trust.worries(load(config, {}))]


@ROOT_ONLY
def test_what_others_can_change_is_told(tmp_path: Path) -> None:
    packs = tmp_path / "packs"
    packs.mkdir(mode=0o700)
    pack = write(packs / "mine.toml", PACK.read_text())
    config = write(tmp_path / "healmon.toml", '[sessions]\npacks = "packs"\n')
    assert worries(config) == []
    os.chown(config, STRANGER, 0)
    os.chown(pack, STRANGER, 0)
    assert worries(config) == [
        ("healmon.toml", f"belongs to uid {STRANGER}, who can change what healmon runs"),
        ("mine.toml", f"belongs to uid {STRANGER}, who can change how healmon reads screens"),
    ]
    os.chown(config, 0, STRANGER)
    os.chown(pack, 0, 0)
    config.chmod(0o660)
    packs.chmod(0o777)
    assert worries(config) == [
        ("healmon.toml", "can be written by others, who can change what healmon runs (mode 0660)"),
        ("packs", "can be written by others, who can change how healmon reads screens (mode 0777)"),
    ]


SECRETS = {
    '[notify.channels.a]\nurl = "https://example.org/hush"\n': "a",
    '[workers.w]\ncommand = ["true"]\nenv = { API_TOKEN = "x" }\n': "w",
    '[monitor]\nheartbeat_url = "https://example.org/ping/hush"\n': "heartbeat_url",
}


@pytest.mark.parametrize(("text", "name"), SECRETS.items())
@pytest.mark.parametrize("mode", [0o604, 0o640, 0o644])
def test_secrets_that_others_can_read_are_told(
    tmp_path: Path, text: str, name: str, mode: int
) -> None:
    config = write(tmp_path / "healmon.toml", text, mode)
    found = [(path.name, what) for path, what, _ in trust.worries(load(config, {}))]
    assert found == [("healmon.toml", f"others can read it, and it holds secrets ({name})")]
    config.chmod(0o600)
    assert trust.worries(load(config, {})) == []


def test_no_secret_no_word(tmp_path: Path) -> None:
    config = write(tmp_path / "healmon.toml", '[workers.w]\ncommand = ["true"]\n', 0o644)
    assert trust.worries(load(config, {})) == []
    assert trust.worries(load(None, {})) == []
