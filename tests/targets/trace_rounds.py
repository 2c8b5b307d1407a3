"""A program that does one thing for ever: trace_rounds.py busy|sleeping|receiving|locking|compressing|hashing|sorting.

Prints "ready" and the number of a descriptor, of memory where it counts how often it has done it: whoever looks there does not
have to ask, which would give the program a thread that waits for questions.
"""

import hashlib
import mmap
import os
import random
import socket
import struct
import sys
import threading
import time

progress = os.memfd_create("progress")
os.ftruncate(progress, mmap.PAGESIZE)
counter = mmap.mmap(progress, mmap.PAGESIZE)


def work(number):
    return number * number


def done(times):
    """By one thread at a time."""
    struct.pack_into("Q", counter, 0, struct.unpack_from("Q", counter)[0] + times)


def busy():
    for number in range(500):
        work(number)
    done(500)


def sleeping():
    time.sleep(0.002)
    work(1)
    done(1)


def receiving():
    here, _there = socket.socketpair()
    here.recv(1)


lock = threading.Lock()
changed = threading.Condition()


def hold(number):
    with lock:
        work(number)
        done(1)


def holding():
    while True:
        for number in range(50):
            hold(number)
        with changed:
            changed.notify_all()


def waiting():
    while True:
        with changed:
            changed.wait(0.01)
        hold(1)


def locking():
    if threading.active_count() == 1:
        for function in (holding, holding, waiting, waiting):
            threading.Thread(target=function, daemon=True).start()
    with changed:
        changed.wait(0.01)
    hold(2)


DATA = bytes(range(256)) * 1000


def compressing():
    import zlib  # not every build has it

    work(len(zlib.compress(DATA, 6)))
    done(1)


def hashing():
    work(len(hashlib.sha256(DATA).digest()))
    done(1)


numbers = [random.Random(1).random() for _ in range(5000)]


def sorting():
    work(sorted(numbers)[0])
    done(1)


todo = globals()[sys.argv[1]]
print("ready", progress, flush=True)
while True:
    todo()
