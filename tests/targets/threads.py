"""Two named busy threads, then one more for each line on standard input: threads born before and after the attach.

Each burns CPU in a function of its own; the kernel knows the thread by its name too.
"""

import sys
import threading
from time import thread_time_ns

PR_SET_NAME = 15
try:
    import ctypes
except ImportError:  # musl's interpreter is built without, and not run where there is no /proc

    def name_for_kernel(name):
        with open("/proc/thread-self/comm", "wb", buffering=0) as file:
            file.write(name)
else:
    prctl = ctypes.CDLL(None).prctl

    def name_for_kernel(name):
        prctl(PR_SET_NAME, name, 0, 0, 0)


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
        name_for_kernel(name.encode())
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
