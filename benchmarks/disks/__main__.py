"""Deleting and scanning many files: healmon against find, rm, systemd-tmpfiles and the floor.

Says CPU seconds of each contestant (user and system) and the ratio to find; healmon's are counted
after its imports, which a healer makes once. Each gets a fresh tree of its own, in turns.

    python -m benchmarks.disks [--files 200000] [--rounds 3] [--quick] [--in DIR]
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PER_DIRECTORY = 180

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
import resource, sys, time
from healmon.world.filedata import Limits, Selection
from healmon.world.files import SystemFiles
what, root = sys.argv[1:]
files, many = SystemFiles(), Limits(entries=10**8, seconds=3600)
selection = Selection(rule="all", roots=(root,), patterns=("*.log",), older_than=1.0)
when = time.time() + 60
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began = time.process_time()
survey = files.survey(selection, when, many)
if what == "delete":
    done = files.sweep(selection, survey.choice, "delete", when, many, lambda: False)
    print(done.taken.files, end=" ")
else:
    print(survey.due.files, end=" ")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, time.process_time() - began)
"""


def grow(root: Path, files: int) -> None:
    """Make a tree of small files."""
    for number in range(files):
        folder = root / f"d{number // PER_DIRECTORY}"
        if number % PER_DIRECTORY == 0:
            folder.mkdir(parents=True)
        with open(folder / f"{number}.log", "wb") as file:  # noqa: PTH123 - hot
            file.write(b"x" * 64)


def timed(argv: list[str]) -> tuple[float, str]:
    """Return CPU seconds of a program and what it printed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if done.returncode != 0:
        raise SystemExit(f"{argv[0]}: {done.stderr[-500:]}")
    return cpu, done.stdout.strip()


def contestants(base: Path) -> dict[str, tuple[str, list[str]]]:
    """Return name to kind (`scan` or `delete`) and command line; `{}` stands for the tree."""
    py, form = sys.executable, "%p %s %b %T@ %C@ %A@ %i %n %U\\n"
    found = {
        "python scandir, stat, unlink (floor)": ("delete", [py, "-c", FLOOR, "{}"]),
        "find -delete": ("delete", ["find", "{}", "-type", "f", "-delete"]),
        "rm -rf": ("delete", ["rm", "-rf", "{}"]),
        "healmon, every protection": ("delete", [py, "-c", OURS, "delete", "{}"]),
        "find -printf": ("scan", ["find", "{}", "-printf", form]),
        "healmon, dry scan": ("scan", [py, "-c", OURS, "scan", "{}"]),
    }
    if shutil.which("systemd-tmpfiles"):
        (base / "rule.conf").write_text("d {} - - - 0\n")
        argv = ["systemd-tmpfiles", "--clean", str(base / "rule.conf")]
        found["systemd-tmpfiles --clean"] = ("delete", argv)
    if shutil.which("tmpreaper"):
        found["tmpreaper"] = ("delete", ["tmpreaper", "--mtime", "0s", "{}"])
    return found


def main() -> None:
    """Run all of them in turns and print a table."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.disks", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--files", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="10,000 files, one round")
    parser.add_argument("--in", dest="place", default=None, help="directory to make the trees in")
    args = parser.parse_args()
    files, rounds = (10_000, 1) if args.quick else (args.files, args.rounds)
    base = Path(tempfile.mkdtemp(prefix="healmon-bench-", dir=args.place))
    cpu: dict[str, list[float]] = {}
    notes: dict[str, str] = {}
    table = contestants(base)
    try:
        for number in range(rounds):
            for name, (_, argv) in table.items():
                tree = base / f"{number}-{len(cpu)}-tree"
                grow(tree, files)
                rule = base / "rule.conf"
                if rule.exists():
                    rule.write_text(f"d {tree} - - - 0\n")
                seconds, said = timed([part.replace("{}", str(tree)) for part in argv])
                cpu.setdefault(name, []).append(seconds)
                if name.startswith("healmon"):
                    count, grown, own = said.split()
                    # a healer imports once, not once a cleaning
                    cpu[name][-1] = float(own)
                    notes[name] = f"{count} files, memory +{int(grown) / 1024:.1f} MiB"
                shutil.rmtree(tree, ignore_errors=True)
    finally:
        shutil.rmtree(base, ignore_errors=True)
    for kind, unit in (("delete", "find -delete"), ("scan", "find -printf")):
        one = statistics.median(cpu[unit])
        print(f"{kind}: {files} files, CPU seconds, median of {rounds}, ratio to {unit}")
        for name, (mine, _) in table.items():
            if mine == kind:
                middle = statistics.median(cpu[name])
                print(f"  {name:<38} {middle:7.2f}  {middle / one:5.2f}  {notes.get(name, '')}")


if __name__ == "__main__":
    main()
