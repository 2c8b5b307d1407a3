#!/usr/bin/python3
"""Interrupts every thread of a process at a rate of its CPU time, and does nothing else: what any timer costs on this machine.

usage: bare_timer.py PID RATE --ready-fd FD     Writes a line to FD once the timers run; ends when it is killed.
"""

import ctypes
import os
import signal
import struct
import sys

PERF_EVENT_OPEN = 298  # x86-64
PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CPU_CLOCK, ATTRIBUTES_SIZE = 1, 0, 112


def start(tid: int, rate: int) -> None:
    attributes = struct.pack("<IIQQ", PERF_TYPE_SOFTWARE, ATTRIBUTES_SIZE, PERF_COUNT_SW_CPU_CLOCK, 10**9 // rate)
    attributes = attributes.ljust(ATTRIBUTES_SIZE, b"\0")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(PERF_EVENT_OPEN, attributes, tid, -1, -1, 0) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def main() -> None:
    pid, rate, ready = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[4])
    for tid in os.listdir(f"/proc/{pid}/task"):
        start(int(tid), rate)
    os.write(ready, b"ready\n")
    signal.pause()


main()
