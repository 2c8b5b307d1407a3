"""Spins with many shared libraries mapped: loads every file of the folder argv[1]."""

import ctypes
import os
import sys


def spin():
    print("ready", flush=True)
    while True:
        pass


libraries = [ctypes.CDLL(entry.path) for entry in os.scandir(sys.argv[1])]
spin()
