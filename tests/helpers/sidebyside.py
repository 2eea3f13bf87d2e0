"""`make test-fast`: the fast tier in some processes side by side, each with its share of the files.

Where one process hands out six thousand small tests, that, and to collect all of them in each that
runs some, costs half as much as the tests themselves.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import SLOW

NO_TESTS = 5
"""Exit code of pytest where all tests of a share were left out."""


def shares(files: list[Path], number: int) -> list[list[Path]]:
    """Return the files in so many shares of about the same size, neighbours together.

    What lies in one folder loads much the same libraries.
    """
    made: list[list[Path]] = [[] for _ in range(number)]
    whole = sum(file.stat().st_size for file in files)
    passed = 0
    for file in sorted(files):
        size = file.stat().st_size
        made[int((passed + size / 2) * number / whole)].append(file)
        passed += size
    return made


def main(number: int, options: list[str]) -> int:
    """Run all, each told of when it has ended; return the exit code of one that failed, or 0."""
    files = [f for f in Path("tests").rglob("test_*.py") if not SLOW.search(f.read_text("utf-8"))]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    running = [
        subprocess.Popen(
            [*words, *options, *map(str, share)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env=os.environ | {"HEALMON_TESTS": "fast"},
        )
        for share in shares(files, number)
        if share  # to be given no name would be to run all
    ]  # fmt: skip
    codes = []
    for process in running:
        said, _ = process.communicate()
        sys.stdout.buffer.write(said)
        sys.stdout.flush()
        codes.append(process.returncode)
    return next((code for code in codes if code not in (0, NO_TESTS)), 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
