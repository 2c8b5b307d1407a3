"""Stacks of every shape: deep ones, generators, coroutines, threads born before and after the attach, forks."""

import itertools

import pytest
from program import collapsed, impossible, python_frames, target


def record(program, pid, seconds=2, *arguments):
    """The stacks of a short recording, by samples."""
    program.run("attach", "-p", pid, "-d", seconds, "-r", 1000, "-q", *arguments)
    return python_frames(exported(program))


def exported(program, *arguments):
    return collapsed(program.run("export", "-f", "collapsed", "--weight", "samples", "-o", "-", *arguments).stdout)


def test_deep_stack_keeps_its_leafmost_512_frames(interpreter, program):
    with target(interpreter, "deep.py") as deep:
        stacks = record(program, deep.pid)
    loss = program.json("report", "--view", "functions")["loss"]
    assert loss["truncated"] == loss["recorded"] > 0
    for stack in stacks:
        # A marker for what was cut off may stand in front.
        frames = [frame.function for frame in stack if frame.file]
        assert frames == ["descend"] * 511 + ["spin"]


def test_generators_have_their_callers(interpreter, program):
    with target(interpreter, "generators.py") as generators:
        stacks = record(program, generators.pid)
    names = {tuple(frame.function for frame in stack) for stack in stacks}
    chain = ("<module>", "consume", "outer_generator", "inner_generator", "crunch")
    assert chain in names
    assert all(stack == chain[: len(stack)] for stack in names), names


def test_coroutines_have_their_awaiters(interpreter, program):
    with target(interpreter, "coroutines.py") as coroutines:
        stacks = record(program, coroutines.pid)
    served = sum(n for stack, n in stacks.items() if [f.function for f in stack[-3:]] == ["serve", "handle", "crunch"])
    polled = sum(n for stack, n in stacks.items() if [f.function for f in stack[-2:]] == ["poll", "crunch"])
    assert served > polled > 0
    for stack in stacks:
        own = tuple(frame for frame in stack if frame.file.endswith("coroutines.py"))
        for caller, callee in itertools.pairwise(own[1:]):
            assert (caller.function, callee.function) in {
                ("serve", "handle"),
                ("handle", "crunch"),
                ("poll", "crunch"),
            }, stack


def test_threads_born_later_are_seen_with_their_names(interpreter, program):
    with target(interpreter, "threads.py") as threads, program.recording(threads.pid, "-r", 1000) as recording:
        threads.say("late-one")
        threads.process.stdout.readline()
        with pytest.raises(Exception, match="timed out"):
            recording.process.wait(3)
        recording.end()
    rows = {row["name"]: row for row in program.json("report", "--view", "threads")["rows"]}
    assert {"early-one", "early-two", "late-one"} <= set(rows), rows
    for name in ("early-one", "early-two", "late-one"):
        assert rows[name]["samples"] > 0 and rows[name]["pid"] == threads.pid
    by_thread = exported(program, "--threads")
    functions = {"early-one": "early_one", "early-two": "early_two", "late-one": "late"}
    for stack in by_thread:
        name = stack[0].function
        if name in functions and any(frame.file for frame in stack):
            assert functions[name] in {frame.function for frame in stack}, stack


def test_forked_child_is_not_mixed_with_its_parent(debian, program):
    with target(debian, "forks.py") as forks:
        stacks = record(program, forks.pid)
    assert stacks
    assert all(not impossible(stack, "forks.py") for stack in stacks)
    assert "child_burns" not in {stack[-1].function for stack in stacks}


def test_forked_child_can_be_recorded_by_itself(debian, program):
    with target(debian, "forks.py") as forks:
        child = int(forks.ready.split()[1])
        stacks = record(program, child)
    assert {stack[-1].function for stack in stacks} == {"child_burns"}
