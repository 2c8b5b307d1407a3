"""A program that does the same each time it is asked: what its functions were called for is known.

Prints "ready" and, as JSON, how often sys.setprofile saw each of its functions called and left in one round; then does a round
for each line on stdin, prints "done", and ends with its input.
"""

import asyncio
import collections
import contextlib
import json
import sys
import threading

OWN = __file__


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def countdown(n):
    while n > 0:
        yield n
        n -= 1


def delegating(n):
    yield from countdown(n)
    return "end"


def fail(depth):
    if depth == 0:
        raise ValueError("as planned")
    fail(depth - 1)


def closed_early():
    with contextlib.suppress(GeneratorExit):
        yield 1
        yield 2


def thrown_into():
    try:
        yield 1
    except KeyError:
        yield 2


async def leaf(value):
    await asyncio.sleep(0)
    return value


async def gathered():
    return sum(await asyncio.gather(*(leaf(i) for i in range(10))))


class Shape:
    def __init__(self, sides):
        self.sides = sides

    @property
    def angle(self):
        return 360 / self.sides

    def __len__(self):
        return self.sides


def recurse(n):
    return 0 if n == 0 else 1 + recurse(n - 1)


def one_round():
    fib(12)
    sum(countdown(20))
    list(delegating(5))
    for depth in range(4):
        with contextlib.suppress(ValueError):
            fail(depth)
    generator = closed_early()
    next(generator)
    generator.close()
    generator = thrown_into()
    next(generator)
    generator.throw(KeyError())
    generator.close()
    asyncio.run(gathered())
    for sides in range(3, 30):
        shape = Shape(sides)
        shape.angle + len(shape)
    recurse(100)
    sorted(range(50), key=lambda x: -x)
    threads = [threading.Thread(target=fib, args=(8,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def reference():
    """Calls by function, of one round."""
    counts = collections.Counter()

    def note(frame, event, argument):
        code = frame.f_code
        if event == "call" and code.co_filename == OWN:
            counts[f"{code.co_qualname}:{code.co_firstlineno}"] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    one_round()
    sys.setprofile(None)
    threading.setprofile(None)
    return counts


one_round()  # imports, caches
print("ready", json.dumps(reference()), flush=True)
for _line in sys.stdin:
    one_round()
    print("done", sys.monitoring.get_tool(2) if hasattr(sys, "monitoring") else None, flush=True)
