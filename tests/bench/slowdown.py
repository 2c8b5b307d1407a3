"""How much slower a target gets while it is recorded: pairs of slices, with and without, of every profiler in turn."""

from __future__ import annotations

import random
from pathlib import Path

from measure import Interval, Worker, bootstrap
from peers import Profiler


def pair(worker: Worker, profiler: Profiler, rate: int, seconds: float, folder: Path, first: bool) -> float:
    """Rate without over rate with; `first` says whether the slice with the profiler comes first."""
    without = 0.0 if first else worker.rate(seconds)
    with profiler.recording(worker.pid, rate, folder):
        recorded = worker.rate(seconds)
    if first:
        without = worker.rate(seconds)
    return without / recorded


def slowdowns(
    worker: Worker, profilers: list[Profiler], rate: int, pairs: int, seconds: float, folder: Path
) -> dict[str, Interval]:
    """The target's slowdown by each profiler's name; 1.02 is two per cent slower."""
    rng = random.Random(rate)
    ratios: dict[str, list[float]] = {profiler.name: [] for profiler in profilers}
    for number in range(pairs):
        for profiler in rng.sample(profilers, len(profilers)):
            ratios[profiler.name].append(pair(worker, profiler, rate, seconds, folder, number % 2 == 0))
    return {name: bootstrap(values) for name, values in ratios.items()}
