"""`healmon doctor`: the ground healmon stands on, each finding with its remedy."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path

from healmon import quiet
from healmon.config import locate
from healmon.config.lines import KeyPath, key_lines
from healmon.config.load import load
from healmon.config.paths import here
from healmon.config.settings import Settings
from healmon.config.source import parse, read_text, shown
from healmon.errors import ConfigError
from healmon.service import doctor
from healmon.service.doctor.model import CODES, Finding, Ground, worst
from healmon.service.doctor.run import examine
from healmon.world.system_processes import SystemProcesses
from healmon.world.tmux import SystemTmux

WIDTH = 9


def doctor_report(args: argparse.Namespace) -> int:
    """Print what was found; returns 0, 1, 2 or 3 by the worst of it, as `--once` does."""
    config, findings = _configuration(args)
    settings, source, lines = config
    ground = Ground(
        settings=settings,
        source=source,
        lines=lines,
        state_dir=_state_dir(args, source),
        processes=SystemProcesses(),
        tmux=SystemTmux(),
    )
    findings += examine(ground, doctor.CHECKS)
    level = worst(findings)
    if getattr(args, "json", False):
        told = json.dumps({"level": level, "findings": [one._asdict() for one in findings]})
    else:
        told = "\n".join(_lines(findings, every=bool(args.all)))
    quiet.verdict(told)
    return CODES[level]


def _configuration(
    args: argparse.Namespace,
) -> tuple[tuple[Settings | None, Path | None, dict[KeyPath, int]], list[Finding]]:
    name = "config"
    try:
        source = locate.find_config(getattr(args, "config", None), os.environ, here())
    except ConfigError as error:
        return (None, None, {}), _problems(error)
    try:
        settings = load(source, os.environ)
    except ConfigError as error:
        return (None, source, {}), _problems(error)
    if source is None:
        said = "there is no configuration: healmon looks and acts on nothing"
        return (settings, None, {}), [Finding(name, "ok", said, "", "begin with: healmon init")]
    text = read_text(source)
    parse(text, shown(source))
    found = Finding(name, "ok", "it is understood", shown(source))
    return (settings, source, key_lines(text)), [found]


def _problems(error: ConfigError) -> list[Finding]:
    remedy = "see: healmon check"
    told = [
        Finding("config", "critical", str(problem), problem.file, remedy)
        for problem in error.problems
    ]
    return told or [Finding("config", "critical", str(error), "", remedy)]


def _state_dir(args: argparse.Namespace, source: Path | None) -> Path:
    named = getattr(args, "state_dir", None)
    try:
        return locate.named_state_dir(named, os.environ, source)
    except ConfigError:
        return locate.named_state_dir(named, os.environ, None)


def _lines(findings: list[Finding], *, every: bool) -> Iterator[str]:
    count = dict.fromkeys(CODES, 0)
    for one in findings:
        count[one.level] += 1
        if one.level == "ok" and not every:
            continue
        yield f"{one.level:<{WIDTH}} {one.check}: {one.what}"
        if one.where and one.where not in one.what:
            yield f"{'':<{WIDTH}} at {one.where}"
        if one.remedy:
            yield f"{'':<{WIDTH}} → {one.remedy}"
    told = ", ".join(f"{number} {level}" for level, number in count.items() if number)
    yield f"{told}{'' if every or not count['ok'] else ' (--all shows what is well)'}"
