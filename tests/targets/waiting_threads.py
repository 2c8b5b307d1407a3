"""Threads that all wait: for a lock, in a sleep, in a generator, on standard input; with locals of every plain shape."""

import sys
import threading
import time

lock = threading.Lock()
lock.acquire()


class Opaque:
    def wait(self, seconds):
        time.sleep(seconds)


def wait_for_lock(name, *values, **options):
    text = "héllo"
    numbers = [1, -2.5, None, b"\x00"]
    mapping = {"key": (True, {"inner"})}
    lock.acquire()
    return name, values, options, text, numbers, mapping


def generate(limit):
    for i in range(limit):
        Opaque().wait(1000 + i)
        yield i


def sum_up():
    captured = 40

    def add(x):
        return captured + sum(generate(x))

    return add(2)


threading.Thread(target=wait_for_lock, name="locked", args=("first", 2, 3), kwargs={"big": 10**30}, daemon=True).start()
threading.Thread(target=sum_up, name="gêneráting", daemon=True).start()
print("ready", flush=True)
sys.stdin.read()
