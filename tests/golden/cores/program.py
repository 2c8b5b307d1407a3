"""What the golden core files are of: threads that wait with locals of every plain shape, and two that compete for the GIL.

Runs as /srv/golden.py.
"""

import threading

DEPTH = 20


class Gate:
    """Lets nobody through."""

    def __init__(self):
        self.lock = threading.Lock()
        self.lock.acquire()
        self.waiting = threading.Semaphore(0)

    def wait(self, who):
        self.waiting.release()
        return self.lock.acquire(), who

    class Inner:
        @staticmethod
        def pass_on(gate, who):
            return gate.wait(who)

        @classmethod
        def enter(cls, gate, *who, **named):
            return cls.pass_on(gate, who or named)


gate = Gate()


def numbers():
    zero, one, negative, large, larger = 0, 1, -2, 2**40, -(10**30)
    half, infinite, small = 2.5, float("-inf"), 1e-300
    yes, no, nothing = True, False, None
    gate.Inner.enter(gate, yes, no, nothing)
    return zero, one, negative, large, larger, half, infinite, small


def texts():
    ascii_text, latin1, ucs2, ucs4 = "plain\n", "h\xe9llo", "\u65e5\u672c", "snake \U0001f40d"
    empty, data, long_text = "", b"\x00ab\xff", "x" * 1000

    def nested(prefix):
        def inner(suffix):
            both = prefix + suffix
            gate.Inner.enter(gate, named=both)
            return ascii_text

        return inner(ucs2)

    nested(latin1)
    return ucs4, empty, data, long_text


def containers():
    def generate(limit):
        for item in range(limit):
            gate.wait(item)
            yield item

    a_list, a_tuple = [1, -2.5, None, [b"\x00", ["deeper"]]], (True, (), ("one",))
    a_dict, mixed = {"key": (1, {"inner": "v"})}, {1: "one", None: 2.0, ("a", 2): []}
    opaque = gate.Inner()
    return sum(generate(3)), a_list, a_tuple, a_dict, mixed, opaque


async def last(depth):
    gate.wait(depth)


async def awaiting(depth):
    if depth:
        await awaiting(depth - 1)
    await last(depth)


def coroutines():
    awaiting(3).send(None)


def descend(depth):
    if depth:
        return descend(depth - 1)
    while True:
        pass


names = {numbers: "ascii", texts: "l\xe4tin1", containers: "\u65e5\u672c", coroutines: "snake \U0001f40d"}
for function, name in names.items():
    threading.Thread(target=function, name=name, daemon=True).start()
for _ in names:
    gate.waiting.acquire()
threading.Thread(target=descend, args=[1], name="rival", daemon=True).start()
print("ready", flush=True)
descend(DEPTH)
