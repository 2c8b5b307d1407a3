"""A program that does the same each time it is asked: what it does is known.

Prints "ready" and, as JSON, what sys.setprofile and sys.settrace saw of it in one round: how often each of its functions was
called, what C functions each called, how often each line began, and each bytecode instruction. Then does a round for each line
on stdin, prints "done", and ends with its input.
"""

import asyncio
import collections
import contextlib
import json
import math
import sys
import threading

OWN = __file__
LOCK = threading.Lock()


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


class Squares:
    def __getitem__(self, at):
        return at * at


def items():
    """So often that Python calls the function in another way."""
    squares, total = Squares(), 0
    for at in range(200):
        total += squares[at]
    return total


def looping(n):
    total = 0
    while n: n -= 1; total += n  # noqa: E701, E702  # fmt: skip
    numbers = [x for x in range(5)]
    for x in numbers: total += x  # noqa: E701  # fmt: skip
    return total, {k: v for k, v in zip("abc", numbers)}, sum(x for x in numbers)


class Words(list):
    pass


def calling_c():
    words = Words()
    words.append("a")
    add = words.append
    for word in "b,c,d".split(","):  # noqa: SIM905
        add(word)
    with contextlib.suppress(TypeError):
        len(5)
    return "".join(words), list(map(len, words)), dict.fromkeys(words), math.sqrt(2), max(*range(3))


def one_round():
    looping(10)
    items()
    calling_c()
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


def is_own(frame):
    return frame.f_code.co_filename == OWN


def name_of(code):
    return getattr(code, "co_qualname", code.co_name)


def profiled():
    """Calls by function, and by function those of C functions, by name."""
    calls, c_calls = collections.Counter(), collections.Counter()

    def note(frame, event, argument):
        if not is_own(frame):
            return
        code = frame.f_code
        with LOCK:
            if event == "call":
                calls[f"{name_of(code)}:{code.co_firstlineno}"] += 1
            elif event == "c_call" and argument not in (sys.setprofile, threading.setprofile):
                c_calls[f"{name_of(code)} {argument.__name__}"] += 1

    threading.setprofile(note)
    sys.setprofile(note)
    one_round()
    sys.setprofile(None)
    threading.setprofile(None)
    return {"calls": calls, "c_calls": c_calls}


def traced():
    """How often each line began, and each instruction, by function and offset."""
    lines, instructions = collections.Counter(), collections.Counter()

    def note(frame, event, argument):
        if not is_own(frame):
            return None
        frame.f_trace_opcodes = True
        with LOCK:
            if event == "line":
                lines[frame.f_lineno] += 1
            elif event == "opcode":
                instructions[f"{name_of(frame.f_code)}:{frame.f_code.co_firstlineno}:{frame.f_lasti}"] += 1
        return note

    threading.settrace(note)
    sys.settrace(note)
    one_round()
    sys.settrace(None)
    threading.settrace(None)
    return {"lines": lines, "instructions": instructions}


one_round()  # imports, caches
print("ready", json.dumps({**profiled(), **traced()}), flush=True)
for _line in sys.stdin:
    one_round()
    tools = map(sys.monitoring.get_tool, range(6)) if hasattr(sys, "monitoring") else ()
    print("done", "pycroscope" if "pycroscope" in tools else None, flush=True)
