"""The peers, each at its smallest delay and without its brakes."""

from __future__ import annotations

import json
import shlex

from benchmarks.workers import fetch
from benchmarks.workers.contestant import Command, Contestant, Place


class Supervisord(Contestant):
    """supervisord polls once a second; no option changes that."""

    name = "supervisord"
    about = "startsecs=0, autorestart=true, no servers, no logs; its loop polls every second"

    def prepare(self) -> str:
        self._program = self.tools.python_peer("supervisord")
        return fetch.PYPI[0].partition("==")[2]

    def configure(self, place: Place) -> Command:
        text = (
            "[supervisord]\nnodaemon=true\nsilent=true\nminfds=4096\n"
            f"logfile={place.folder}/supervisord.log\npidfile={place.folder}/supervisord.pid\n"
        )
        for name in place.names:
            text += (
                f"[program:{name}]\ncommand={shlex.join(place.argv(name))}\n"
                "startsecs=0\nautorestart=true\nstartretries=1000000\n"
                "stdout_logfile=NONE\nstderr_logfile=NONE\n"
            )
        return Command(argv=[self._program, "-c", str(place.write("supervisord.conf", text))])


class Circus(Contestant):
    """circusd polls every `check_delay`."""

    name = "circus"
    about = "check_delay 0.1 (default 5), warmup_delay 0, max_retry -1"

    def prepare(self) -> str:
        self._program = self.tools.python_peer("circusd")
        return fetch.PYPI[1].partition("==")[2]

    def configure(self, place: Place) -> Command:
        text = (
            "[circus]\ncheck_delay = 0.1\nwarmup_delay = 0\nstatsd = False\n"
            f"endpoint = ipc://{place.folder}/e.sock\n"
            f"pubsub_endpoint = ipc://{place.folder}/p.sock\n"
        )
        for name in place.names:
            program, *arguments = place.argv(name)
            text += (
                f"[watcher:{name}]\ncmd = {program}\nargs = {shlex.join(arguments)}\n"
                "warmup_delay = 0\nmax_retry = -1\ncopy_env = True\n"
            )
        return Command(argv=[self._program, str(place.write("circus.ini", text))])


class Pm2(Contestant):
    """pm2's daemon is started by its client and detaches."""

    name = "pm2"
    about = "restart_delay 0 (default), max_restarts 1000000, no logs, vizion and pmx off"

    def prepare(self) -> str:
        self._program = self.tools.pm2()
        return fetch.NPM.partition("@")[2]

    def configure(self, place: Place) -> Command:
        apps = [
            {
                "name": name,
                "script": place.argv(name)[0],
                "args": place.argv(name)[1:],
                "interpreter": "none",
                "exec_mode": "fork",
                "max_restarts": 1_000_000,
                "out_file": "/dev/null",
                "error_file": "/dev/null",
                "vizion": False,
                "pmx": False,
            }
            for name in place.names
        ]
        config = place.write("apps.json", json.dumps({"apps": apps}))
        env = {"PM2_HOME": str(place.folder / "pm2"), "HOME": str(place.folder)}
        return Command(argv=[self._program, "start", str(config), "--silent"], env=env)

    def settled(self, place: Place) -> bool:  # noqa: ARG002 - the protocol's
        """Return whether the client has ended: what stays is the daemon."""
        return self._main is None or self._main.poll() is not None

    def trouble(self) -> str:
        if self._main is not None and self._main.poll():
            return f"its client failed with code {self._main.returncode}"
        return ""


class Monit(Contestant):
    """monit looks once in a cycle, a second at least, and starts one worker after the other."""

    name = "monit"
    about = "set daemon 1 (its shortest cycle), pid files"
    limit = 60.0

    def prepare(self) -> str:
        self._found = self.tools.debian("monit", "monit")
        return self._found.version

    def configure(self, place: Place) -> Command:
        text = "set daemon 1\n"
        for kind in ("pidfile", "idfile", "statefile", "logfile"):
            text += f'set {kind} "{place.folder}/{kind}"\n'
        for name in place.names:
            pid_file = place.folder / f"{name}.pid"
            command = shlex.join([*place.argv(name), str(pid_file)])
            text += (
                f'check process {name} with pidfile "{pid_file}"\n'
                f'  start program = "{command}"\n'
                f'  stop program = "/bin/true"\n'
            )
        config = place.write("monitrc", text, 0o700)
        return Command(argv=[self._found.command, "-I", "-c", str(config)], env=self._found.env)


class Runit(Contestant):
    """runsvdir with a runsv per worker."""

    name = "runit"
    about = "runsvdir; holds back workers younger than 1 s; run is a sh script"

    def prepare(self) -> str:
        self._found = self.tools.debian("runit", "runsvdir")
        return self._found.version

    def configure(self, place: Place) -> Command:
        _services(place)
        argv = [self._found.command, str(place.folder / "services")]
        return Command(argv=argv, env=self._found.env)


class S6(Contestant):
    """An s6-supervise per worker.

    They are started by a shell: Debian's s6-svscan has the place of s6-supervise built in, which
    need not be installed here; it has no part in a restart.
    """

    name = "s6"
    about = "s6-supervise; at least 1 s between two starts, fixed; run is a sh script"

    def prepare(self) -> str:
        self._found = self.tools.debian("s6", "s6-supervise")
        return self._found.version

    def configure(self, place: Place) -> Command:
        _services(place)
        supervise = f"{shlex.quote(self._found.command)} services/"
        script = "".join(f"{supervise}{name} &\n" for name in place.names) + "wait\n"
        return Command(argv=["/bin/sh", str(place.write("all", script))], env=self._found.env)


def _services(place: Place) -> None:
    """Write a service directory per worker."""
    for name in place.names:
        # `run` is a shell script in every manual of theirs; its shell is part of the restart
        script = f"#!/bin/sh\nexec {shlex.join(place.argv(name))}\n"
        place.write(f"services/{name}/run", script, 0o700)
