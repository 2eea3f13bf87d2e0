"""A standing child that forks for every run of a program which is to die: imports are paid once."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

REPO = Path(__file__).parents[2]

LOOP = """
import json, os, sys, traceback
from healmon.world import files
program = compile(json.loads(sys.stdin.readline()), "<program>", "exec")
for line in sys.stdin:
    child = os.fork()
    if not child:
        code = 1
        try:
            sys.argv[1:] = json.loads(line)
            exec(program, {"__name__": "__main__"})
            code = 0
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class ForkKiller:
    """Runs a program, that may print nothing, with other arguments each time.

    Args:
        program: Python; finds its arguments in `sys.argv[1:]`.
    """

    def __init__(self, program: str) -> None:
        self._program = program

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [sys.executable, "-c", LOOP], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(REPO / "core")},
        )  # fmt: skip
        self._say(self._program)
        return self

    def __exit__(self, *_: object) -> None:
        self._child.communicate(timeout=60)

    def died(self, *arguments: object) -> bool:
        """Run it; returns whether it was killed, and not ended by itself."""
        self._say([str(one) for one in arguments])
        assert self._child.stdout is not None
        code = int(self._child.stdout.readline())
        assert code in {0, -signal.SIGKILL}, "its traceback is above"
        return code == -signal.SIGKILL

    def _say(self, what: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.write(json.dumps(what) + "\n")
        self._child.stdin.flush()
