"""Where the time goes is where it is said to go, to the point and to the line, on every interpreter."""

import collections
import time

import pytest
from program import call_lines, collapsed, duration_ns, function_lines, python_frames, target

SHARES = {"burn_70": 70, "burn_20": 20, "burn_10": 10}
# Points. A busy machine leaves reads from outside few samples.
TOLERANCE = {"ebpf": 1, "reads": 3}


def test_shares_and_lines_are_right(interpreter, program, tmp_path, sampler):
    output = tmp_path / "out.txt"
    with target(interpreter, "burn_70_20_10.py") as burner:
        arguments = ["--duration", "10s", "--rate", 1000, "--sampler", sampler, "--format", "collapsed", "-o", output]
        program.run("attach", "--pid", burner.pid, *arguments)
        assert burner.alive()
    stacks = python_frames(collapsed(output.read_text()))
    total = sum(stacks.values())
    assert total > 0

    self_time = collections.Counter()
    lines, calls = function_lines("burn_70_20_10.py"), call_lines("burn_70_20_10.py")
    for stack, weight in stacks.items():
        assert [frame.function for frame in stack[:2]] == ["<module>", "main"], stack
        assert all(frame.file == burner.path for frame in stack), stack
        assert all(frame.line in lines[frame.function] for frame in stack), stack
        assert stack[0].line in calls["<module>", "main"], stack
        if len(stack) > 2:
            assert stack[1].line in calls["main", stack[2].function], stack
        self_time[stack[-1].function] += weight
    for function, share in SHARES.items():
        assert 100 * self_time[function] / total == pytest.approx(share, abs=TOLERANCE[sampler]), self_time

    functions = {row["function"]: row for row in program.json("report", "--view", "functions")["rows"]}
    for function, share in SHARES.items():
        of_total = 100 * functions[function]["self_cpu_ns"] / functions["<module>"]["total_cpu_ns"]
        assert of_total == pytest.approx(share, abs=TOLERANCE[sampler]), functions[function]


def test_time_weights_add_up_to_the_cpu_time(debian, program, sampler):
    with target(debian, "burn_70_20_10.py") as burner:
        before_ns, cpu_before_ns = time.monotonic_ns(), burner.cpu_ns()
        program.run("attach", "-p", burner.pid, "-d", "3", "-r", 1000, "-q", "--sampler", sampler, "--max-cpu", 100)
        elapsed_ns, cpu_ns = time.monotonic_ns() - before_ns, burner.cpu_ns() - cpu_before_ns
    stacks = collapsed(program.run("export", "-f", "collapsed", "--weight", "samples", "-o", "-").stdout)
    session = program.json("report", "--view", "functions")
    assert sum(stacks.values()) == session["loss"]["recorded"]
    rows = program.json("report", "--view", "threads")["rows"]
    assert sum(row["on_cpu_ns"] for row in rows) == session["loss"]["recorded"] * 1_000_000
    # One busy thread: rate x CPU time, whether recorded or lost. It ran before and after the recording too.
    happened_ns = (session["loss"]["recorded"] + session["loss"]["lost"]) * 1_000_000
    assert 0.95 * duration_ns(program) * cpu_ns / elapsed_ns < happened_ns < 1.02 * cpu_ns
    times = collapsed(program.run("export", "-f", "collapsed", "--weight", "cpu-time", "-o", "-").stdout)
    assert sum(times.values()) == pytest.approx(sum(stacks.values()) * 1_000_000, rel=0.05)
