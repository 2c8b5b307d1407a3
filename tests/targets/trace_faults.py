"""A program that does something awkward, which its argument names.

It does so once before it says "ready" and again for each line on stdin, after which it says "done". Both are followed by JSON:
how often it has called work(), and what else has come of it.
"""

import asyncio
import collections
import contextlib
import gc
import json
import os
import signal
import sys
import threading
import time

done = collections.Counter()  # "work" and what signal handlers add
LOCK = threading.Lock()


def work(number):
    return number + 1


def work_often(times):
    for number in range(times):
        work(number)
    with LOCK:
        done["work"] += times


def busy(times=200):
    work_often(times)


def burst():
    """More events than a ring holds."""
    work_often(150_000)


def hooks():
    """The tracers among its tools, and how many functions the garbage collector calls."""
    work_often(200)
    return [[name for name in tools() if name], len(gc.callbacks)]


def many_threads(number=250):
    """All of them at once."""
    everybody = threading.Barrier(number)

    def run():
        everybody.wait()
        work_often(20)
        everybody.wait()

    threads = [threading.Thread(target=run) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def short_threads(number=1000, pause=0):
    """One after the other, some at a time."""
    for _ in range(number // 4):
        threads = [threading.Thread(target=work_often, args=(3,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(pause)


def slow_short_threads():
    """As many as can be recorded: it takes a while until what an ended one was recorded in is there for another."""
    short_threads(600, 0.004)


def tools():
    """By number, where this Python has sys.monitoring."""
    monitoring = getattr(sys, "monitoring", None)
    return [monitoring.get_tool(number) for number in range(6)] if monitoring else []


def in_child():
    for number in range(1000):
        work(number)
    gc.collect()
    return 8 if "pycroscope" in tools() or gc.callbacks else 7


def forks():
    """How the children end; 8: the probe was still there."""
    codes = []
    for _ in range(5):
        child = os.fork()
        if child == 0:
            os._exit(in_child())
        codes.append(os.WEXITSTATUS(os.waitpid(child, 0)[1]))
        work_often(10)
    return codes


def send_works(pipe, numbers):
    pipe.send([work(number) for number in numbers])


def processes():
    import multiprocessing  # its resources end with it

    context = multiprocessing.get_context("fork")
    answers = []
    for begin in range(0, 50, 10):
        here, there = context.Pipe()
        process = context.Process(target=send_works, args=(there, range(begin, begin + 10)))
        process.start()
        answers += here.recv()
        process.join()
        work_often(10)
    return answers


def recurse(depth):
    return recurse(depth + 1)


def depth_of(error):
    depth, traceback = 0, error.__traceback__
    while traceback:
        depth, traceback = depth + 1, traceback.tb_next
    return depth


def recursion():
    """How deep it goes."""
    try:
        recurse(0)
    except RecursionError as error:
        return [depth_of(error), str(error)]


def descend(depth):
    if depth == 0:
        raise KeyError("planned")
    descend(depth - 1)


def unwinding():
    depths = []
    for _ in range(20):
        try:
            descend(400)
        except KeyError as error:
            depths.append(depth_of(error))
    return depths


def code_objects(number=100_000):
    """As many, all of which but the last few are gone again."""
    names = {}
    for at in range(number):
        exec(f"def made(x): return x + {at}", names)
        names["made"](at)
    return names["made"](0)


def surrogates():
    """Names that are no UTF-8."""
    # Code objects have no qualified name before 3.11.
    names = dict.fromkeys(("co_name", "co_qualname"), "\udcff<\ud800\U0001f600>")
    known = {name: value for name, value in names.items() if hasattr(work.__code__, name)}
    odd = type(work)(work.__code__.replace(**known), globals())
    odd.__code__ = odd.__code__.replace(co_filename="/\udc80.py")
    return [odd(number) for number in range(3)]


def on_signal(number, frame):
    done["signals"] += 1


def signals():
    """How often handlers ran, which they do in between."""
    signal.signal(signal.SIGUSR1, on_signal)
    for _ in range(300):
        os.kill(os.getpid(), signal.SIGUSR1)
        work_often(3)
    return done["signals"]


def timer():
    """Handlers run wherever it is then."""
    signal.signal(signal.SIGALRM, on_signal)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    while done["signals"] < 100:
        sorted(range(100), key=abs)
    signal.setitimer(signal.ITIMER_REAL, 0)


def nested(depth):
    if depth:
        yield from nested(depth - 1)
    else:
        yield from range(5)


async def awaiting(depth):
    if depth:
        return await awaiting(depth - 1)
    await asyncio.sleep(0)
    return 1


async def yielding(number):
    for at in range(number):
        await asyncio.sleep(0)
        yield at


async def consuming():
    found = [at async for at in yielding(10)]
    left_early = yielding(10)
    async for _ in left_early:
        break
    await left_early.aclose()
    return found, await asyncio.gather(*(awaiting(50) for _ in range(10)))


def generators():
    return list(nested(200)), asyncio.run(consuming())


def with_settrace():
    """Events that a function of sys.settrace gets, by kind."""
    seen = {}

    def note(frame, event, argument):
        seen[event] = seen.get(event, 0) + 1
        return note

    sys.settrace(note)
    busy()
    with contextlib.suppress(KeyError):
        descend(20)
    sys.settrace(None)
    return seen


def with_setprofile():
    seen = {}

    # The return from sys.setprofile() itself is told of where calls are monitored already.
    def note(frame, event, argument):
        if event != "c_return":
            seen[event] = seen.get(event, 0) + 1

    sys.setprofile(note)
    busy()
    len(list(map(abs, range(20))))
    sys.setprofile(None)
    return seen


def with_cprofile():
    import cProfile
    import pstats

    profiler = cProfile.Profile()
    profiler.enable()
    busy()
    profiler.disable()
    return sorted([where[2], *times[:2]] for where, times in pstats.Stats(profiler).stats.items())


def with_monitoring():
    """Another tool, which is told of all that happens and of each line but once."""
    monitoring = sys.monitoring
    events = monitoring.events
    seen = {}

    def notes(name, answer=None):
        def note(code, *_):
            if code.co_filename == __file__:
                seen[name] = seen.get(name, 0) + 1
            return answer

        return note

    monitoring.use_tool_id(1, "another")
    every = {name: getattr(events, name) for name in ("PY_START", "PY_RETURN", "PY_UNWIND", "CALL", "RAISE")}
    for name, event in every.items():
        monitoring.register_callback(1, event, notes(name))
    monitoring.register_callback(1, events.LINE, notes("LINE", monitoring.DISABLE))
    monitoring.set_events(1, sum(every.values()) | events.LINE)
    busy()
    with contextlib.suppress(KeyError):
        descend(20)
    monitoring.set_events(1, 0)
    monitoring.free_tool_id(1)
    monitoring.restart_events()
    return seen


def with_tracemalloc():
    import tracemalloc

    tracemalloc.start(5)
    kept = [bytes(1000) for _ in range(100)]
    busy()
    trace = tracemalloc.get_object_traceback(kept[50])
    tracemalloc.stop()
    return [len(kept), [frame.lineno for frame in trace][-1]]


def subinterpreters():
    """Calls in the interpreters that are made are their own."""
    for name in ("_interpreters", "_xxsubinterpreters"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        for _ in range(3):
            made = module.create()
            module.run_string(made, "def work(x): return x\nfor x in range(100): work(x)")
            work_often(10)
            module.destroy(made)
        return name
    return None


def ends(how):
    """Has done something, and goes in the way that is asked for."""
    work_often(100)
    if how == "abort":
        os.abort()
    if how == "_exit":
        os._exit(3)
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exec":
        os.execv(sys.executable, [sys.executable, __file__, "busy"])
    if how == "exit":
        import atexit

        atexit.register(work_often, 50)
        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
        print("done", json.dumps([done["work"] + 50, None]), flush=True)
        sys.exit(5)
    raise SystemExit("unknown")


def one_round(name, again):
    done.clear()
    if name.startswith("ends-"):
        return ends(name[len("ends-") :]) if again else None
    result = globals()[name]()
    return [done["work"], result]


print("ready", json.dumps(one_round(sys.argv[1], False)), flush=True)
for _line in sys.stdin:
    print("done", json.dumps(one_round(sys.argv[1], True)), flush=True)
