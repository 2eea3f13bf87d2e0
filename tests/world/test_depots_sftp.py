"""Backups on another host, over SFTP: OpenSSH's server where it is installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from healmon.world import saving
from healmon.world.depotfetch import FetchError, fetch, kept
from healmon.world.depotrecord import PART, SUFFIX, host_name
from healmon.world.depots import Depots, Going
from healmon.world.depotwords import sentence
from healmon.world.filecalls import inode_of
from healmon.world.filedata import Choice, Limits, Swept
from tests.helpers.depotservers import SftpPlace, SftpServer
from tests.helpers.filestage import DAY, RealStage

pytestmark = pytest.mark.slow


@pytest.fixture
def depots(monkeypatch):
    made = Depots(patience=60.0)
    monkeypatch.setattr(saving, "DEPOTS", made)
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    yield made
    made.rest()


@pytest.fixture(scope="module")
def host(tmp_path_factory):
    made = SftpServer(tmp_path_factory.mktemp("sftp"))
    yield made
    made.close()


@pytest.fixture
def server(host, tmp_path, monkeypatch):
    made = SftpPlace(host, tmp_path.name, tmp_path / "home")
    monkeypatch.setenv("HOME", str(made.home))
    return made


@pytest.fixture
def stage(tmp_path):
    (tmp_path / "here").mkdir()
    made = RealStage(tmp_path / "here")
    yield made
    made.close()


def sweep(stage: RealStage, target: str) -> Swept:
    return stage.files.sweep(
        stage.selection(backup=target), Choice(held=1 << 40, files=100), "delete", stage.now,
        Limits(seconds=600.0), lambda: False,
    )  # fmt: skip


def names(server: SftpPlace) -> list[str]:
    return sorted(path.name for path in server.store.rglob("*") if path.is_file())


@pytest.mark.slow
def test_a_file_goes_once_it_is_there_and_comes_back_as_it_was(server, depots, stage):
    name = os.fsdecode(b"odd\nname\xff.log")
    stage.write(name, 2 * DAY, 3 << 20)
    path = Path(stage.root, name)
    path.chmod(0o640)
    before, status = path.read_bytes(), path.stat()
    assert sweep(stage, server.url).taken.files == 1
    assert not path.exists()
    assert [n.endswith(SUFFIX) for n in names(server)] == [False, True]
    assert {p.stat().st_mode & 0o777 for p in server.store.rglob("*")} == {0o600, 0o700}

    (one,) = kept(server.url, host_name())
    path.write_bytes(b"another")
    with pytest.raises(FetchError, match="something else stands there now"):
        fetch(one)
    assert path.read_bytes() == b"another"
    path.unlink()
    fetch(one)
    assert path.read_bytes() == before
    back = path.stat()
    assert (back.st_mode, back.st_mtime_ns, back.st_uid) == (
        status.st_mode, status.st_mtime_ns, status.st_uid,
    )  # fmt: skip

    (saved,) = (p for p in server.store.rglob("*") if p.is_file() and p.suffix != SUFFIX)
    saved.write_bytes(before[:-1] + b"?")
    path.unlink()
    with pytest.raises(FetchError, match="is not what was saved"):
        fetch(one)
    assert not path.exists()


def test_an_upload_that_was_interrupted_is_gone_on_with(server, depots, stage):
    stage.write("a.log", 2 * DAY, 5 << 20)
    path = Path(stage.root, "a.log")
    before, fd = path.read_bytes(), os.open(path, os.O_RDONLY)

    def undisturbed() -> bool:
        """Somebody wants it when some of it is there."""
        return not any(part.stat().st_size for part in server.store.rglob(f"*{PART}"))

    going = Going(str(path), fd, inode_of(os.fstat(fd)), undisturbed)
    assert depots.save(server.url, going) == "open"
    os.close(fd)
    depots.rest()
    (part,) = [name for name in names(server) if name.endswith(PART)]
    begun = next(server.store.rglob(part)).stat().st_size
    assert 0 < begun < len(before)
    assert kept(server.url, host_name()) == []
    assert sweep(stage, server.url).taken.files == 1
    assert next(server.store.rglob(part.removesuffix(PART))).read_bytes() == before
    assert len(names(server)) == 2


def test_a_part_that_is_damaged_is_begun_anew(server, depots, stage):
    stage.write("a.log", 2 * DAY, 1000)
    sweep(stage, server.url)
    (name,) = [name for name in names(server) if not name.endswith(SUFFIX)]
    there = next(server.store.rglob(name))
    before = there.read_bytes()
    there.rename(f"{there}{PART}").write_bytes(b"damaged")
    Path(stage.root, "a.log").write_bytes(before)
    assert sweep(stage, server.url).kept == {"unsaved": 1}
    assert Path(stage.root, "a.log").read_bytes() == before
    assert sweep(stage, server.url).taken.files == 1
    assert there.read_bytes() == before


def test_a_host_that_is_not_known_is_refused(server, depots, stage):
    server.known.unlink()
    stage.write("a.log", 2 * DAY, 10)
    swept = sweep(stage, server.url)
    assert (swept.kept, names(server)) == ({"unsaved": 1}, [])
    assert "is not the host that known_hosts knows" in swept.troubles[0]
    assert "log in once with ssh" in swept.troubles[0]


def test_a_key_that_it_does_not_know_and_a_directory_that_is_not_there_keep_the_file(
    server, depots, stage
):
    stage.write("a.log", 2 * DAY, 10)
    assert "is not there" in sweep(stage, f"{server.url}/nowhere").troubles[0]
    (server.home / ".ssh" / "id_ed25519").unlink()
    assert "refuses us" in sweep(stage, server.url).troubles[0]
    assert stage.names() == {"a.log"}


def test_a_server_that_keeps_something_else_is_found_out(tmp_path, depots, stage, monkeypatch):
    host = SftpServer(tmp_path, spoil=True)
    server = SftpPlace(host, "x", tmp_path / "other")
    monkeypatch.setenv("HOME", str(server.home))
    try:
        for number in range(4):
            stage.write(f"{number}.log", 2 * DAY, 10)
        swept = sweep(stage, server.url)
        assert (swept.kept, names(server)) == ({"unsaved": 4}, [])
        # one may be the fault of a file; three in a row are the target's
        assert swept.troubles == (sentence(server.url, "damaged", "what was read back differs"),)
    finally:
        host.close()
