"""A program with threads of all ages: trace_threads.py [settrace|setprofile], where it has a function of its own that is told.

Prints "ready"; then for each line on stdin calls work() in the main thread, in one that has long been there, and in two new
ones, one of which `threading` knows nothing of; prints "done" and, as JSON, how often its own function was told of work(), and
whether that still is the one that is told.
"""

import _thread
import json
import queue
import sys
import threading

CALLS = 100


def work():
    return ord("a")


def work_often():
    for _ in range(CALLS):
        work()


def long_there(asked, done):
    while asked.get():
        work_often()
        done.put(None)


def born(done):
    work_often()
    done.put(None)


def one_round(asked, done):
    work_often()
    asked.put(True)
    _thread.start_new_thread(born, (done,))
    thread = threading.Thread(target=born, args=(done,))
    thread.start()
    for _ in range(3):
        done.get()
    thread.join()


TOLD = []


def own(frame, event, argument):
    if frame.f_code is work.__code__ and event == "call":
        TOLD.append(frame.f_lineno)
    return own


def main():
    asked, done = queue.Queue(), queue.Queue()
    threading.Thread(target=long_there, args=(asked, done), daemon=True).start()
    what = sys.argv[1] if len(sys.argv) > 1 else ""
    if what:
        getattr(sys, what)(own)
    print("ready", flush=True)
    for _line in sys.stdin:
        TOLD.clear()
        one_round(asked, done)
        is_own = bool(what) and getattr(sys, what.replace("set", "get"))() is own
        print("done", json.dumps({"told": len(TOLD), "is_own": is_own}), flush=True)


main()
