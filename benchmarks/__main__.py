"""``python -m benchmarks [--smoke] [--rounds N] [--only WORD] [--json FILE]``"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from . import imap, pop3, smtp
from .harness import Result, growth, measure, memory, own_memory, table

SUITES = (pop3, smtp, imap)
CHUNKS = (65536, 1460, 16, 1)
MAX_GROWTH = 3.0  # of time, for twice the bytes; quadratic is 4
MAX_MEMORY = 2.0  # MiB, for MEGABYTES more
MEGABYTES = 100


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--smoke", action="store_true", help="truth, growth and memory; no time"
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", metavar="WORD", help="rows named so")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--memory", nargs=2, help=argparse.SUPPRESS)
    return parser.parse_args()


def check_growth(word: str) -> int:
    """Print how time grows with the bytes; how many rows grow too fast."""
    bad = 0
    print("\ntime for twice the bytes, cut into so many octets:")
    for chunk in CHUNKS:
        for suite in SUITES:
            for name, run in suite.growing(chunk).items():
                if word in name:
                    times = growth(run, 40_000 if chunk < 1000 else 1_000_000)
                    bad += times > MAX_GROWTH
                    print(f"  {name:14} {chunk:6}  {times:.2f}x")
    return bad


def check_memory(word: str, megabytes: int) -> int:
    """Print how memory grows with the bytes; how many rows take too much."""
    bad = 0
    print(f"\nMiB of memory for {megabytes} MB more, each in a fresh process:")
    for suite in SUITES:
        for name in suite.streaming():
            if word in name:
                grown = memory(name, megabytes * 1_000_000)
                bad += grown >= MAX_MEMORY
                print(f"  {name:14} {grown:6.2f}")
    return bad


def main() -> int:
    chosen = options()
    if chosen.memory:
        name, size = chosen.memory
        runs = {
            name: run for suite in SUITES for name, run in suite.streaming().items()
        }
        print(own_memory(runs[name], int(size)))
        return 0
    scale, rounds = (0.02, 1) if chosen.smoke else (1.0, chosen.rounds)
    results: list[Result] = []
    for suite in SUITES:
        rows = (row for row in suite.rows(scale) if chosen.only in row.name)
        results += [measure(row, rounds) for row in rows]
    print(f"{platform.python_implementation()} {platform.python_version()}")
    print("every contestant came to the right result on every row\n")
    if not chosen.smoke:
        print(table(results))
    slow = check_growth(chosen.only)
    large = check_memory(chosen.only, 20 if chosen.smoke else MEGABYTES)
    if chosen.json:
        data = [{"row": r.row.name, "us": r.micros, "ratio": r.ratios} for r in results]
        chosen.json.write_text(json.dumps(data, indent=1) + "\n")
    if slow:
        print(f"{slow} of them grow faster than the bytes do", file=sys.stderr)
    if large:
        print(f"{large} of them keep what goes by", file=sys.stderr)
    return bool(slow or large)


if __name__ == "__main__":
    sys.exit(main())
