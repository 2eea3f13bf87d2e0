"""The benchmark of workers: its command line, its arithmetic, and one short run of all of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.workers import __main__ as bench
from benchmarks.workers import gauge, keeper, results, table
from benchmarks.workers.measure import Plan, Raw, _share
from tests.helpers.wait import until

ROOT = Path(__file__).parents[2]


def run(*words: str, limit: float = 300.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmarks.workers", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=limit,
    )


def memory(size: int) -> gauge.Memory:
    return gauge.Memory(processes=1, rss=2 * size, pss=size, uss=size)


def report(raws: dict[str, dict[str, Raw]]) -> results.Report:
    found = {n: {c: results.result(r) for c, r in by.items()} for n, by in raws.items()}
    return results.Report(
        format=results.FORMAT,
        host=results.host("c", "today", 1.0, (0.0, 0.0, 0.0)),
        plan=Plan(),
        contestants={n: results.Entry(version="1", settings="none") for n in raws},
        skipped={"monit": "not installed"},
        results=found,
        per_worker={n: p for n, by in found.items() if (p := results.per_worker(by)) is not None},
        ratios=results.ratios(found),
    )


def test_groups_and_names_choose_who_takes_part():
    args = bench.parser().parse_args(["--only", "healmon, floor"])
    assert args.only == ("floor-c", "floor-py", "healmon")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "systemd"], "there is: floor-c"),
        (["--n", "3,many"], "not 'many'"),
        (["--n", "1000"], "999 workers at most"),
        (["--reps", "0"], "a whole number from 1 on"),
    ],
)
def test_a_wrong_word_is_told_with_what_is_right(words, said, capsys):
    with pytest.raises(SystemExit) as end:
        bench.parser().parse_args(words)
    assert end.value.code == bench.EXIT_USAGE
    assert said in capsys.readouterr().err


def test_what_is_given_overrides_the_quick_plan():
    plan = bench.plan_of(bench.parser().parse_args(["--quick", "--reps", "7", "--n", "5,3"]))
    assert (plan.crashes, plan.counts, plan.rounds) == (7, (3, 5), bench.QUICK.rounds)


def test_repetitions_are_spread_over_the_rounds():
    assert [_share(5, 2, number) for number in range(2)] == [3, 2]


def test_a_spread_is_median_and_ninetieth_percentile():
    spread = results.spread([float(n) for n in range(11)])
    assert spread is not None
    assert (spread.count, spread.median, spread.p90) == (11, 5.0, 9.0)
    assert results.spread([]) is None


def test_ratios_compare_within_the_run_and_adopted_with_ordinary_crashes():
    raws = {
        "floor-c": {"3": Raw(single=[1.0], mass=[2.0], memory=memory(10))},
        "healmon": {"3": Raw(single=[3.0], adopted=[4.0], mass=[3.0], memory=memory(30))},
        "monit": {"3": Raw(trouble="it ended by itself")},
    }
    ratios = report(raws).ratios
    assert ratios["single"]["3"]["healmon"] == {"floor-c": 3.0}
    assert ratios["adopted"]["3"]["healmon"] == {"floor-c": 4.0}
    assert ratios["mass"]["3"]["healmon"] == {"floor-c": 1.5}
    assert ratios["pss"]["3"]["floor-c"] == {"healmon": 0.333}
    assert "monit" not in ratios["single"]["3"]


def test_memory_per_worker_is_the_growth_between_counts():
    raws = {"healmon": {"3": Raw(memory=memory(1000)), "103": Raw(memory=memory(3000))}}
    growth = report(raws).per_worker["healmon"]
    assert (growth.least, growth.most, growth.pss, growth.rss) == (3, 103, 20.0, 40.0)


def test_the_table_says_what_was_not_measured_and_what_went_wrong():
    raws = {
        "floor-c": {"3": Raw(single=[1.0], start=[0.1])},
        "healmon": {"3": Raw(single=[2.0], start=[0.1], surplus=1, trouble="it hangs")},
    }
    text = table.text(report(raws))
    assert "monit: skipped: not installed" in text
    assert "healmon, N=3: NOT MEASURED TO THE END: it hangs" in text
    assert "healmon, N=3: 1 starts that nothing called for" in text
    assert "2.00x" in text


def test_only_descendants_are_ours_to_end():
    assert keeper.family() == set()  # no keeper, no family: never everybody below process 1
    nest = "import subprocess, sys; subprocess.run(['sleep', '60'])"
    with subprocess.Popen([sys.executable, "-c", nest]) as child:
        (grandchild,) = until(lambda: keeper.descendants(child.pid), what="its child")
        assert child.pid in keeper.descendants(os.getpid())
        assert keeper.end_all([grandchild]) == set()
        child.wait(10)
    assert not keeper.descendants(child.pid)


def mine(folder: Path) -> list[str]:
    """Command lines of living processes that name a folder."""
    found = []
    for entry in filter(str.isdecimal, os.listdir("/proc")):  # noqa: PTH208 - names will do
        try:
            line = Path(f"/proc/{entry}/cmdline").read_bytes()
        except OSError:
            continue
        if os.fsencode(folder) in line:
            found.append(line.replace(b"\0", b" ").decode())
    return found


@pytest.mark.long(20)
@pytest.mark.slow
def test_a_short_run_measures_healmon_and_the_floors_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    target = tmp_path / "out.json"
    words = ["--quick", "--only", "healmon,floor", "--reps", "2", "--idle", "1"]
    done = run(*words, "--json", str(target))
    assert done.returncode == 0, done.stderr + done.stdout
    told = json.loads(target.read_text())
    contestants = set(told["contestants"])
    assert contestants | set(told["skipped"]) == {"floor-c", "floor-py", "healmon"}
    assert {"floor-py", "healmon"} <= contestants
    assert told["format"] == results.FORMAT
    for name in contestants:
        one = told["results"][name]["3"]
        assert (one["trouble"], one["surplus"]) == ("", 0)
        assert len(one["single_ms"]["values"]) == one["single_ms"]["count"] == 2
        assert one["single_ms"]["median"] > 0
        assert len(one["mass_ms"]["values"]) == 1
        assert one["memory"]["processes"] >= 1
        assert one["memory"]["rss"] >= one["memory"]["pss"] > 0
        assert one["idle"]["seconds"] >= 1
        assert one["idle"]["threads"] >= 1
    assert len(told["results"]["healmon"]["3"]["adopted_ms"]["values"]) == 2
    assert told["ratios"]["single"]["3"]["healmon"]["floor-py"] > 0
    assert "healmon / other, N=3" in done.stdout
    assert not mine(tmp_path)
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.slow
def test_whoever_ends_the_benchmark_ends_all_it_started(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    words = ["--quick", "--only", "floor-py", "--reps", "500"]
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.workers", *words],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        until(lambda: len(mine(tmp_path)) >= 4, limit=60, what="floor and workers")
        child.terminate()
        assert child.wait(60) == 143
    finally:
        child.kill()
        child.communicate()
    until(lambda: not mine(tmp_path), limit=30, what="the end of all")
    assert not list(tmp_path.iterdir())
