"""Walks 500 distinct stacks: the target of the bytes-per-sample bench.

usage: many_stacks.py [phases|random]     `random` (the default): any of them each time, which no program does. `phases`: as
programs do, some much more often than others, out of a few dozens that change every few seconds. Both are repeatable.
"""

import random
import sys
import time


def crunch(n):
    total = 0
    for i in range(n):
        total += i
    return total


def make_chain(number):
    """A function that calls itself through 3 to 12 own frames before it works: one stack of its own."""
    scope = {"crunch": crunch}
    depth = 3 + number % 10
    lines = []
    for level in range(depth):
        callee = f"chain_{number}_{level + 1}(n)" if level + 1 < depth else "crunch(n)"
        lines.append(f"def chain_{number}_{level}(n):\n    return {callee}\n")
    exec(compile("".join(lines), f"chain_{number}.py", "exec"), scope)
    return scope[f"chain_{number}_0"]


def pick_random(chains, rng):
    while True:
        yield rng.choice(chains)


def pick_in_phases(chains, rng):
    zipf = [1 / rank for rank in range(1, len(chains) + 1)]
    while True:
        hot = rng.choices(chains, zipf, k=60)
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            chain = hot[min(int(rng.expovariate(0.08)), len(hot) - 1)]
            yield from [chain] * rng.randrange(1, 8)


if __name__ == "__main__":
    pick = {"random": pick_random, "phases": pick_in_phases}[(sys.argv[1:] or ["random"])[0]]
    made = [make_chain(number) for number in range(500)]
    print("ready", flush=True)
    for call in pick(made, random.Random(1)):
        call(10_000)
