"""Which healers are made anew when settings change: those that read them, and no other."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from healmon import registry
from healmon.clock import SystemClock
from healmon.config import settings as st
from healmon.world.system_processes import SystemProcesses

WORKER = st.Worker(name="a", argv=("sleep", "1"))
SETTINGS = st.Settings(
    monitor=st.Monitor(name="box"),
    workers=(WORKER,),
    sessions=st.Sessions(sockets=()),
    databases=(st.Database(name="d", path="/nowhere/d.db"),),
    disk=st.Disk(paths=()),
)


def rebuilt(tmp_path, **changed):
    parts = registry.Parts(replace(SETTINGS, **changed), tmp_path, SystemClock(), SystemProcesses())
    return set(registry.rebuild(parts, SETTINGS))


def monitor(**keys):
    return {"monitor": replace(SETTINGS.monitor, **keys)}


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({}, set()),
        (monitor(heartbeat_url="https://x"), set()),
        ({"alerts": st.Alerts(confirm_checks=9)}, set()),
        ({"notify": st.Notify(quiet="22:00-06:00")}, set()),
        ({"store": st.Store(retention=1.0)}, set()),
        (monitor(check_interval=5.0), {"workers"}),
        (monitor(start_spacing=9.0), {"workers"}),
        ({"workers": (replace(WORKER, memory_limit=5),)}, {"workers"}),
        ({"workers": ()}, {"workers", "databases"}),
        ({"sessions": st.Sessions(sockets=(), stuck_after=9.0)}, {"sessions"}),
        ({"sessions": st.Sessions(sockets=("x",))}, {"sessions", "databases"}),
        ({"tasks": (st.Tasks(name="t", path="/nowhere/t.db"),)}, {"sessions"}),
        ({"databases": ()}, {"databases"}),
        ({"disk": st.Disk(paths=(), warning=80.0)}, {"disks"}),
    ],
    ids=lambda value: "-".join(sorted(value)) or "nothing",
)
def test_only_who_reads_it_is_made_anew(tmp_path, changed, names):
    assert rebuilt(tmp_path, **changed) == names


def test_every_limit_of_the_host_is_a_key():
    assert all(hasattr(SETTINGS.monitor, name) for name in registry.HOST_LIMITS)
