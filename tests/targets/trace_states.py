"""A program that does one thing for ever: trace_states.py busy|sleeping|receiving|compressing; prints "ready" first."""

import itertools
import socket
import sys
import threading
import time


def work(number):
    return number * number


def busy():
    for number in itertools.count():
        work(number)


def sleeping():
    while True:
        time.sleep(0.05)
        work(1)


def receiving():
    here, there = socket.socketpair()
    print("ready", flush=True)
    here.recv(1)
    there.close()


def compressing():
    import zlib  # not every build has it

    def compress():
        data = bytes(range(256)) * 4000
        while True:
            work(len(zlib.compress(data, 9)))

    for _ in range(3):
        threading.Thread(target=compress, daemon=True).start()
    compress()


if sys.argv[1] != "receiving":
    print("ready", flush=True)
globals()[sys.argv[1]]()
