"""The real screen with a real healer inside, in a real terminal: signals, kills, stalls, tmux."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import threading
import time

import pytest

from healmon.service import instance
from tests.helpers.box import alive
from tests.helpers.screen import open_screen
from tests.helpers.scripted import ScriptedLink, world
from tests.helpers.terminal import ROOT, driving, terminal
from tests.helpers.tmuxes import PrivateTmux
from tests.helpers.wait import until

pytestmark = pytest.mark.slow

PROGRAM = "import sys\nfrom healmon_tui.cli import main\nsys.exit(main(sys.argv[1:]))"
SCRIPTED = """
import sys
from healmon_tui.app import HealmonApp
from tests.helpers.scripted import ScriptedLink, world
link = ScriptedLink(world())
HealmonApp(link, clock=link.clock, plain=False, ascii_only=False).run()
"""


def screen(box, size=(100, 30)):
    return terminal(PROGRAM, *box.argv()[3:], size=size, **box.env)


def first_worker(box):
    return until(box.started_pids, 60, "the worker's start")[0]


@pytest.mark.parametrize("how", ["term", "hang up"])
def test_a_signal_ends_screen_and_healer_in_order(box, how):
    box.write(box.worker("task_worker"))
    with screen(box) as there:
        there.shows("task_worker")
        worker = first_worker(box)
        if how == "term":
            there.signal(signal.SIGTERM)
            assert there.ends() == 0
            there.restored()
        else:
            there.hang_up()
            assert there.ends() == 0
    assert box.events("enginestopped"), "the engine was drained and said so"
    assert instance.holder(box.state) is None
    assert alive(worker), "workers stay up"
    assert box.run("--status").returncode == 3


def test_kill_9_leaves_workers_up_and_no_lock_and_the_next_one_takes_over(box):
    box.write(box.worker("task_worker"))
    with screen(box) as there:
        there.shows("task_worker")
        worker = first_worker(box)
        until(lambda: box.events("actionverified"), 60, "the worker up")
        there.signal(signal.SIGKILL)
        assert there.ends() == -signal.SIGKILL
    assert alive(worker)
    assert instance.holder(box.state) is None
    with screen(box) as there:
        there.shows("LIVE")
        until(lambda: len(box.events("enginestarted")) == 2, 60, "the next healer")
        looks = len(box.events("cyclefinished"))
        until(lambda: len(box.events("cyclefinished")) > looks + 1, 60, "its looks")
        there.type("q")
        assert there.ends() == 0
    assert box.started_pids() == [worker], "no second copy"


def test_the_healer_never_pauses_while_nobody_reads_the_terminal(box):
    box.write(box.worker("task_worker"), interval="1s")
    with screen(box, (160, 50)) as there:
        there.shows("task_worker")
        first_worker(box)
        until(lambda: len(box.events("cyclefinished")) > 2, 60, "looks")
        there.reading.clear()
        # each new theme paints everything: the terminal's queue is full after a few
        there.type("t" * 60)
        until(lambda: full(there), 60, "a terminal that takes nothing more")
        looks = len(box.events("cyclefinished"))
        until(lambda: len(box.events("cyclefinished")) > looks + 3, 60, "looks all the same")
        there.reading.set()
        there.written.clear()
        there.type("?")
        there.shows(" help ")
        there.signal(signal.SIGTERM)
        assert there.ends() == 0
        there.restored()


def full(there):
    """Whether the program's terminal has taken nothing for a moment, and still does not."""
    return not select.select([], [there.slave], [], 0.5)[1]


HOSTILE = (
    "\x1b]52;c;aGVsbG8=\x07\x1b]0;owned\x07\x1b[?1049l\x1b[31mred\x1bP+q544e\x1b\\ "
    "\x9b31m \u202egnp.exe\u202c [@click=app.quit]quit[/] [/] \x07\x08 end"
)
DYING = f"import sys\nsys.stderr.write({HOSTILE!r} + chr(10))\nsys.exit(3)"


def test_what_workers_and_panes_print_reaches_the_terminal_cleaned(box):
    tmux = PrivateTmux(box.base)
    tmux.socket = str(box.base / "no-tmux")
    box.write(box.worker("dying", DYING), interval="1s")
    pane = tmux.new("[bold]evil", "sleep 1000")
    try:
        tmux.write(pane, HOSTILE + "\r\n\x1b]2;[/] \u202eevil title\x1b\\")
        with screen(box, (200, 50)) as there:
            there.shows("[bold]evil")
            there.shows("gnp.exe")
            until(lambda: box.events("actionfailed") or box.events("alertopened"), 60, "its end")
            for keys in (
                "j",
                "\r",
                "jj",
                "\x1b",
                "2",
                "\r",
                "jj",
                "\x1b",
                "v",
                "e",
                "\x1b",
                "5",
                "\r",
            ):
                there.type(keys)
                pause(there)
            there.type("\x1b")
            there.signal(signal.SIGTERM)
            assert there.ends() == 0
            there.restored()
            assert driving(bytes(there.written)) == []
    finally:
        tmux.close()


