"""asyncio tasks that burn known parts of a thread's CPU time, by its own clock; prints "ready", runs until killed.

usage: tasks.py [late | threads]

    sixty, thirty   tasks of these names: 60 and 30 % of the time that is spent in tasks
    ten             a task without a name of its own: 10 %
    outside         a callback of the event loop, outside of all tasks: a fifth of all time

late: asyncio is imported when a line has come on stdin. threads: two threads, left and right, run a loop each, whose tasks
have the thread's name in front of theirs; the thread plain has no loop.
"""

import sys
import threading
import time

MICROSECOND = 1_000


class Turns:
    """Deadlines follow each other without a gap, so that what one overruns is the next one's loss only once."""

    def __init__(self):
        self.deadline = time.thread_time_ns()

    def burn(self, microseconds):
        self.deadline += microseconds * MICROSECOND
        while time.thread_time_ns() < self.deadline:
            pass


async def sixty(turns):
    while True:
        turns.burn(6000)
        await asyncio.sleep(0)


async def thirty(turns):
    while True:
        turns.burn(3000)
        await asyncio.sleep(0)


async def ten(turns):
    while True:
        turns.burn(1000)
        await asyncio.sleep(0)


def outside(turns):
    turns.burn(2500)
    asyncio.get_running_loop().call_soon(outside, turns)


async def main(prefix):
    turns = Turns()
    tasks = [
        asyncio.create_task(sixty(turns), name=prefix + "sixty"),
        asyncio.create_task(thirty(turns), name=prefix + "thirty"),
        asyncio.create_task(ten(turns)),
    ]
    asyncio.get_running_loop().call_soon(outside, turns)
    await asyncio.gather(*tasks)


def serve(prefix):
    asyncio.run(main(prefix))


def plain():
    while True:
        Turns().burn(1000)
        time.sleep(0.02)


if "late" in sys.argv:
    print("ready", flush=True)
    sys.stdin.readline()

import asyncio  # noqa: E402

if "threads" in sys.argv:
    threading.Thread(target=plain, name="plain", daemon=True).start()
    for name in ("left", "right"):
        threading.Thread(target=serve, args=(name + "-",), name=name, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()
if "late" not in sys.argv:
    print("ready", flush=True)
serve("")
