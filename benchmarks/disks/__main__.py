"""Deleting and scanning many files: healmon against find, rm, systemd-tmpfiles and the floor.

Says seconds of the processors (user and system) and of the clock, and the ratios to find;
healmon's are counted after its imports, which a healer makes once. Each gets a fresh tree of its
own, in turns: plain directories, or with --ext4 a fresh copy of one ext4 image in memory, mounted
anew, so that every inode is cold, as those of old files are (needs root).

    python -m benchmarks.disks [--files 200000] [--rounds 3] [--quick] [--in DIR] [--ext4]
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PER_DIRECTORY = 180
CHECKED = 60_000_000
"""Bytes of an image for its own tables, whatever lies in it."""

FLOOR = """
import os, sys
def go(fd):
    for entry in list(os.scandir(fd)):
        if entry.is_dir(follow_symlinks=False):
            below = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd); go(below)
            os.close(below)
        else:
            entry.stat(follow_symlinks=False); os.unlink(entry.name, dir_fd=fd)
go(os.open(sys.argv[1], os.O_RDONLY | os.O_DIRECTORY))
"""
OURS = """
import os, sys, time
from healmon.world.filedata import Choice, Limits, Selection
from healmon.world.files import SystemFiles
from healmon.world.filewalk import Walk
what, root = sys.argv[1:]
files, many = SystemFiles(), Limits(entries=10**8, seconds=3600)
selection = Selection(rule="all", roots=(root,), patterns=("*.log",), older_than=1.0)
when, count = time.time() + 60, 0
def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))
open("/proc/self/clear_refs", "w").write("5")  # the peak is now what it is
before = peak()
began, at = time.process_time(), time.monotonic()
if what in ("scan", "clean"):
    count = files.survey(selection, when, many).due.files
if what in ("delete", "clean"):
    count = files.sweep(selection, Choice(), "delete", when, many, lambda: False).taken.files
if what == "walk":
    for directory, _, entries in Walk(os.open(root, os.O_RDONLY), many).chunks():
        for entry in entries:
            entry.stat(follow_symlinks=False)
            os.unlink(entry.name, dir_fd=directory)
            count += 1
