"""`healmon-tui --demo --serve`: the demo's world on the page in the browser."""

from __future__ import annotations

import argparse
import asyncio
import sys

from healmon.config.facesettings import Web
from healmon.events import AlertOpened, Recorded
from healmon.service.commandline import say
from healmon.service.foreground import run_until_signalled
from healmon.service.host import Host
from healmon.web import serving, tokens


def configuration(args: argparse.Namespace) -> str:
    """Return the lines that have the page served where the command line says.

    Raises:
        MissingPartError: the extra is not installed.
        UsageError: the address is none, or is open to the network without a guard.
    """
    serving.must_be_installed()
    where, _ = serving.asked(args, Web())
    return f'\n[web]\nlisten = "{where}"\n'


def run_served(host: Host, *, json_wanted: bool) -> int:
    """Run an opened host and the server beside it until a signal; returns 0."""
    del json_wanted  # nothing is reported here: the page does that

    def tell(record: Recorded) -> None:
        event = record.event
        if isinstance(event, AlertOpened) and event.key.endswith("/web"):
            print(f"healmon: {event.message}", file=sys.stderr)  # noqa: T201 - the command line

    host.engine.subscribe(tell)
    url = f"http://{host.settings.web.listen}"
    known = tokens.known(host.state_dir)
    say(f"healmon is at {url}/#health")
    say(f"log in to look: {url}/login#{known.viewer}")
    say(f"log in to act:  {url}/login#{known.operator}")
    say("Ctrl-C ends the demo; it leaves nothing behind")
    sys.stdout.flush()
    asyncio.run(run_until_signalled(host))
    return 0
