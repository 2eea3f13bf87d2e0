"""How often the judgement on sessions is right: the labelled corpus, replayed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from tests.corpus.sessions.replay import details, every, matrix, score


def main(words: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="benchmarks.sessions confusion", description=__doc__)
    parser.add_argument("--json", type=Path, help="write every replay into this file")
    args = parser.parse_args(words)
    judged = list(every())
    found = score(judged)
    lines = [
        f"{len(judged)} recorded sessions of 25 to 75 minutes, with a look a minute", "",
        *matrix(found.acts, "right act", "act"), "",
        *matrix(found.confusion, "label", "state in the end"), "",
        f"precision of acts {found.precision:.3f} (wanted: 1)",
        f"recall of stuck sessions {found.recall:.3f} (wanted: at least 0.95)",
        *(f"wrong: {one}" for one in found.wrong),
    ]  # fmt: skip
    print("\n".join(lines))
    if args.json:
        result = {
            "precision": found.precision, "recall": found.recall, "wrong": found.wrong,
            "sessions": {one.name: details(one) for one in judged},
        }  # fmt: skip
        args.json.write_text(json.dumps(result, indent=1) + "\n")
    return 0 if found.precision == 1.0 and found.recall >= 0.95 else 1
