"""A program at native speed that swaps things below a cleaner, as another user where it may.

    attack exchange A B    exchanges two names, for ever
    attack mount A B       mounts A over B and takes it off again, for ever

It keeps the number of swaps that worked in a file mapped by both sides.
"""

from __future__ import annotations

import mmap
import os
import shutil
import struct
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

NOBODY = 65534
SOURCE = r"""
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>
int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int fd = open(argv[2], O_RDWR);
    if (fd < 0) return 3;
    volatile uint64_t *done = mmap(0, 8, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (done == MAP_FAILED) return 4;
    pid_t parent = getppid();
    for (uint64_t n = 0; n % 1024 || getppid() == parent; n++) {
        if (!strcmp(argv[1], "mount")) {
            if (!mount(argv[3], argv[4], "", MS_BIND, 0)) {
                umount2(argv[4], MNT_DETACH);
                ++*done;
            }
        } else if (!renameat2(AT_FDCWD, argv[3], AT_FDCWD, argv[4], RENAME_EXCHANGE)) {
            ++*done;
        }
    }
    return 0;
}
"""


def built(folder: Path) -> Path:
    """Return the program; skips where there is no compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler for an attacker at native speed")
    source, program = folder / "attack.c", folder / "attack"
    source.write_text(SOURCE)
    subprocess.run([compiler, "-O2", "-o", str(program), str(source)], check=True)
    program.chmod(0o755)
    return program


class Attacker:
    """Swaps two things until the block is left."""

    def __init__(self, program: Path, how: str, one: Path, other: Path, *, root: bool) -> None:
        count = Path(f"{program}.count")
        count.write_bytes(bytes(8))
        count.chmod(0o666)
        with count.open("rb") as file:
            self._count = mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_READ)
        user = {} if root or os.geteuid() else {"user": NOBODY}
        argv = [str(program), how, str(count), str(one), str(other)]
        self._child = subprocess.Popen(argv, **user)

    @property
    def swaps(self) -> int:
        """How many swaps have worked."""
        assert self._child.poll() is None, "the attacker lives"
        return int(struct.unpack("Q", self._count)[0])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._child.kill()
        self._child.wait()
        self._count.close()