cpu, wall = time.process_time() - began, time.monotonic() - at
print(count, peak() - before, cpu, wall)
"""


class Trees:
    """Gives each contestant a tree of its own."""

    def __init__(self, base: Path, files: int, *, ext4: bool) -> None:
        self._base = base
        self._files = files
        self._number = 0
        self._image = base / "image" if ext4 else None
        self._mounted: list[Path] = []
        if self._image is not None:
            size = CHECKED + files * 5000
            with self._image.open("wb") as file:
                file.truncate(size)
            made = ["mkfs.ext4", "-q", "-N", str(files + files // 50 + 1000), str(self._image)]
            subprocess.run(made, check=True)
            grow(self._mount(self._image) / "tree", files)
            self.drop()

    def _mount(self, image: Path) -> Path:
        place = self._base / f"mount{self._number}"
        place.mkdir()
        subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
        self._mounted.append(place)
        return place

    def fresh(self) -> Path:
        """Return the root of a new tree."""
        self._number += 1
        if self._image is None:
            tree = self._base / f"tree{self._number}"
            grow(tree, self._files)
            os.sync()
            return tree
        copy = self._base / "copy"
        subprocess.run(["cp", "--sparse=always", str(self._image), str(copy)], check=True)
        return self._mount(copy) / "tree"

    def drop(self) -> None:
        """Remove the tree again."""
        while self._mounted:
            place = self._mounted.pop()
            subprocess.run(["umount", str(place)], check=True)
            place.rmdir()
        (self._base / "copy").unlink(missing_ok=True)
        shutil.rmtree(self._base / f"tree{self._number}", ignore_errors=True)


def grow(root: Path, files: int) -> None:
    """Make a tree of small files."""
    for number in range(files):
        folder = root / f"d{number // PER_DIRECTORY}"
        if number % PER_DIRECTORY == 0:
            folder.mkdir(parents=True)
        with open(folder / f"{number}.log", "wb") as file:  # noqa: PTH123 - hot
            file.write(b"x" * 64)


GOALS = (
    ("healmon, its walk and unlink", "find -delete", 1.2),
    ("healmon, every protection", "find -delete", 2.0),
    ("healmon, dry scan", "find -printf", 1.3),
)
"""Who may take how many times the processor time of whom."""


def timed(argv: list[str]) -> tuple[float, float, str]:
    """Return seconds of the processors and of the clock of a program, and what it printed."""
    before, at = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    printed = subprocess.DEVNULL if argv[0] == "find" else subprocess.PIPE
    done = subprocess.run(argv, stdout=printed, stderr=subprocess.PIPE, text=True, check=False)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - at
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]}: {done.stderr[-500:]}")
    return cpu, wall, (done.stdout or "").strip()


def contestants(base: Path) -> dict[str, tuple[str, list[str]]]:
    """Return name to kind (`scan` or `delete`) and command line; `{}` stands for the tree."""
    py, form = sys.executable, "%p %s %b %T@ %C@ %A@ %i %n %U\\n"
    aged = ["find", "{}", "-type", "f", "-name", "*.log", "-mmin", "-100000"]
    found = {
        "python scandir, stat, unlink": ("delete", [py, "-c", FLOOR, "{}"]),
        "find -delete": ("delete", ["find", "{}", "-type", "f", "-delete"]),
        "find, name and age, -delete": ("delete", [*aged, "-delete"]),
        "rm -rf": ("delete", ["rm", "-rf", "{}"]),
        "healmon, its walk and unlink": ("delete", [py, "-c", OURS, "walk", "{}"]),
        "healmon, every protection": ("delete", [py, "-c", OURS, "delete", "{}"]),
        "healmon, survey and every protection": ("delete", [py, "-c", OURS, "clean", "{}"]),
        "find -printf": ("scan", ["find", "{}", "-printf", form]),
        "healmon, dry scan": ("scan", [py, "-c", OURS, "scan", "{}"]),
    }
    if shutil.which("systemd-tmpfiles"):
        argv = ["systemd-tmpfiles", "--clean", str(base / "rule.conf")]
        found["systemd-tmpfiles --clean"] = ("delete", argv)
    compiler = shutil.which("cc")
    if compiler is not None:
        calls = str(base / "calls")
        source = Path(__file__).with_name("calls.c")
        subprocess.run([compiler, "-O2", "-o", calls, str(source)], check=True)
        found["C, unlink (the floor)"] = ("delete", [calls, "unlink", "{}"])
        found["C, stat and unlink"] = ("delete", [calls, "stat", "{}"])
        found["C, the calls of every protection"] = ("delete", [calls, "protected", "{}"])
    if shutil.which("tmpreaper"):
        found["tmpreaper"] = ("delete", ["tmpreaper", "--mtime", "0s", "{}"])
    return found


def main() -> int:
    """Run all of them in turns and print a table; returns 1 when a goal is missed."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.disks", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="10,000 files, one round")
    parser.add_argument("--in", dest="place", default=None, help="directory to make the trees in")
    parser.add_argument("--ext4", action="store_true", help="each tree on a cold ext4 in memory")
    args = parser.parse_args()
    files, rounds = (10_000, 1) if args.quick else (args.files, args.rounds)
    place = args.place or ("/dev/shm" if args.ext4 else None)
    base = Path(tempfile.mkdtemp(prefix="healmon-bench-", dir=place))
    table = contestants(base)
    cpu: dict[str, list[float]] = {name: [] for name in table}
    wall: dict[str, list[float]] = {name: [] for name in table}
    notes: dict[str, str] = {}
    print(f"{files} files, median of {rounds}, load {os.getloadavg()[0]:.0f}")
    trees = None
    try:
        trees = Trees(base, files, ext4=args.ext4)
        for _ in range(rounds):
            for name, (_, argv) in table.items():
                tree = trees.fresh()
                (base / "rule.conf").write_text(f"d {tree} - - - 0\n")
                seconds, clock, said = timed([part.replace("{}", str(tree)) for part in argv])
                if name.startswith("healmon"):
                    count, grown, own, own_clock = said.split()
                    # a healer imports once, not once a cleaning
                    seconds, clock = float(own), float(own_clock)
                    notes[name] = f"{count} files, memory +{int(grown) / 1024:.1f} MiB"
                cpu[name].append(seconds)
                wall[name].append(clock)
                trees.drop()
    finally:
        if trees is not None:
            trees.drop()
        shutil.rmtree(base, ignore_errors=True)
    for kind, unit in (("delete", "find -delete"), ("scan", "find -printf")):
        print(f"{kind:<40}  CPU s  x find   wall s  x find")
        for name, (mine, _) in table.items():
            if mine == kind:
                cells = ""
                for found in (cpu, wall):
                    middle, one = statistics.median(found[name]), statistics.median(found[unit])
                    cells += f"{middle:7.2f}  {middle / one:6.2f}  "
                print(f"  {name:<38}{cells}{notes.get(name, '')}")
    missed = 0
    for mine, other, most in GOALS:
        ratio = statistics.median(cpu[mine]) / statistics.median(cpu[other])
        missed += ratio > most
        word = "MISSED " if ratio > most else "reached"
        print(f"{word}  {mine}: {most:g} times {other} (CPU): {ratio:.2f}")
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
