"""Samples know the asyncio task that their thread executes, on every interpreter and by both samplers."""

import collections
import re

import pytest
from program import collapsed, target

SECONDS = 5
SHARES = {"sixty": 60, "thirty": 30, "ten": 10}
UNNAMED = re.compile(r"Task-\d+")
NO_TASK = "[no task]"


def exported(program, *arguments):
    """The stacks by samples, in front of each its task."""
    text = program.run("export", "-f", "collapsed", "--weight", "samples", "--group-by", "task", "-o", "-", *arguments).stdout
    stacks = collections.Counter()
    for stack, weight in collapsed(text).items():
        task = stack[0].function
        stacks[None if task == NO_TASK else task.removeprefix("task="), tuple(frame.function for frame in stack[1:])] += weight
    return stacks


def coroutine_of(stack) -> str | None:
    """The coroutine of a task that a stack is in."""
    return next((name for name in stack if name in SHARES), None)


def is_free_threaded(interpreter) -> bool:
    return "free-threaded" in interpreter.name


def fits(task: str, coroutine: str, prefix: str) -> bool:
    return bool(UNNAMED.fullmatch(task)) if coroutine == "ten" else task == prefix + coroutine


def check_each(stacks, prefix: str = "") -> None:
    """Whatever is in a coroutine is of its task, and what is outside of all has none."""
    missing = 0
    for (task, stack), weight in stacks.items():
        coroutine = coroutine_of(stack)
        if coroutine and task is not None:
            assert fits(task, coroutine, prefix), (task, stack)
        missing += weight if coroutine and task is None else 0
        assert task is None or "outside" not in stack, (task, stack)
    assert missing / sum(stacks.values()) < 0.005, stacks


def check_shares(stacks) -> None:
    inside = collections.Counter()
    for (task, stack), weight in stacks.items():
        inside[coroutine_of(stack)] += weight if task is not None else 0
    del inside[None]  # a task that is about to run, or has just run
    for coroutine, share in SHARES.items():
        assert 100 * inside[coroutine] / sum(inside.values()) == pytest.approx(share, abs=2), inside
    outside = sum(weight for (_, stack), weight in stacks.items() if "outside" in stack)
    assert 100 * outside / sum(stacks.values()) == pytest.approx(20, abs=2), stacks


def test_each_task_has_its_share(interpreter, program, sampler):
    with target(interpreter, "tasks.py") as tasks:
        program.run("attach", "-p", tasks.pid, "-d", SECONDS, "-r", 1000, "-q", "--sampler", sampler)
    stacks = exported(program)
    check_each(stacks)
    check_shares(stacks)
    rows = program.json("report", "--view", "functions", "--label", "task=sixty")["rows"]
    functions = {row["function"] for row in rows}
    assert "sixty" in functions and not functions & {"thirty", "ten", "outside"}


def test_each_thread_has_its_own_tasks(interpreter, program, sampler):
    with target(interpreter, "tasks.py", "threads") as tasks:
        program.run("attach", "-p", tasks.pid, "-d", 3, "-r", 1000, "-q", "--sampler", sampler)
    for thread in ("left", "right"):
        stacks = exported(program, "--thread", thread)
        check_each(stacks, thread + "-")
        assert {f"{thread}-sixty", f"{thread}-thirty"} < {task for task, _ in stacks}
    assert {task for task, _ in exported(program, "--thread", "plain")} == {None}


def test_asyncio_may_be_imported_after_the_attach(interpreter, program, sampler):
    with target(interpreter, "tasks.py", "late") as tasks:
        with program.recording(tasks.pid, "-d", SECONDS, "-r", 1000, "-q", "--sampler", sampler) as recording:
            tasks.say("go")
            recording.end(sent=None)
    stacks = exported(program)
    known = sum(weight for (task, stack), weight in stacks.items() if task is not None and coroutine_of(stack))
    inside = sum(weight for (_, stack), weight in stacks.items() if coroutine_of(stack))
    # Some ticks pass until it is found.
    assert known / inside > 0.95, stacks


def test_waits_have_their_task(interpreter, program):
    with target(interpreter, "tasks.py", "threads") as tasks:
        program.run("attach", "-p", tasks.pid, "-d", 3, "-r", 1000, "-q", "--mode", "wall")
    stacks = exported(program, "--thread", "left", "--label", "wait=cpu" if is_free_threaded(interpreter) else "wait=gil")
    check_each(stacks, "left-")
    assert any(task == "left-sixty" for task, _ in stacks)
