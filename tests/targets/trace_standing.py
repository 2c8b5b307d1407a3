"""A program in whose functions the probe comes, and which leaves them one after the other.

Prints "ready"; goes on with a line on stdin, prints "done", and ends with the next one.
"""

import sys


def leaf():
    return 1


def phase():
    for _ in range(10):
        leaf()


def generator():
    yield leaf()
    yield leaf()


def inner():
    print("ready", flush=True)
    sys.stdin.readline()
    leaf()
    begun = generator()
    next(begun)
    return begun


def outer():
    begun = inner()
    for _ in begun:
        pass
    phase()


def main():
    outer()
    phase()
    phase()
    print("done", flush=True)
    sys.stdin.readline()


main()
