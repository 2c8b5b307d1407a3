"""What tracing calls costs: does the same for each line on stdin, `plain`, or under `cprofile` or `setprofile`, and prints how
many nanoseconds that took and how many calls it was. Prints "ready" first."""

import cProfile
import sys
import time

DEPTH = 22


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def calls_of(n):
    return 1 if n < 2 else 1 + calls_of(n - 1) + calls_of(n - 2)


def nothing(frame, event, argument):
    pass


CALLS = calls_of(DEPTH)
print("ready", flush=True)
for line in sys.stdin:
    profiler = cProfile.Profile(builtins=False)
    if line.strip() == "cprofile":
        profiler.enable()
    elif line.strip() == "setprofile":
        sys.setprofile(nothing)
    begin = time.perf_counter_ns()
    fib(DEPTH)
    took = time.perf_counter_ns() - begin
    profiler.disable()
    sys.setprofile(None)
    print(took, CALLS, flush=True)
