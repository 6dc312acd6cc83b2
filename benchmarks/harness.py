"""Contestants on the same bytes, round by round, and the ratios between them.

A row has a corpus, one or more contestants, and the truth: what each must have made
of the corpus.  Contestants take turns, so that a noisy machine is noisy for all; what
is compared is the median of the ratios within a round.
"""

from __future__ import annotations

import gc
import importlib
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Contestant:
    """*run* does the work; *truth* makes of its result what the row's truth is.

    What *setup* returns are the arguments of *run*, made outside of the clock.
    """

    name: str
    gives: str  # raw, typed: a raw line is not a result
    run: Callable[..., Any]
    truth: Callable[[Any], Any]
    setup: Callable[[], tuple[Any, ...]] = tuple


@dataclass
class Row:
    """The first contestant is ours; *goals* has the ratios that it must reach."""

    name: str
    unit: str
    items: int
    truth: Any
    contestants: list[Contestant]
    goals: dict[str, float] = field(default_factory=dict)
    rounds: int = 99  # at most, where one takes long


@dataclass
class Result:
    row: Row
    micros: dict[str, float]  # µs for an item
    ratios: dict[str, float]  # how many times as long as ours
    quartiles: dict[str, tuple[float, float]]  # of that

    def missed(self) -> list[str]:
        goals = self.row.goals
        return [name for name in self.ratios if self.ratios[name] < goals.get(name, 0)]


def peer(module: str) -> Any:
    """The module of a library that we are compared with; ``None``, and a loud word.

    As ``Any``: there is no need of it for types to be checked.
    """
    try:
        return importlib.import_module(module)
    except ImportError:
        print(f"!!! SKIPPED: {module} is not installed", file=sys.stderr)
        return None


def measure(row: Row, rounds: int) -> Result:
    """Raises AssertionError for a contestant that comes to a wrong result."""
    for contestant in row.contestants:
        got = contestant.truth(contestant.run(*contestant.setup()))
        assert got == row.truth, f"{row.name}: {contestant.name}"
    gc.collect()
    gc.freeze()  # the corpora are no garbage to look for, on nobody's account
    seconds: dict[str, list[float]] = {c.name: [] for c in row.contestants}
    for _ in range(min(rounds, row.rounds)):
        for contestant in row.contestants:
            arguments = contestant.setup()
            start = time.perf_counter()
            contestant.run(*arguments)
            seconds[contestant.name].append(time.perf_counter() - start)
    ours = seconds[row.contestants[0].name]
    ratios = {
        n: [a / b for a, b in zip(s, ours, strict=True)] for n, s in seconds.items()
    }
    return Result(
        row,
        {n: statistics.median(s) / row.items * 1e6 for n, s in seconds.items()},
        {n: statistics.median(r) for n, r in ratios.items()},
        {n: _quartiles(r) for n, r in ratios.items()},
    )


def _quartiles(values: list[float]) -> tuple[float, float]:
    if len(values) < 2:
        return values[0], values[0]
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, high


def growth(run: Callable[[int], Any], size: int, tries: int = 3) -> float:
    """How many times as long *run* takes for twice the *size*; the best of *tries*."""

    def seconds(amount: int) -> float:
        start = time.process_time()
        run(amount)
        return time.process_time() - start

    return min(seconds(2 * size) / seconds(size) for _ in range(tries))


def memory(name: str, size: int) -> float:
    """By how many MiB a fresh process grows that runs ``--memory name size``."""
    command = [sys.executable, "-m", "benchmarks", "--memory", name, str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout)


def own_memory(run: Callable[[int], Any], size: int) -> float:
    """By how many MiB this process grows while it runs *size*, after a short one."""
    run(1_000_000)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run(size)
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def table(results: list[Result]) -> str:
    lines = [
        "| row | contestant | gives | µs per item | ratio | quartiles | goal |",
        "|---|---|---|---:|---:|---|---|",
    ]
    for result in results:
        for contestant in result.row.contestants:
            name = contestant.name
            goal = result.row.goals.get(name)
            low, high = result.quartiles[name]
            cells = (
                f"{result.row.name} ({result.row.unit})",
                name,
                contestant.gives,
                f"{result.micros[name]:.2f}",
                f"{result.ratios[name]:.2f}x",
                f"{low:.2f}-{high:.2f}",
                "" if goal is None else f"{goal:.1f}x",
            )
            missed = " **missed**" if name in result.missed() else ""
            lines.append(f"| {' | '.join(cells)}{missed} |")
    return "\n".join(lines)
