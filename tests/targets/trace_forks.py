"""Forks children that call functions a known number of times, once for each line on stdin.

Prints "ready", and "done" after each round: child() was called 5 times then, in as many processes, and work() 24 times.
"""

import multiprocessing
import os
import subprocess
import sys
import time


def work(number):
    return sum(i for i in range(number))


def child(count):
    for _ in range(count):
        work(3)


def spawned():
    time.sleep(0.01)


def forked(function, *arguments):
    pid = os.fork()
    if pid == 0:
        function(*arguments)
        os._exit(0)
    os.waitpid(pid, 0)


def one_round():
    forked(child, 5)
    forked(child, 7)
    workers = [multiprocessing.get_context("fork").Process(target=child, args=(5,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    forked(forked, child, 2)
    subprocess.run([sys.executable, __file__, "spawned"], check=True)


if "spawned" in sys.argv:
    for _ in range(50):
        spawned()
    sys.exit()
print("ready", flush=True)
for _line in sys.stdin:
    one_round()
    print("done", flush=True)
