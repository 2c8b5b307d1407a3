"""Two named busy threads, then one more for each line on standard input: threads born before and after the attach.

Each burns CPU in a function of its own; the kernel knows the thread by its name too.
"""

import ctypes
import sys
import threading
from time import thread_time_ns

PR_SET_NAME = 15
prctl = ctypes.CDLL(None).prctl


def burn(until):
    while thread_time_ns() < until:
        pass


def early_one():
    while True:
        burn(thread_time_ns() + 1_000_000)


def early_two():
    while True:
        burn(thread_time_ns() + 1_000_000)


def late():
    while True:
        burn(thread_time_ns() + 1_000_000)


def start(name, function):
    def run():
        prctl(PR_SET_NAME, name.encode(), 0, 0, 0)
        started.release()
        function()

    started = threading.Semaphore(0)
    threading.Thread(target=run, name=name, daemon=True).start()
    started.acquire()


start("early-one", early_one)
start("early-two", early_two)
print("ready", flush=True)
for line in sys.stdin:
    start(line.strip(), late)
    print("started", flush=True)
threading.Event().wait()
