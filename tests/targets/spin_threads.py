"""THREADS threads that are busy all the time; the main thread counts in FILE the rounds that they all have done.

usage: spin_threads.py FILE THREADS     Prints "ready", runs until killed.
"""

import mmap
import sys
import threading

with open(sys.argv[1], "r+b") as file:
    counter = memoryview(mmap.mmap(file.fileno(), 8)).cast("Q")


def inner(n):
    total = 0
    for i in range(n):
        total += i * i
    return total


def work():
    while True:
        inner(500)
        counter[0] += 1  # a round may get lost between threads, which is the same with and without a profiler


for number in range(int(sys.argv[2])):
    threading.Thread(target=work, name=f"worker-{number}", daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
