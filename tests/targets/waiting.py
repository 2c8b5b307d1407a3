"""Threads that each wait in one known way; prints "ready", runs until killed.

usage: waiting.py [contended]

    sleeper    sleeps all the time
    locked     waits for a lock that `holder` keeps 80 ms of each 100 ms, and sleeps in between
    reader     waits for a socket that gets a byte every 50 ms
    burner-1, burner-2   compete for the GIL, only when asked for: the others then wait for it each time they wake up
"""

import socket
import sys
import threading
import time

lock = threading.Lock()
here, there = socket.socketpair()


def sleep_long():
    while True:
        time.sleep(0.25)


def hold():
    while True:
        with lock:
            time.sleep(0.08)
        time.sleep(0.02)


def wait_for_lock():
    while True:
        with lock:
            pass
        time.sleep(0.001)


def send():
    while True:
        time.sleep(0.05)
        there.send(b"x")


def receive():
    while True:
        here.recv(1)


def burn():
    total = 0
    while True:
        for i in range(1000):
            total += i * i


FUNCTIONS = {
    "sleeper": sleep_long,
    "holder": hold,
    "locked": wait_for_lock,
    "sender": send,
    "reader": receive,
}
if "contended" in sys.argv:
    FUNCTIONS.update({"burner-1": burn, "burner-2": burn})
for name, function in FUNCTIONS.items():
    threading.Thread(target=function, name=name, daemon=True).start()
time.sleep(0.2)
print("ready", flush=True)
threading.Event().wait()
