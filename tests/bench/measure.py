"""Slices of work, intervals and tables."""

from __future__ import annotations

import contextlib
import dataclasses
import mmap
import os
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from interpreters import Interpreter
from program import target


@dataclasses.dataclass(frozen=True)
class Interval:
    """A median with its 95 % confidence interval."""

    middle: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.middle:.4g} [{self.low:.4g}, {self.high:.4g}]"


def bootstrap(values: list[float], rounds: int = 4000) -> Interval:
    """The median of independent values and the percentile interval of its resampled medians."""
    rng = random.Random(7)
    medians = sorted(statistics.median(rng.choices(values, k=len(values))) for _ in range(rounds))
    return Interval(statistics.median(values), medians[int(rounds * 0.025)], medians[int(rounds * 0.975)])


class Worker:
    """A running spin_depth30.py and the counter of its rounds."""

    def __init__(self, pid: int, counter: memoryview):
        self.pid = pid
        self.counter = counter

    def rate(self, seconds: float) -> float:
        """Rounds a second over the next `seconds`."""
        before, started = self.counter[0], time.perf_counter_ns()
        time.sleep(seconds)
        after, ended = self.counter[0], time.perf_counter_ns()
        return (after - before) / (ended - started) * 1e9


@contextlib.contextmanager
def worker(interpreter: Interpreter, script: str = "spin_depth30.py", *arguments: str) -> Iterator[Worker]:
    """Runs a target that counts its rounds in the first 8 bytes of the file that is its first argument."""
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(8)
        with target(interpreter, script, file.name, *arguments) as spinning:
            # A worker that wanders between CPUs is noise.
            os.sched_setaffinity(spinning.pid, {max(os.sched_getaffinity(0))})
            with mmap.mmap(file.fileno(), 8) as shared, memoryview(shared) as raw, raw.cast("Q") as counter:
                yield Worker(spinning.pid, counter)


def cpu_seconds(pid: int) -> float:
    """CPU time that the process's living threads have had."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it ended
            total += int((task / "schedstat").read_text().split()[0])
    return total / 1e9


def rss_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def timed_ms(action: Callable[[], object]) -> float:
    started = time.perf_counter_ns()
    action()
    return (time.perf_counter_ns() - started) / 1e6


def table(title: str, header: list[str], rows: list[list[object]]) -> None:
    cells = [header, *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    print(f"\n{title}")
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
