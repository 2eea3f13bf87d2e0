"""Every simulated part answers what its real one answers, and one suite holds both to it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from healmon.world import (
    depots,
    evidencefiles,
    files,
    mending,
    notifying,
    ports,
    processes,
    shims,
    sqlite,
    system_ports,
    system_processes,
    system_shims,
    taskdb,
    tmux,
)
from healmon.world import simulated as package
from healmon.world.simulated import depots as made_depots
from healmon.world.simulated import evidencefiles as made_evidencefiles
from healmon.world.simulated import files as made_files
from healmon.world.simulated import mending as made_mending
from healmon.world.simulated import notifying as made_notifying
from healmon.world.simulated import ports as made_ports
from healmon.world.simulated import processes as made_processes
from healmon.world.simulated import shims as made_shims
from healmon.world.simulated import sqlite as made_sqlite
from healmon.world.simulated import taskdb as made_taskdb
from healmon.world.simulated import tmux as made_tmux

ROOT = Path(__file__).parents[2]
TWINS = {
    "depots": (depots.Backups, depots.Depots, made_depots.SimulatedDepots),
    "evidencefiles": (
        evidencefiles.EvidenceFiles, evidencefiles.SystemEvidenceFiles,
        made_evidencefiles.SimulatedEvidenceFiles,
    ),
    "files": (files.Files, files.SystemFiles, made_files.SimulatedFiles),
    "mending": (mending.Mender, mending.SystemMender, made_mending.SimulatedMender),
    "notifying": (
        notifying.Messenger, notifying.SystemMessenger, made_notifying.SimulatedMessenger,
    ),
    "ports": (ports.Ports, system_ports.SystemPorts, made_ports.SimulatedPorts),
    "processes": (
        processes.Processes, system_processes.SystemProcesses, made_processes.SimulatedProcesses,
    ),
    "shims": (shims.Shims, system_shims.SystemShims, made_shims.SimulatedShims),
    "sqlite": (sqlite.Locks, sqlite.SystemLocks, made_sqlite.SimulatedLocks),
    "taskdb": (
        taskdb.TaskDatabases, taskdb.SystemTaskDatabases, made_taskdb.SimulatedTaskDatabases,
    ),
    "tmux": (tmux.Tmux, tmux.SystemTmux, made_tmux.SimulatedTmux),
}  # fmt: skip


def test_every_simulated_part_is_held_to_a_contract() -> None:
    modules = {p.stem for p in Path(package.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == TWINS.keys()


def asked(kind: type) -> dict[str, list[tuple[str, object, object]]]:
    """The parameters of each public method: name, sort, default."""
    return {
        name: [(p.name, p.kind, p.default) for p in inspect.signature(method).parameters.values()]
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize("name", TWINS)
def test_both_can_be_asked_what_the_door_promises(name: str) -> None:
    door, real, simulated = map(asked, TWINS[name])
    assert door
    for question, parameters in door.items():
        assert real.get(question) == parameters, f"real {name}.{question}"
        assert simulated.get(question) == parameters, f"simulated {name}.{question}"


@pytest.mark.parametrize("name", TWINS)
def test_one_suite_runs_over_both(name: str) -> None:
    text = (ROOT / "tests" / "world" / f"test_{name}.py").read_text("utf-8")
    fixture = re.search(r'@pytest\.fixture\(params=\["real", "simulated"\]\)\ndef (\w+)\(', text)
    assert fixture, "no fixture gives both"
    # or it makes the stage that tests are given
    given = rf"^def test_\w+\([^)]*\b({fixture[1]}|stage)\b"
    questions = len(asked(TWINS[name][0]))
    assert len(re.findall(given, text, re.MULTILINE)) >= questions
