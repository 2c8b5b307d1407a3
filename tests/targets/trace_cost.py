"""What tracing costs: does the same for each line on stdin and prints how many nanoseconds that took.

A line is a program and how it is executed: `plain`, or under `cprofile`, `cprofile-builtins`, `settrace`. Programs are fib,
loop, mix, and those of the pyperformance suite where the folder with its benchmarks is given as the argument. Prints "ready"
first, with, as JSON, how many calls and lines fib and loop are.
"""

import collections
import cProfile
import json
import re
import runpy
import sys
import time
import types
from pathlib import Path

DEPTH, LOOPS, MIXES = 20, 400_000, 400
SUITE = Path(sys.argv[1]) if len(sys.argv) > 1 else None


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def calls_of(n):
    return 1 if n < 2 else 1 + calls_of(n - 1) + calls_of(n - 2)


def loop():
    total = 0
    for i in range(LOOPS):
        total += i
    return total


def mix():
    words = collections.Counter()
    for i in range(MIXES):
        text = json.dumps({"id": i, "name": f"name-{i}", "tags": ["a", "b", str(i)]})
        words.update(re.findall(r"[a-z]+", text.upper().lower()))
        json.loads(text)
    return words


class Runner:
    """Takes what a benchmark would measure, as pyperf's runner would."""

    taken = None

    def __init__(self, *_arguments, **_options):
        import argparse

        self.metadata = {}
        self.argparser = argparse.ArgumentParser()
        self.args = None

    def parse_args(self, _arguments=None):
        self.args = self.argparser.parse_args([])
        return self.args

    def bench_func(self, _name, function, *arguments, **_options):
        Runner.taken = Runner.taken or (lambda: function(*arguments))

    def bench_time_func(self, _name, function, *arguments, **_options):
        Runner.taken = Runner.taken or (lambda: function(1, *arguments))


def load(name):
    """A benchmark of the suite, as often as takes a tenth of a second."""
    sys.modules["pyperf"] = types.SimpleNamespace(Runner=Runner, perf_counter=time.perf_counter)
    Runner.taken = None
    folder = SUITE / f"bm_{name}"
    sys.path.insert(0, str(folder))
    runpy.run_path(str(folder / "run_benchmark.py"), run_name="__main__")
    sys.path.remove(str(folder))
    once = Runner.taken
    begin = time.perf_counter()
    once()
    times = max(1, round(0.1 / (time.perf_counter() - begin)))

    def repeated():
        for _ in range(times):
            once()

    return repeated


def follow(frame, event, argument):
    return follow


def run(program, how):
    profiler = cProfile.Profile(builtins=how == "cprofile-builtins")
    begin = time.perf_counter_ns()
    if how.startswith("cprofile"):
        profiler.enable()
    elif how == "settrace":
        sys.settrace(follow)
    program()
    profiler.disable()
    sys.settrace(None)
    return time.perf_counter_ns() - begin


PROGRAMS = {"fib": lambda: fib(DEPTH), "loop": loop, "mix": mix}
print("ready", json.dumps({"fib calls": calls_of(DEPTH), "loop lines": 2 * LOOPS + 3}), flush=True)
for line in sys.stdin:
    name, how = line.split()
    program = PROGRAMS.get(name) or PROGRAMS.setdefault(name, load(name))
    print(run(program, how), flush=True)
