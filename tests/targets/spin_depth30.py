"""Works at depth 30 and counts: the target of the slowdown bench.

Writes the number of finished rounds into the 8 bytes of the file argv[1], so that a reader can take the rate of any interval.
A round is a fixed amount of work of some 20 µs.
"""

import mmap
import sys


def work(counter):
    print("ready", flush=True)
    rounds = 0
    while True:
        x = 0
        for i in range(500):
            x += i & 7
        rounds += 1
        counter[0] = rounds


def descend(depth, counter):
    if depth == 0:
        work(counter)
    descend(depth - 1, counter)


with open(sys.argv[1], "r+b") as file:
    # Frames: the module, 28 of descend, work.
    descend(27, memoryview(mmap.mmap(file.fileno(), 8)).cast("Q"))
