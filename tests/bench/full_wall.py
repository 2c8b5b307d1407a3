"""Wall mode with 64 busy threads, and following children: what they cost, beside the peers."""

import json
import statistics
import subprocess
import time

from interpreters import wanted
from measure import bootstrap, table, worker
from peers import Profiler, install, ours
from program import target
from slowdown import slowdowns

THREADS = 64
RATE = 1000
PAIRS = 12
SECONDS = 1.0
CHILDREN = 100
ROUNDS = 5
WALL = [Profiler("pycroscope", ("--mode", "wall")), Profiler("py-spy", ("--idle",)), Profiler("austin")]


def test_64_threads_in_wall_mode(tmp_path):
    install()
    with worker(wanted()[0], "spin_threads.py", str(THREADS)) as busy:
        result = slowdowns(busy, WALL, RATE, PAIRS, SECONDS, tmp_path)
        ours(tmp_path).run("attach", "-p", busy.pid, "-r", RATE, "--mode", "wall", "-d", "10", "-q")
    session = json.loads(ours(tmp_path).run("sessions", "show", "latest", "--json").stdout)
    own = session["recorder_cpu_ns"] / session["duration_ns"]
    loss = session["loss"]
    rows = [[name, interval] for name, interval in result.items()]
    table(f"slowdown, {THREADS} threads, wall mode at {RATE} Hz, {PAIRS} pairs; limit 1.05", ["", "median [95 %]"], rows)
    table("ours", ["recorded", "lost", "own CPU (limit 20 %)"], [[loss["recorded"], loss["lost"], f"{own:.1%}"]])
    happened = loss["recorded"] + loss["lost"]
    assert abs(happened / ((THREADS + 1) * RATE * session["duration_ns"] / 1e9) - 1) < 0.02
    assert loss["lost"] <= 0.001 * happened
    assert result["pycroscope"].low <= 1.05


def seconds_of_children(folder, recorded: bool) -> float:
    with target(wanted()[0], "many_children.py", str(CHILDREN), "fork") as parent:
        recorder = None
        if recorded:
            command = ours(folder).command("attach", "-p", parent.pid, "-s", "-r", RATE, "-q", "--ready-fd", "1")
            recorder = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert recorder.stdout.readline().startswith(b"ready")
        started = time.perf_counter()
        parent.say("go")
        parent.process.wait()
        elapsed = time.perf_counter() - started
        if recorder:
            recorder.wait()
            recorder.stdout.close()
        return elapsed


def test_following_children(tmp_path):
    ratios = []
    for _ in range(ROUNDS):
        without = seconds_of_children(tmp_path, False)
        ratios.append(seconds_of_children(tmp_path, True) / without)
    title = f"a run with {CHILDREN} children of 50 ms, with -s over without; limit 1.05"
    table(title, ["", "median [95 %]"], [["", bootstrap(ratios)]])
    assert statistics.median(ratios) <= 1.1
