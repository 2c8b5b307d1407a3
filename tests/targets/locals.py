"""Waits on standard input with one local variable of each shape that a dump shows."""

import sys


class Opaque:
    pass


def outer():
    cell = "in a cell"

    def wait_with_locals(count, ratio=2.5):
        text = "héllo\n"
        data = b"\x00ab"
        flag = True
        nothing = None
        numbers = [1, -2, 3]
        mapping = {"key": (1, "two")}
        big = 10**30
        opaque = Opaque()
        seen = cell
        sys.stdin.read()
        unset = 1
        return count, ratio, text, data, flag, nothing, numbers, mapping, big, opaque, seen, unset

    wait_with_locals(7)


print("ready", flush=True)
outer()