def pause(there):
    """Wait until what a key painted was read, or for a second."""
    seen = len(there.written)
    with contextlib.suppress(AssertionError):
        until(lambda: len(there.written) > seen, 1.0)


# in tmux


@pytest.fixture
def tmux(tmp_path):
    made = PrivateTmux(tmp_path)
    yield made
    made.close()


def started(tmux, width, height):
    program = f"cd {ROOT} && TZ=UTC {sys.executable} -c '{SCRIPTED}'"
    pane = tmux.new("screen", f"exec sh -c {_quoted(program)}", width=width, height=height)
    until(lambda: "index_worker" in tmux.screen(pane), 60, "the screen")
    return pane


def _quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


async def _expected(width, height):
    async with open_screen(ScriptedLink(world()), (width, height)) as there:
        there.app.overview.hush()
        await there.settle()
        return [line.rstrip() for line in there.lines()]


def expected(width, height):
    """Return what the screen shows at a size, drawn at once and without a terminal."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    time.tzset()
    try:
        return asyncio.run(_expected(width, height))
    finally:
        os.environ.pop("TZ") if before is None else os.environ.update(TZ=before)
        time.tzset()


def shows(tmux, pane, width, height):
    wanted = expected(width, height)

    def seen():
        lines = [line.rstrip() for line in tmux.run("capture-pane", "-p", "-t", pane).split("\n")]
        return lines == wanted or lines[: len(wanted)] == wanted

    until(seen, 60, f"the right picture at {width}x{height}, not:\n{tmux.screen(pane)}")


def test_a_storm_of_two_hundred_sizes_ends_with_the_right_picture(tmux):
    pane = started(tmux, 80, 24)
    tmux.run("set-option", "-g", "status", "off")
    tmux.run("set-window-option", "-t", "screen", "window-size", "manual")
    for turn in range(200):
        size = ("-x", str(30 + turn * 7 % 180), "-y", str(8 + turn * 5 % 50))
        tmux.run("resize-window", "-t", "screen", *size)
    for width, height in ((120, 36), (60, 15), (200, 50)):
        tmux.run("resize-window", "-t", "screen", "-x", str(width), "-y", str(height))
        shows(tmux, pane, width, height)
    assert "Traceback" not in tmux.run("capture-pane", "-p", "-S", "-", "-t", pane)


@contextlib.contextmanager
def attached(tmux, width, height):
    """Attach a client of a size of its own, and read all that it paints."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
    env = {k: v for k, v in os.environ.items() if not k.startswith("TMUX")}
    client = subprocess.Popen(
        ["tmux", "-u", "-f", "/dev/null", "-S", tmux.socket, "attach-session", "-t", "screen"],
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
        env={**env, "TERM": "xterm-256color"},
    )  # fmt: skip
    over = threading.Event()
    reader = threading.Thread(target=_read, args=(master, over))
    reader.start()
    try:
        until(lambda: tmux.run("list-clients"), 60, "the client")
        yield
    finally:
        tmux.run("detach-client", "-s", "screen")
        with contextlib.suppress(subprocess.TimeoutExpired):
            client.wait(10)
        client.kill()
        client.wait()
        over.set()
        reader.join()
        os.close(master)
        os.close(slave)


def _read(master, over):
    while not over.is_set():
        if select.select([master], [], [], 0.1)[0]:
            os.read(master, 65536)


def test_detach_and_attach_and_a_smaller_terminal(tmux):
    pane = started(tmux, 120, 36)
    tmux.run("set-option", "-g", "status", "off")
    with attached(tmux, 120, 36):
        shows(tmux, pane, 120, 36)
    until(lambda: not tmux.run("list-clients"), 60, "no client")
    assert "index_worker" in tmux.screen(pane), "it goes on when nobody is there"
    with attached(tmux, 60, 15):
        shows(tmux, pane, 60, 15)
    with attached(tmux, 80, 24):
        shows(tmux, pane, 80, 24)
        program = int(tmux.ask(pane, "pane_pid"))
        tmux.run("send-keys", "-t", pane, "q")
        until(lambda: not alive(program), 60, "its end")
