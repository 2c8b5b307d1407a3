"""Wall mode tells waiting from running, and why a thread waits."""

import collections

import pytest
from program import collapsed, target

SECONDS = 4


def waits_of(program, thread: str) -> dict[str, float]:
    """The share of each reason in a thread's samples; "" for those on a CPU."""
    shares = {}
    whole = samples(program, "--thread", thread)
    for reason in ("gil", "sleep", "lock", "socket", "poll", "file", "child", "cpu", "page", "other"):
        shares[reason] = samples(program, "--thread", thread, "--label", f"wait={reason}") / whole
    shares[""] = 1 - sum(shares.values())
    return shares


def samples(program, *filters) -> int:
    rows = program.json("report", "--view", "threads", *filters)["rows"]
    return sum(row["samples"] for row in rows)


def test_each_thread_waits_for_what_it_waits_for(interpreter, program):
    with target(interpreter, "waiting.py") as waiting:
        program.run("attach", "-p", waiting.pid, "-d", SECONDS, "-r", 1000, "--mode", "wall", "-q")
    rows = {row["name"]: row for row in program.json("report", "--view", "threads")["rows"]}
    elapsed = SECONDS * 1e9
    for name in ("MainThread", "sleeper", "holder", "locked", "sender", "reader", "burner-1", "burner-2"):
        row = rows[name]
        assert row["on_cpu_ns"] + row["off_cpu_ns"] == pytest.approx(elapsed, rel=0.01), row

    assert waits_of(program, "sleeper")["sleep"] == pytest.approx(1, abs=0.02)
    assert waits_of(program, "MainThread")["lock"] == pytest.approx(1, abs=0.02)
    assert waits_of(program, "reader")["socket"] == pytest.approx(1, abs=0.02)
    assert waits_of(program, "locked")["lock"] == pytest.approx(0.8, abs=0.1)
    burners = [waits_of(program, f"burner-{i}") for i in (1, 2)]
    # Two threads that always want it: it is held by the one or by the other.
    assert sum(shares["gil"] for shares in burners) == pytest.approx(1, abs=0.05)
    held = sum(rows[f"burner-{i}"]["gil_held_ns"] for i in (1, 2))
    assert held == pytest.approx(elapsed, rel=0.05)


def test_gil_mode_counts_who_holds_it(interpreter, program):
    with target(interpreter, "waiting.py") as waiting:
        program.run("attach", "-p", waiting.pid, "-d", SECONDS, "-r", 1000, "-g", "-q")
    rows = {row["name"]: row["samples"] for row in program.json("report", "--view", "threads")["rows"]}
    total = sum(rows.values())
    assert total == pytest.approx(SECONDS * 1000, rel=0.05)
    assert (rows["burner-1"] + rows["burner-2"]) / total > 0.95


def test_a_waiting_stack_is_the_line_that_waits(debian, program):
    with target(debian, "waiting.py") as waiting:
        program.run("attach", "-p", waiting.pid, "-d", "2", "-r", 500, "--mode", "wall", "-q")
    text = program.run("export", "-f", "collapsed", "--thread", "reader", "-o", "-").stdout
    leaves = collections.Counter()
    for stack, weight in collapsed(text).items():
        leaves[stack[-1].function] += weight
    assert leaves["receive"] / sum(leaves.values()) > 0.95
