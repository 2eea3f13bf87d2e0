"""healmon against its peers and the physical limit, in one run. See ../README.md."""

from __future__ import annotations

import argparse
import itertools
import os
import resource
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final, NoReturn

from msgspec.structs import replace

from benchmarks.workers import results, table
from benchmarks.workers.contestant import Contestant
from benchmarks.workers.fetch import Tools, UnavailableError
from benchmarks.workers.keeper import DESCRIPTORS, kept
from benchmarks.workers.measure import Plan, Raw, Session
from benchmarks.workers.ours import FloorC, FloorPython, Healmon
from benchmarks.workers.peers import S6, Circus, Monit, Pm2, Runit, Supervisord

CONTESTANTS: Final[tuple[type[Contestant], ...]] = (
    FloorC, FloorPython, Healmon, Runit, S6, Pm2, Circus, Supervisord, Monit,
)  # fmt: skip
NAMES: Final = tuple(c.name for c in CONTESTANTS)
GROUPS: Final = {"floor": ("floor-c", "floor-py"), "all": NAMES}
QUICK: Final = Plan(
    counts=(3,), rounds=1, crashes=5, masses=1, budget=8.0, idle=2.0, whole_cycle=False,
    pauses=(0.02, 0.6),
)  # fmt: skip
EXIT_USAGE: Final = 64
EXIT_CANNOT_WRITE: Final = 73


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"{self.prog}: {message}\nsee: {self.prog} --help\n")


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    made = _Parser(prog="python -m benchmarks.workers", description=__doc__)
    made.add_argument("--quick", action="store_true", help="3 workers, a minute in all")
    made.add_argument(
        "--only", type=_names, default=NAMES, metavar="LIST",
        help=f"who takes part, with commas: {', '.join(NAMES)}; floor: both floors",
    )  # fmt: skip
    made.add_argument("--n", type=_counts, metavar="LIST", help="counts of workers (3,100,300)")
    made.add_argument("--reps", type=_whole, metavar="N", help="single crashes of each (50)")
    made.add_argument("--masses", type=_whole, metavar="N", help="crashes of all at once (4)")
    made.add_argument("--rounds", type=_whole, metavar="N", help="in which they take turns (2)")
    made.add_argument(
        "--idle", type=float, metavar="SECONDS", help="idle window (30; healmon: a whole cycle)"
    )
    made.add_argument("--worker", choices=("auto", "c", "py"), default="auto", help="its language")
    made.add_argument(
        "--install", action="store_true",
        help="fetch monit, runit and s6 from Debian where missing (unpacked, not installed)",
    )  # fmt: skip
    made.add_argument(
        "--cache", type=Path, metavar="DIR", help="keep what is built and fetched for the next run"
    )
    made.add_argument("--json", type=Path, metavar="FILE", help="write all results there")
    return made


def _names(text: str) -> tuple[str, ...]:
    wanted = set[str]()
    for word in filter(None, (part.strip() for part in text.split(","))):
        if word not in NAMES and word not in GROUPS:
            raise argparse.ArgumentTypeError(
                f"no such contestant: {word!r}; there is: {', '.join((*NAMES, *GROUPS))}"
            )
        wanted.update(GROUPS.get(word, (word,)))
    return tuple(name for name in NAMES if name in wanted)


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1 on, not {text!r}")
    return int(text)


def _counts(text: str) -> tuple[int, ...]:
    counts = {_whole(word) for word in text.split(",")}
    if max(counts) > 999:
        raise argparse.ArgumentTypeError("999 workers at most")
    return tuple(sorted(counts))


def plan_of(args: argparse.Namespace) -> Plan:
    """Return what these arguments ask to be measured."""
    plan = QUICK if args.quick else Plan()
    given = {
        "counts": args.n, "crashes": args.reps, "masses": args.masses, "rounds": args.rounds,
        "idle": args.idle,
    }  # fmt: skip
    return replace(plan, **{key: value for key, value in given.items() if value is not None})


def prepared(
    names: Sequence[str], tools: Tools
) -> tuple[dict[str, Contestant], dict[str, results.Entry], dict[str, str]]:
    """Return who takes part, their versions, and who cannot and why."""
    able: dict[str, Contestant] = {}
    entries: dict[str, results.Entry] = {}
    skipped: dict[str, str] = {}
    for kind in CONTESTANTS:
        if kind.name not in names:
            continue
        contestant = kind(tools)
        try:
            version = contestant.prepare()
        except UnavailableError as error:
            skipped[kind.name] = str(error)
            say(f"{kind.name}: skipped: {error}")
            continue
        able[kind.name] = contestant
        entries[kind.name] = results.Entry(version=version, settings=kind.about)
    return able, entries, skipped


def measured(able: dict[str, Contestant], plan: Plan, folder: Path) -> dict[str, dict[str, Raw]]:
    """Return the raw measures by contestant and count; contestants take turns in every round.

    Ctrl-C ends it early: what was measured by then is not lost.
    """
    raws: dict[str, dict[str, Raw]] = {name: {} for name in able}
    turns = itertools.product(range(plan.rounds), plan.counts, able.items())
    for number, count, (name, contestant) in turns:
        raw = raws[name].setdefault(str(count), Raw())
        if raw.trouble:
            continue
        say(f"round {number + 1} of {plan.rounds}, N={count}: {name}")
        try:
            Session(contestant, plan, count, folder / name, raw).run(number)
        except KeyboardInterrupt:
            raw.trouble = "interrupted"
            return raws
        if raw.trouble:
            say(f"  {raw.trouble}")
    return raws


def run(args: argparse.Namespace, folder: Path) -> int:
    """Measure and tell; returns 0 when every contestant was measured to the end, else 1."""
    began, stamp, load = time.monotonic(), time.strftime("%Y-%m-%d %H:%M"), os.getloadavg()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, DESCRIPTORS), hard), hard))
    tools = Tools(args.cache or folder / "tools", worker=args.worker, install=args.install)
    plan = plan_of(args)
    try:
        able, entries, skipped = prepared(args.only, tools)
        raws = measured(able, plan, folder)
    except UnavailableError as error:
        say(f"no worker can be built: {error}; try --worker py")
        return 69
    found = {
        name: {count: results.result(raw) for count, raw in by_count.items()}
        for name, by_count in raws.items()
    }
    report = results.Report(
        format=results.FORMAT,
        host=results.host(tools.language, stamp, time.monotonic() - began, load),
        plan=plan,
        contestants=entries,
        skipped=skipped,
        results=found,
        per_worker={
            name: growth
            for name, by_count in found.items()
            if (growth := results.per_worker(by_count)) is not None
        },
        ratios=results.ratios(found),
    )
    print(table.text(report), flush=True)
    if args.json is not None:
        try:
            results.write(report, args.json)
        except OSError as error:
            say(f"{args.json} cannot be written: {error.strerror}")
            return EXIT_CANNOT_WRITE
    return int(any(one.trouble for by_count in found.values() for one in by_count.values()))


def say(text: str) -> None:
    """Tell how far it is."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(kept(partial(run, parser().parse_args())))
