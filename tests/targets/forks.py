"""Forks a child that burns CPU, for as long as it runs itself; prints `ready CHILD`."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1


def child_burns():
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    while True:
        pass


def parent_burns(child):
    print("ready", child, flush=True)
    while True:
        pass


pid = os.fork()
if pid == 0:
    child_burns()
parent_burns(pid)
