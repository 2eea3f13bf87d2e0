"""`healmon web-token`: the address that logs a browser in; and other tokens, when one got about."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from healmon.service import statedir
from healmon.service.commandline import say
from healmon.service.foreground import configured
from healmon.web import serving, tokens, whereabouts


def web_token(_state_dir: Path, args: argparse.Namespace) -> int:
    """Print the address that logs a browser in, and the token for programs; returns 0.

    Raises:
        StateDirError: the tokens cannot be kept.
    """
    settings, state_dir = configured(args)
    state_dir = statedir.prepare(state_dir)
    renew = bool(args.renew) and not getattr(args, "dry_run", False)
    known = tokens.known(state_dir, renew=renew)
    role = "operator" if args.operator else "viewer"
    token = known.operator if args.operator else known.viewer
    running = whereabouts.where(state_dir)
    url = running or serving.url_of(args, settings.web)
    login = f"{url}/login#{token}"
    if getattr(args, "json", False):
        told = {"role": role, "url": login, "token": token, "running": bool(running)}
        say(json.dumps({**told, "renewed": renew}))
        return 0
    if renew:
        say("other tokens: those before open nothing any more, and all logins have ended")
    elif args.renew:
        say("dry run: there would be other tokens, and all logins would end")
    say(f"log in to {'act' if args.operator else 'look'}: {login}")
    say(f"for programs: Authorization: Bearer {token}")
    if args.operator and not settings.web.operator:
        say("web.operator is false: with it one may only look")
    if not running:
        say("no web server runs now: healmon serve, or web.listen in the configuration")
    return 0
