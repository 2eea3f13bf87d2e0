"""The command that tells why something is as it is: a component, an alert, an act, a screen."""

from __future__ import annotations

import argparse
import json
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from healmon.alerts import wording
from healmon.clock import SystemClock
from healmon.config import locate
from healmon.config.load import load
from healmon.config.settings import Settings
from healmon.databases.explain import explain as chain_of_database
from healmon.databases.model import HEALER as DATABASES
from healmon.databases.model import Facts as DatabaseFacts
from healmon.disks.model import HEALER as DISKS
from healmon.errors import DataError
from healmon.plans import Packed, pack, unpack
from healmon.service import disks_cli
from healmon.service.alerts_cli import row_lines
from healmon.service.chain import chain, kept_lines, life, one_line, told
from healmon.service.commandline import say
from healmon.service.looks import Peek
from healmon.service.peek import evidence, peek
from healmon.service.sessions_cli import reader
from healmon.sessions.facts import HEALER as SESSIONS
from healmon.sessions.facts import SessionFacts
from healmon.sessions.packs import Packs
from healmon.sessions.packs import explain as lines_of
from healmon.sessions.packs.explaining import saved
from healmon.sessions.packs.user import packs_of
from healmon.state import ComponentView, Snapshot, open_alerts
from healmon.store import read, stream
from healmon.text import clean
from healmon.units import format_duration
from healmon.world import packfiles


def explain(state_dir: Path, args: argparse.Namespace) -> int:
    """Say why something is as it is; returns 0.

    That is a component by its name (a session by a fresh look), an alert or event by its number,
    the evidence of an act by its id, or a saved screen by its path.

    Raises:
        DataError: there is nothing of this name, or no such pack.
    """
    wanted = bool(getattr(args, "json", False))
    packs = packs_of(_settings(args).sessions.packs)
    if _is_file(args):
        return _explain_file(packs, args, json_wanted=wanted)
    if kept := evidence(state_dir, args.target):
        say(json.dumps(kept) if wanted else "\n".join(kept_lines(kept)))
        return 0
    if args.target.isdecimal() and len(args.target) < 19:
        return _explain_event(state_dir, int(args.target), json_wanted=wanted)
    return _explain_component(state_dir, args.target, packs, json_wanted=wanted)


def _explain_component(state_dir: Path, name: str, packs: Packs, *, json_wanted: bool) -> int:
    connection = reader(state_dir)
    try:
        known = stream.read_snapshot(connection)
        view = _component(known, name)
        if view.healer == DISKS:
            return disks_cli.explain(connection, view.name, json_wanted=json_wanted)
        alerts = [one for one in open_alerts(known) if one.component == view.name]
        chains = {one.key: chain(connection, one.id) for one in alerts}
    finally:
        connection.close()
    if view.healer == SESSIONS:
        facts, seen = unpack(view.facts, SessionFacts), peek(view.facts, packs)
        data: Packed = {"facts": pack(facts), "status": view.status, "now": pack(seen)}
        lines = _reasons(view, facts, seen)
    else:
        data = {"facts": view.facts, "status": view.status}
        lines = [f"{view.name}: {view.status}", *(f"  {line}" for line in _said_of(view))]
    now = SystemClock().read().wall
    for alert in alerts:
        over = [wording.acknowledged(alert, now), *wording.laid_over(known, alert.overlays, now)]
        lines += [f"alert {alert.id}: {alert.message}", *(f"  {one}" for one in over if one)]
        lines += told(chains[alert.key])
    say(json.dumps({**data, "alerts": chains}) if json_wanted else "\n".join(lines))
    return 0


def _component(known: Snapshot, name: str) -> ComponentView:
    """Return the component that a person means: by its name, or by what stands behind its colon.

    Raises:
        DataError: there is none, or there are several.
    """
    there = known.components
    found = [name] if name in there else [n for n in there if n.partition(":")[2] == name]
    if len(found) == 1:
        return there[found[0]]
    which = ", ".join(sorted(found or there)) or "none"
    what = "several are called" if found else "there is no component, alert or event"
    raise DataError(f"{what} {clean(name)}", remedy=f"there are: {which}")


