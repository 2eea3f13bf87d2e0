"""What the demo's programs tell is so at the moment they tell it, however slow the machine is."""

from __future__ import annotations

import importlib.util
import signal
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from healmon.demo import owned
from healmon.demo.world import PROGRAMS
from healmon.world.processes import Identity


def loaded(name: str, root: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A program of the demo as a module, at home in a directory."""
    spec = importlib.util.spec_from_file_location(f"demo_{name}", PROGRAMS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "ROOT", root)
    return module


def test_an_agent_says_what_it_is_once_it_is_seen_to_be(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    agent, done = loaded("agent", home, monkeypatch), []

    def tell(_self: object) -> None:
        done.append("tell")
        home.rmdir()  # it ends

    monkeypatch.setattr(agent.termios, "tcgetattr", lambda _fd: [0] * 7)
    monkeypatch.setattr(agent.signal, "signal", lambda *_: None)
    monkeypatch.setattr(agent.select, "select", lambda *_: ([], [], []))
    monkeypatch.setattr(agent.Agent, "listen", lambda _self: done.append("listen"))
    monkeypatch.setattr(agent.Screen, "draw", lambda *_: done.append("draw"))
    monkeypatch.setattr(agent.Agent, "tell", tell)
    assert agent.main("one", "approval") == 0
    assert done == ["listen", "draw", "tell"]


def test_a_writer_that_says_that_it_holds_the_lock_holds_it(tmp_path, monkeypatch):
    writer = loaded("db_writer", tmp_path, monkeypatch)
    holding, said = tmp_path / "holding", []
    monkeypatch.setattr(writer, "HOLDING", holding)
    one = writer.Writer.__new__(writer.Writer)
    one.ending = True
    one.database = SimpleNamespace(
        execute=lambda sql, *_: said.append((sql.split()[0], holding.exists()))
    )
    one.hold("nonce")
    assert said[0] == ("BEGIN", False)
    assert said[-1] == ("COMMIT", False), "who is stopped before it has the lock, and says nothing"


def test_a_silent_build_takes_as_much_of_a_busy_processor_as_of_a_free_one(tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    build, own, walls = loaded("build", home, monkeypatch), iter(range(100)), iter(range(0, 900, 9))
    clock = SimpleNamespace(
        process_time=lambda: next(own) * build.BEAT * build.SHARE / 10,
        perf_counter=lambda: float(next(walls)),
        sleep=lambda _seconds: home.rmdir(),  # it ends
    )
    monkeypatch.setattr(build, "time", clock)
    assert build.work() == 0
    assert next(own) >= 10


def test_who_was_killed_is_waited_for_until_the_machine_has_a_moment_for_its_end(monkeypatch):
    who, steps = Identity("boot", 4711, 1), iter(range(1000))
    monkeypatch.setattr(owned, "process_seconds", lambda: float(next(steps)))
    killed = iter([True] * 8)
    door = SimpleNamespace(
        signal=lambda *_: None, identify=lambda _pid: who if next(killed, False) else None
    )
    assert owned.end(door, [who], signals=((signal.SIGKILL,),)) == []
