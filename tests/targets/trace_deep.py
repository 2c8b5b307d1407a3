"""A program that calls itself so often that a C stack for each call would not do: trace_deep.py DEPTH DEPTH_IN_THREAD.

Prints "ready"; then for each line on stdin goes so deep in the main thread and in one with a small stack, each time until it
has gone too deep as well, and prints "done" and, as JSON, what came of it.
"""

import json
import re
import sys
import threading

SMALL_STACK = 131072
DEFAULT_LIMIT = sys.getrecursionlimit()


def down(n):
    return 0 if n == 0 else 1 + down(n - 1)


def at_the_bottom(n):
    """What uses much of the C stack is called there."""
    if n == 0:
        return [re.sub("(a|b)*c", "x", "ababc" * 10)[:3], len(json.dumps([[[[]]]] * 10)), sorted([2, 1], key=lambda x: x)]
    return at_the_bottom(n - 1)


def endless(n):
    return endless(n + 1) + 1


def go(depth, found):
    sys.setrecursionlimit(depth + 200)
    found += [down(depth), at_the_bottom(depth)]
    sys.setrecursionlimit(DEFAULT_LIMIT)
    # Before 3.11 Python's own limit lets a thread with a small stack die.
    if threading.current_thread() is threading.main_thread() or sys.version_info >= (3, 11):
        try:
            endless(0)
        except RecursionError as error:
            found.append(str(error))


def generators(n):
    if n > 0:
        yield from generators(n - 1)
    yield n


def one_round():
    found = []
    go(int(sys.argv[1]), found)
    threading.stack_size(SMALL_STACK)
    thread = threading.Thread(target=go, args=(int(sys.argv[2]), found))
    thread.start()
    thread.join()
    threading.stack_size(0)
    return [*found, sum(generators(200))]


print("ready", flush=True)
for _line in sys.stdin:
    print("done", json.dumps(one_round()), flush=True)
