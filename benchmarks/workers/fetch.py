"""Where the programs come from: built here, or fetched into the benchmark's own folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import msgspec

PROGRAMS = Path(__file__).parent / "programs"
PYPI = ("supervisor==4.3.0", "circus==0.19.0")
NPM = "pm2@7.0.4"
PATIENCE = 600
"""Seconds that fetching one thing may take."""


class UnavailableError(Exception):
    """A contestant cannot take part; the text says why."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A program that is not ours: where it is, and what must be in its environment."""

    command: str
    version: str
    env: dict[str, str] = {}


class Tools:
    """The workers' program, the floor's, and the peers, each made when it is first asked for.

    Args:
        folder: where they go; what stands there already is used again.
        worker: `c`, `py`, or `auto` for the one there is a compiler for.
        install: fetch Debian packages that are not installed (unpacked in `folder`, not installed).
    """

    def __init__(self, folder: Path, *, worker: str, install: bool) -> None:
        self._folder = folder.absolute()
        self._install = install
        self._folder.mkdir(parents=True, exist_ok=True)
        self.language = worker if worker != "auto" else "c" if shutil.which("cc") else "py"

    @cached_property
    def worker(self) -> tuple[str, ...]:
        """The words of a command that runs a worker."""
        if self.language == "c":
            return (self.compiled("worker"),)
        return (sys.executable, "-I", "-S", str(PROGRAMS / "worker.py"))

    def compiled(self, name: str) -> str:
        """Return a program built from `programs/NAME.c`, static where the C library allows it.

        Raises:
            UnavailableError: there is no compiler, or it failed.
        """
        compiler = shutil.which("cc")
        if compiler is None:
            raise UnavailableError("there is no C compiler (cc)")
        source, target = PROGRAMS / f"{name}.c", self._folder / f"bench-{name}"
        command = [compiler, "-O2", "-Wall", "-o", str(target), str(source)]
        try:
            _run([*command, "-static"])
        except UnavailableError:
            _run(command)
        return str(target)

    @cached_property
    def _venv(self) -> Path:
        venv = self._folder / "venv"
        if not (venv / "bin" / "circusd").exists():
            _run([sys.executable, "-m", "venv", "--clear", str(venv)])
            pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            _run([*pip, "--disable-pip-version-check", *PYPI])
        return venv

    def python_peer(self, script: str) -> str:
        """Return a command of the PyPI peers.

        Raises:
            UnavailableError: they cannot be fetched.
        """
        return str(self._venv / "bin" / script)

    def pm2(self) -> str:
        """Return pm2's command.

        Raises:
            UnavailableError: there is no npm, or it cannot be fetched.
        """
        if shutil.which("npm") is None or shutil.which("node") is None:
            raise UnavailableError("there is no npm and node")
        folder = self._folder / "npm"
        command = folder / "node_modules" / ".bin" / "pm2"
        if not command.exists():
            folder.mkdir(exist_ok=True)
            quiet = ("--no-audit", "--no-fund", "--no-update-notifier", "--loglevel=error")
            cache = f"--cache={self._folder / 'npm-cache'}"
            _run(["npm", "install", *quiet, cache, f"--prefix={folder}", NPM])
        return str(command)

    def debian(self, package: str, command: str) -> Found:
        """Return where a command of a Debian package is.

        Raises:
            UnavailableError: it is not installed and may not or cannot be fetched.
        """
        found = shutil.which(command, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")
        if found is not None:
            return Found(
                command=found, version=_version(["dpkg-query", "-W", "-f", "${Version}"], package)
            )
        if not self._install:
            raise UnavailableError(
                f"not installed; with --install its package {package} is fetched"
            )
        root = self._unpacked(package)
        places = [root / "usr" / "bin", root / "usr" / "sbin", root / "bin", root / "sbin"]
        libraries = [str(p) for p in root.glob("**/lib/*-linux-*") if p.is_dir()]
        path = ":".join([*map(str, places), os.environ.get("PATH", "")])
        found = shutil.which(command, path=path)
        if found is None:
            raise UnavailableError(f"package {package} has no {command}")
        (parcel,) = root.with_name(f"{package}-parcels").glob(f"{package}_*.deb")
        return Found(
            command=found,
            version=_version(["dpkg-deb", "-f", str(parcel)], "Version"),
            env={"PATH": path, "LD_LIBRARY_PATH": ":".join(libraries)},
        )

    def _unpacked(self, package: str) -> Path:
        """Return where a package and what it needs beyond this host's are unpacked."""
        root = self._folder / "debian" / package
        if root.exists():
            return root
        if shutil.which("apt-get") is None:
            raise UnavailableError(f"not installed, and there is no apt-get to fetch {package}")
        if os.geteuid() == 0:
            _run(["apt-get", "update", "-qq"])
        plan = _run(["apt-get", "install", "--simulate", "--no-install-recommends", package])
        wanted = [line.split()[1] for line in plan.splitlines() if line.startswith("Inst ")]
        parcel = self._folder / "debian" / f"{package}-parcels"
        parcel.mkdir(parents=True, exist_ok=True)
        options = ["-qq", "-o", "APT::Sandbox::User=root"]
        _run(["apt-get", "download", *options, *wanted], folder=parcel)
        fresh = root.with_name(f"{package}.new")
        for file in sorted(parcel.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(file), str(fresh)])
        return fresh.rename(root)


def _version(command: list[str], what: str) -> str:
    try:
        return _run([*command, what]).strip()
    except UnavailableError:
        return "of this host"


def _run(command: Sequence[str], folder: Path | None = None) -> str:
    """Return what a command prints.

    Raises:
        UnavailableError: it failed, with its last words.
    """
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no word"]
        raise UnavailableError(f"{Path(command[0]).name} failed: {said[0]}")
    return done.stdout
