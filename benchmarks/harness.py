"""Contestants on the same bytes, round by round, and the ratios between them.

A row has a corpus, one or more contestants, and the truth: what each must have made
of the corpus.  Contestants take turns, so that a noisy machine is noisy for all; what
is compared is the median of the ratios within a round.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Contestant:
    """*run* does the work; *truth* makes of its result what the row's truth is."""

    name: str
    gives: str  # raw, typed: a raw line is not a result
    run: Callable[[], Any]
    truth: Callable[[Any], Any]


@dataclass
class Row:
    """The first contestant is ours; *goals* has the ratios that it must reach."""

    name: str
    unit: str
    items: int
    truth: Any
    contestants: list[Contestant]
    goals: dict[str, float] = field(default_factory=dict)


@dataclass
class Result:
    row: Row
    micros: dict[str, float]  # µs for an item
    ratios: dict[str, float]  # how many times as long as ours


def measure(row: Row, rounds: int) -> Result:
    """Raises AssertionError for a contestant that comes to a wrong result."""
    for contestant in row.contestants:
        assert contestant.truth(contestant.run()) == row.truth, contestant.name
    gc.collect()
    gc.freeze()  # the corpora are no garbage to look for, on nobody's account
    seconds: dict[str, list[float]] = {c.name: [] for c in row.contestants}
    for _ in range(rounds):
        for contestant in row.contestants:
            start = time.perf_counter()
            contestant.run()
            seconds[contestant.name].append(time.perf_counter() - start)
    ours = seconds[row.contestants[0].name]
    return Result(
        row,
        {n: statistics.median(s) / row.items * 1e6 for n, s in seconds.items()},
        {
            n: statistics.median(a / b for a, b in zip(s, ours, strict=True))
            for n, s in seconds.items()
        },
    )


def growth(run: Callable[[int], Any], size: int, tries: int = 3) -> float:
    """How many times as long *run* takes for twice the *size*; the best of *tries*."""

    def seconds(amount: int) -> float:
        start = time.process_time()
        run(amount)
        return time.process_time() - start

    return min(seconds(2 * size) / seconds(size) for _ in range(tries))


def table(results: list[Result]) -> str:
    lines = [
        "| row | contestant | gives | µs per item | ratio | goal |",
        "|---|---|---|---:|---:|---:|",
    ]
    for result in results:
        for contestant in result.row.contestants:
            name = contestant.name
            goal = result.row.goals.get(name)
            cells = (
                f"{result.row.name} ({result.row.unit})",
                name,
                contestant.gives,
                f"{result.micros[name]:.2f}",
                f"{result.ratios[name]:.2f}x",
                "" if goal is None else f"{goal:.1f}x",
            )
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)