def _said_of(view: ComponentView) -> list[str]:
    if view.healer == DATABASES:
        with suppress(msgspec.ValidationError):  # another version of healmon has written it
            return chain_of_database(unpack(view.facts, DatabaseFacts))
    return [view.summary] if view.summary else []


def _explain_event(state_dir: Path, number: int, *, json_wanted: bool) -> int:
    connection = reader(state_dir)
    try:
        alert = read.alert(connection, number)
        rows = chain(connection, number)
        rows = rows if alert is None else life(connection, alert, rows)
        known = stream.read_snapshot(connection)
    finally:
        connection.close()
    if not rows:
        raise DataError(f"there is no alert and no event {number}", remedy="see: healmon alerts")
    if json_wanted:
        say(json.dumps(rows))
        return 0
    now = SystemClock().read().wall
    about = [] if alert is None else [*row_lines(known, alert, now), *_evidence(alert)]
    say("\n".join([*about, *told(rows)]))
    return 0


def _evidence(alert: read.Row) -> list[str]:
    try:
        found = json.loads(alert["evidence"] or "{}")
    except ValueError:
        return []
    return [f"{'':8}{clean(name)}: {one_line(value)}" for name, value in found.items()]


def _settings(args: argparse.Namespace) -> Settings:
    source = locate.find_config(getattr(args, "config", None), os.environ, Path.cwd())
    return load(source, os.environ)


def _is_file(args: argparse.Namespace) -> bool:
    """Return whether a saved screen is meant: no session has a point or a slash in its name."""
    if args.target.startswith(disks_cli.PREFIX):
        return False
    named = bool(args.pack or args.title or set("./") & set(args.target))
    return named and (Path(args.target).is_file() or bool(args.pack or args.title))


def _explain_file(packs: Packs, args: argparse.Namespace, *, json_wanted: bool) -> int:
    if args.pack and packs.get(args.pack) is None:
        known = ", ".join(sorted(one.name for one in packs))
        raise DataError(f"there is no pack {clean(args.pack)}", remedy=f"there are: {known}")
    screen, title = saved(packfiles.screen(Path(args.target)))
    title = args.title or title
    if json_wanted:
        sign = packs.read(args.pack, screen, title, None)
        lines = lines_of(packs, args.pack, screen, title, None)
        say(json.dumps({"sign": pack(sign), "lines": lines}))
        return 0
    say("\n".join(lines_of(packs, args.pack, screen, title, None)))
    return 0


def _reasons(view: ComponentView, facts: SessionFacts, seen: Peek) -> list[str]:
    pack_ = f" (pack {facts.pack} {facts.version})" if facts.pack else ""
    rows = [
        ("state", f"{facts.state.replace('_', ' ')}, {view.status}"),
        ("because", facts.rule),
        ("read as", f"{facts.matched or 'no rule matched'}{pack_}"),
        ("line", facts.text),
        ("asks", facts.question),
        *(("answer", f"{n}: {choice.text}") for n, choice in enumerate(facts.choices, 1)),
        ("tasks", ", ".join(map(str, facts.tasks))),
        ("progress", f"{format_duration(int(facts.quiet))} before the newest look"),
        ("painted", f"{format_duration(int(facts.painted))} before the newest look"),
        ("keys", ", then ".join(" ".join(step) for step in facts.keys) or "none"),
        ("acts at", format_duration(int(facts.act_at)) if facts.act_at else "never"),
        ("held", facts.held),
        ("hands off", facts.hands_off),
        ("evidence", facts.evidence),
    ]
    lines = [f"{facts.session}:", *(f"  {label:<10} {clean(text)}" for label, text in rows if text)]
    lines += ["now:", *(f"  {line}" for line in seen.why)] if seen.why else []
    return lines + ([f"now: {seen.reason}"] if seen.reason else [])
