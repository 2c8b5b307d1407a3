"""Starts COUNT children one after the other, each of which burns 50 ms of CPU time in child_work() and ends.

usage: many_children.py COUNT fork|spawn|exec     Prints "ready", waits for a line, then starts; ends when all have ended.
"""

import multiprocessing
import os
import subprocess
import sys
import time

SOURCE = """
import time
def child_work():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
child_work()
"""


def child_work():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass


def start_fork():
    pid = os.fork()
    if pid == 0:
        child_work()
        os._exit(0)
    os.waitpid(pid, 0)


def start_spawn():
    child = multiprocessing.get_context("spawn").Process(target=child_work)
    child.start()
    child.join()


def start_exec():
    shell = ["/bin/sh", "-c", 'exec "$0" "$@"'] if os.path.exists("/bin/sh") else []
    subprocess.run([*shell, sys.executable, "-c", SOURCE], check=True)


if __name__ == "__main__":
    count, how = int(sys.argv[1]), {"fork": start_fork, "spawn": start_spawn, "exec": start_exec}[sys.argv[2]]
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(count):
        how()
    time.sleep(0.3)
