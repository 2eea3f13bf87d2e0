"""Kill a daemon with SIGKILL at random moments and start it again, while much is going on.

    python -m tests.helpers.killsweep --kills 200 --seed 7        (`make kill-sweep`)

What must hold is asked all the time, not at the end only; a broken promise says the seed.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.helpers.killworld import World
from tests.helpers.wait import until

EARLY = 0.3
"""So many kills hit a daemon that may not be up yet."""
STARTING = 2.0
LIVING = 4.0
"""Seconds within which it is killed: after its start was begun, after it was up."""
SETTLED = 150.0
LOOK = 0.1


class BrokenError(AssertionError):
    """A promise did not hold."""


def sweep(kills: int, seed: int, *, tell: bool = False) -> Counter[str]:
    """Kill so many times and return what went on: kills while starting, tasks, overrides…

    Raises:
        BrokenError: a promise does not hold; which one, and the seed.
    """
    base = Path(tempfile.mkdtemp(prefix="hmk"))
    dice = random.Random(seed)
    world = World(base, dice)
    counted: Counter[str] = Counter()
    try:
        for number in range(kills):
            _life(world, dice, counted)
            if tell and number % 10 == 9:
                print(f"{number + 1} kills, {dict(counted)}", flush=True)
        _end(world, counted)
        rows = world.box.rows("SELECT state, count(*) FROM commands GROUP BY state")
        counted.update({f"overrides {state}": count for state, count in rows})
        counted.update({"tasks": len(world.tasks), "acts": len(world.box.events("actionverified"))})
    except AssertionError as error:
        if tell:
            shutil.copytree(
                world.stage.state, kept := Path(tempfile.mkdtemp(prefix="hmk-broken")),
                dirs_exist_ok=True, ignore=lambda *_: ["healmon.sock", "healmon.wake"],
            )  # fmt: skip
            print(f"the state directory is kept in {kept}", file=sys.stderr)
        message = f"seed {seed}, after {sum(counted.values())} kills: {error}"
        raise BrokenError(message) from error
    finally:
        world.close()
        shutil.rmtree(base, ignore_errors=True)
    return counted


def _life(world: World, dice: random.Random, counted: Counter[str]) -> None:
    """Start a daemon, let things happen, kill it."""
    world.start()
    early = dice.random() < EARLY
    if not early:
        until(world.up, 60, "a daemon that is up")
    end = time.monotonic() + dice.uniform(0.0, STARTING if early else LIVING)
    world.trouble()
    while (left := end - time.monotonic()) > 0:
        if dice.random() < LOOK:
            world.trouble()
        _hold(world)
        time.sleep(min(LOOK, left))
    world.kill()
    counted["killed while starting" if early else "killed while up"] += 1
    _hold(world)


def _hold(world: World) -> None:
    wrong = world.broken()
    if wrong:
        raise BrokenError("; ".join(wrong))


def _end(world: World, counted: Counter[str]) -> None:
    """Let a daemon live: all is brought in order, and stays so."""
    world.start()
    until(world.up, 60, "a daemon that is up")
    end = time.monotonic() + SETTLED
    while left := world.settled():
        _hold(world)
        for name in world.left_to_people():
            world.box.healmon("clear", name)
            counted["cleared by hand"] += 1
        if time.monotonic() > end:
            raise BrokenError("does not come to rest: " + "; ".join(left))
        time.sleep(LOOK)
    stopped = world.box.healmon("stop")
    if stopped.returncode:
        raise BrokenError(f"cannot be stopped: {stopped.stderr}")
    wrong = [*world.broken(), *world.settled(), *world.whole()]
    if wrong:
        raise BrokenError("; ".join(wrong))


def main() -> int:
    parser = argparse.ArgumentParser(prog="make kill-sweep", description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began = time.monotonic()
    try:
        counted = sweep(given.kills, given.seed, tell=True)
    except BrokenError as error:
        print(error, file=sys.stderr)
        return 1
    took = time.monotonic() - began
    print(f"{given.kills} kills held all promises; it took {took:.0f} s: {dict(counted)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
