"""`healmon init`: a starter configuration from what runs here."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from healmon.config import locate
from healmon.service import starter
from healmon.service.commandline import say
from healmon.text import clean


def init(args: argparse.Namespace) -> int:
    """Write the file, or print what it would be; returns 0.

    Raises:
        DataError: there is such a file; it stays as it is.
        StateDirError: it cannot be written.
    """
    path = Path(args.file or getattr(args, "config", None) or locate.NAME).absolute()
    if args.print or getattr(args, "dry_run", False):
        say(starter.preview(path, starter.roots()).rstrip("\n"))
        return 0
    text = starter.write(path, starter.roots())
    active = sum(line.startswith("[") for line in text.splitlines())
    if getattr(args, "json", False):
        say(json.dumps({"file": str(path), "tables": active, "text": text}))
        return 0
    shown = clean(str(path))
    say(f"{shown}: written, {active} tables; what is only guessed is commented out")
    say(f"  read it, then: healmon check --config {shown}")
    return 0
