"""`healmon notify`: the channels as they are, and a test notice through them."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

from healmon.clock import SystemClock, local_time
from healmon.config import locate
from healmon.config.load import load
from healmon.config.paths import here
from healmon.config.settings import Channel, Settings
from healmon.errors import DataError, DeliveryError, MissingPartError
from healmon.plans import Packed
from healmon.service.alerts_cli import known_state
from healmon.service.commandline import say
from healmon.state import Snapshot
from healmon.world.notifying import Message, SystemMessenger


def notify(state_dir: Path, args: argparse.Namespace) -> int:
    """List the channels, or send a test notice; returns 0 when all took it, else 69.

    A dry run of a test sends nothing.

    Raises:
        DataError: there is no such channel.
    """
    source = locate.find_config(getattr(args, "config", None), os.environ, here())
    settings = load(source, os.environ)
    channels = _chosen(settings, args.test or "")
    if args.test is None:
        known = known_state(state_dir)
        rows = [_state(channel, known) for channel in channels]
        texts = [_line(row) for row in rows]
    else:
        dry = {"ok": True, "text": "dry run: nothing was sent"}
        rows = [
            {"channel": channel.name, **dry}
            if getattr(args, "dry_run", False)
            else _tried(channel, settings.monitor.name)
            for channel in channels
        ]
        texts = [f"{row['channel']}: {row['text']}" for row in rows]
    texts = texts or ["no channels: nobody is told ([notify.channels])"]
    for text in [json.dumps(rows)] if getattr(args, "json", False) else texts:
        say(text)
    return 0 if all(row.get("ok", True) for row in rows) else MissingPartError.exit_code


def _chosen(settings: Settings, name: str) -> tuple[Channel, ...]:
    channels = settings.notify.channels
    if not name:
        return channels
    chosen = settings.notify.channel(name)
    if chosen is None:
        known = ", ".join(channel.name for channel in channels) or "none"
        raise DataError(f"no channel {name!r}; there is: {known}")
    return (chosen,)


def _tried(channel: Channel, host: str) -> Packed:
    now = SystemClock().read().wall
    message = Message(
        id=f"test-{round(now * 1000)}", notice=0, host=host, channel=channel.name, topic="test",
        level="INFO", title=f"[TEST] {host}: a test notice of healmon",
        body=f"Channel {channel.name} works.\n\nTest notice of healmon on {host},"
        f" {local_time(now, '%Y-%m-%d %H:%M:%S %z')}",
        at=now,
    )  # fmt: skip
    try:
        SystemMessenger().deliver(channel, message)
    except DeliveryError as error:
        return {"channel": channel.name, "ok": False, "text": f"not taken: {error}"}
    return {"channel": channel.name, "ok": True, "text": f"taken ({message.id})"}


def _state(channel: Channel, known: Snapshot) -> Packed:
    view = known.channels.get(channel.name)
    return {
        "channel": channel.name,
        "severity": channel.severity,
        "waiting": sum(n.channel == channel.name for n in known.notices.values()),
        "last_sent": view.sent[-1] if view is not None and view.sent else None,
        "failing_since": (view.failing_since or None) if view is not None else None,
        "reason": view.reason if view is not None else "",
    }


def _line(row: Packed) -> str:
    if row["failing_since"]:
        when = local_time(row["failing_since"], "%m-%d %H:%M:%S")
        how = f"takes nothing since {when}: {row['reason']}"
    elif row["last_sent"]:
        how = f"works, last told {local_time(row['last_sent'], '%m-%d %H:%M:%S')}"
    else:
        how = "never tried; try: healmon notify --test"
    waiting = f"; {row['waiting']} waiting" if row["waiting"] else ""
    return f"{row['channel']} ({row['severity']}): {how}{waiting}"
