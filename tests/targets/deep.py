"""Spins at the bottom of a recursion deeper than a sample holds: 1 000 frames of `descend`, then `spin`."""

import sys

sys.setrecursionlimit(3000)


def spin():
    print("ready", flush=True)
    while True:
        pass


def descend(depth):
    if depth == 0:
        spin()
    descend(depth - 1)


descend(1000)
