"""The benchmarks of sessions: what a look costs (`cycle`), what a judgement is worth (`confusion`).

Without a name both run. What follows the name is that benchmark's own.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys

NAMES = ("confusion", "cycle")
EXIT_USAGE = 64


def main(words: list[str]) -> int:
    """Run the benchmarks that are named, or all there are; return the worst exit code."""
    there = [n for n in NAMES if importlib.util.find_spec(f"benchmarks.sessions.{n}")]
    names, rest = ([words[0]], words[1:]) if words and words[0] in there else (there, words)
    if len(names) > 1 and rest:
        print(f"which one? {', '.join(there)}", file=sys.stderr)
        return EXIT_USAGE
    codes = [importlib.import_module(f"benchmarks.sessions.{n}").main(rest) for n in names]
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
