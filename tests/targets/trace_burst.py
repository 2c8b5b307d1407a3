"""Prints "ready"; then for each number on stdin calls a function so often, and prints "done" and the number."""

import sys


def step():
    pass


print("ready", flush=True)
for line in sys.stdin:
    for _ in range(int(line)):
        step()
    print("done", line.strip(), flush=True)
