"""A build that says nothing for minutes and works all the same: a child of it burns CPU time.

Its screen looks hung; only its processes tell that it is not. Arguments: NAME, or `--compile` for
the child.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).absolute().parents[1]
BEAT = 0.5
SHARE = 0.1
"""How much of a core the child takes."""


def work() -> int:
    """Burn a little CPU time again and again, until the builder or the demo is gone."""
    parent = os.getppid()
    while ROOT.exists() and os.getppid() == parent:
        # of its own time: on a busy machine it would else stand still for most of it, and look so
        begin = time.process_time()
        while time.process_time() - begin < BEAT * SHARE:
            pass
        time.sleep(BEAT * (1 - SHARE))
    return 0


def main(name: str) -> int:
    """Say two lines and wait for the child."""
    print(f"$ make {name}\nlinking 4214 objects; this takes a while", flush=True)
    child = subprocess.Popen([sys.executable, "-I", "-S", __file__, "--compile"])
    path = ROOT / "run/agents" / f"{name}.json"
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"state": "building", "pid": os.getpid()}))
    fresh.replace(path)
    try:
        return child.wait()
    except KeyboardInterrupt:
        child.terminate()
        return 130


if __name__ == "__main__":
    sys.exit(work() if sys.argv[1] == "--compile" else main(sys.argv[1]))
