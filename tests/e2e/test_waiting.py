"""Wall mode tells waiting from running, and why a thread waits."""

import collections

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
    # Two threads that always want it: one has it, the other waits.
    assert sum(row["gil_wait_ns"] for row in burners) == pytest.approx(elapsed_ns, rel=0.05)
    assert sum(row["gil_held_ns"] for row in burners) == pytest.approx(elapsed_ns, rel=0.05)
    for row in burners:
        # Ticks that came late are lost to whoever runs.
        assert row["on_cpu_ns"] + row["off_cpu_ns"] == pytest.approx(elapsed_ns, abs=0.02 * elapsed_ns + lost_ns), row
    assert lost_ns < 0.1 * elapsed_ns


def test_gil_mode_counts_who_holds_it(interpreter, program):
    with target(interpreter, "waiting.py", "contended") as waiting:
        rows, elapsed_ns, _ = record(program, waiting, "-g")
    counts = {name: row["samples"] for name, row in rows.items()}
    total = sum(counts.values())
    ticks = elapsed_ns * RATE / 1e9
    if is_free_threaded(interpreter):  # every thread that runs
        assert 0.5 * ticks < total <= 2.1 * ticks
    else:
        assert total == pytest.approx(ticks, rel=0.05)
    assert (counts["burner-1"] + counts["burner-2"]) / total > 0.95


def test_a_waiting_stack_is_the_line_that_waits(debian, program):
    with target(debian, "waiting.py") as waiting:
        program.run("attach", "-p", waiting.pid, "-d", "2", "-r", 500, "--mode", "wall", "-q")
    text = program.run("export", "-f", "collapsed", "--thread", "reader", "-o", "-").stdout
    leaves = collections.Counter()
    for stack, weight in collapsed(text).items():
        leaves[stack[-1].function] += weight
    assert leaves["receive"] / sum(leaves.values()) > 0.95
