"""Makes, calls and drops functions all the time, so that code objects replace each other at the same addresses.

usage: make_functions.py [TIMES]: a function takes some microseconds, or TIMES as long

A function's name tells its file and its caller: `made_N_by_CALLER` lives in `made_N_by_CALLER.py`. Bodies differ in length, so
that the line tables do too.
"""

import sys

TIMES = int(sys.argv[1]) if len(sys.argv) > 1 else 1


def make(number, caller):
    name = f"made_{number}_by_{caller}"
    rounds = (50 + number % 200) * TIMES
    body = "\n".join(["    x = 0"] + [f"    for x in range({rounds}): x += {i}" for i in range(number % 7 + 1)])
    scope = {}
    exec(compile(f"def {name}():\n{body}\n    return x\n", f"{name}.py", "exec"), scope)
    return scope[name]


def left(number):
    make(number, "left")()


def right(number):
    make(number, "right")()


def main():
    print("ready", flush=True)
    number = 0
    while True:
        left(number)
        right(number + 1)
        number += 2


main()
