"""Wall mode tells waiting from running, and why a thread waits."""

import collections
import time

import pytest
from program import collapsed, duration_ns, target

SECONDS = 4
RATE = 1000
REASONS = ("gil", "sleep", "lock", "socket", "poll", "file", "child", "signal", "cpu", "page", "other")


def samples(program, *filters) -> int:
    return sum(row["samples"] for row in program.json("report", "--view", "threads", *filters)["rows"])


def shares(program, thread: str) -> dict[str, float]:
    """The share of each reason in a thread's samples; "" for those on a CPU."""
    whole = samples(program, "--thread", thread)
    found = {reason: samples(program, "--thread", thread, "--label", f"wait={reason}") / whole for reason in REASONS}
    found[""] = 1 - sum(found.values())
    return found


def record(program, waiting, *options) -> tuple[dict[str, dict], int, int]:
    """The threads view's rows by name; how long the recording took in ns, longer than asked on a slow disk; and how much
    of that is in ticks that are counted as lost."""
    program.run("attach", "-p", waiting.pid, "-d", SECONDS, "-r", RATE, "-q", *options)
    view = program.json("report", "--view", "threads")
    lost_ns = view["loss"]["lost"] * 10**9 // RATE
    return {row["name"]: row for row in view["rows"]}, duration_ns(program), lost_ns


def is_free_threaded(interpreter) -> bool:
    return "free-threaded" in interpreter.name


def test_each_thread_waits_for_what_it_waits_for(interpreter, program):
    with target(interpreter, "waiting.py") as waiting:
        rows, elapsed_ns, lost_ns = record(program, waiting, "--mode", "wall")
    for name in ("MainThread", "sleeper", "holder", "locked", "sender", "reader"):
        row = rows[name]
        assert row["on_cpu_ns"] + row["off_cpu_ns"] == pytest.approx(elapsed_ns, abs=0.01 * elapsed_ns + lost_ns), row
    assert shares(program, "sleeper")["sleep"] == pytest.approx(1, abs=0.02)
    assert shares(program, "holder")["sleep"] == pytest.approx(1, abs=0.02)
    assert shares(program, "MainThread")["lock"] == pytest.approx(1, abs=0.02)
    assert shares(program, "reader")["socket"] == pytest.approx(1, abs=0.02)
    if not is_free_threaded(interpreter):  # its locks are handed over, so that the two take turns
        assert shares(program, "locked")["lock"] == pytest.approx(0.8, abs=0.03)
        assert shares(program, "locked")["sleep"] == pytest.approx(0.2, abs=0.03)


def test_threads_that_compete_for_the_gil(interpreter, program):
    if is_free_threaded(interpreter):
        pytest.skip("free-threaded: there is no GIL to compete for")
    with target(interpreter, "waiting.py", "contended") as waiting:
        rows, elapsed_ns, lost_ns = record(program, waiting, "--mode", "wall")
    burners = [rows[f"burner-{i}"] for i in (1, 2)]
    ready_ns = [samples(program, "--thread", row["name"], "--label", "wait=cpu") * 10**9 // RATE for row in burners]
    # Ticks that came late are lost to whoever runs.
    for row, ready in zip(burners, ready_ns, strict=True):
        assert row["on_cpu_ns"] + row["off_cpu_ns"] == pytest.approx(elapsed_ns, abs=0.02 * elapsed_ns + lost_ns), row
        known_ns = row["on_cpu_ns"] + row["gil_wait_ns"] + ready
        assert known_ns == pytest.approx(elapsed_ns, abs=0.02 * elapsed_ns + lost_ns), row
    # Two threads that always want it: one has it, the other waits; where other programs take the CPUs, those who have been
    # given it or woken up for it wait for one.
    at_least = 0.95 * elapsed_ns - sum(ready_ns) - lost_ns
    assert at_least < sum(row["gil_wait_ns"] for row in burners) < 1.05 * elapsed_ns, (burners, ready_ns, lost_ns)
    assert at_least < sum(row["gil_held_ns"] for row in burners) < 1.05 * elapsed_ns, (burners, ready_ns, lost_ns)
    assert lost_ns < 0.1 * elapsed_ns * len(rows)


def test_gil_mode_counts_who_holds_it(interpreter, program):
    with target(interpreter, "waiting.py", "contended") as waiting:
        begin_ns, cpu_ns = time.monotonic_ns(), waiting.cpu_ns()
        rows, elapsed_ns, lost_ns = record(program, waiting, "-g")
        share = (waiting.cpu_ns() - cpu_ns) / (time.monotonic_ns() - begin_ns)
    counts = {name: row["samples"] for name, row in rows.items()}
    total = sum(counts.values())
    # Who runs holds it; who holds it runs, unless other programs take the CPU away. Free-threaded: whoever runs.
    ticks = elapsed_ns * RATE / 10**9
    assert 0.95 * share * ticks - lost_ns * RATE / 10**9 < total < 1.05 * max(share, 1) * ticks, (share, lost_ns)
    assert (counts["burner-1"] + counts["burner-2"]) / total > 0.95


def test_a_waiting_stack_is_the_line_that_waits(debian, program):
    with target(debian, "waiting.py") as waiting:
        program.run("attach", "-p", waiting.pid, "-d", "2", "-r", 500, "--mode", "wall", "-q")
    text = program.run("export", "-f", "collapsed", "--thread", "reader", "-o", "-").stdout
    leaves = collections.Counter()
    for stack, weight in collapsed(text).items():
        leaves[stack[-1].function] += weight
    assert leaves["receive"] / sum(leaves.values()) > 0.95
