"""``python -m benchmarks [--smoke] [--json FILE]``"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from pathlib import Path

from . import imap, pop3
from .harness import Result, growth, measure, table

SUITES = (pop3, imap)
CHUNKS = (65536, 1460, 16, 1)
MAX_GROWTH = 3.0  # twice the bytes; quadratic is 4


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="truth and growth only")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    scale, rounds = (0.02, 1) if options.smoke else (1.0, options.rounds)
    results: list[Result] = []
    for suite in SUITES:
        results += [measure(row, rounds) for row in suite.rows(scale)]
    print(f"{platform.python_implementation()} {platform.python_version()}")
    print("every contestant came to the right result on every row\n")
    if not options.smoke:
        print(table(results))
    bad = 0
    print("\ntime for twice the bytes, cut into so many octets:")
    for chunk in CHUNKS:
        for suite in SUITES:
            for name, run in suite.growing(chunk).items():
                times = growth(run, 40_000 if chunk < 1000 else 1_000_000)
                bad += times > MAX_GROWTH
                print(f"  {name:13} {chunk:6}  {times:.2f}x")
    if options.json:
        data = [{"row": r.row.name, "us": r.micros, "ratio": r.ratios} for r in results]
        options.json.write_text(json.dumps(data, indent=1) + "\n")
    if bad:
        print(f"{bad} of them grow faster than the bytes do", file=sys.stderr)
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main())
