"""Walks 500 distinct stacks in a random but repeatable order: the target of the bytes-per-sample bench."""

import random


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


chains = [make_chain(number) for number in range(500)]
rng = random.Random(1)
print("ready", flush=True)
while True:
    rng.choice(chains)(10_000)
