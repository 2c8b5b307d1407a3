"""No stack that cannot be and no wrong name, on targets made to provoke them."""

import collections
import itertools

import pytest
from program import collapsed, impossible, python_frames, target

SAMPLES = {"ebpf": 30_000, "reads": 300}  # full_long.py takes more
RATES = {"ebpf": 10_000, "reads": 2_000}
# On a busy machine the target needs longer for that much CPU time.
pytestmark = pytest.mark.timeout(400)


def record(program, pid, samples, sampler, attempts=30, seconds=4):
    """Stacks of at least `samples` samples, and the loss of all recordings."""
    stacks, loss = collections.Counter(), collections.Counter()
    for attempt in range(attempts):
        name = f"exact-{attempt}"
        options = ["-r", RATES[sampler], "--sampler", sampler, "--max-cpu", 100, "--name", name, "-q"]
        program.run("attach", "-p", pid, "-d", seconds, *options)
        exported = program.run("export", name, "-f", "collapsed", "--weight", "samples", "-o", "-").stdout
        stacks += collapsed(exported)
        report = program.json("report", name, "--view", "threads")["loss"]
        loss.update({"recorded": report["recorded"], "lost": report["lost"]})
        loss.update({f"lost: {reason}": count for reason, count in report["by_reason"].items()})
        if loss["recorded"] >= samples:
            break
    assert loss["recorded"] >= samples, loss
    assert sum(stacks.values()) == loss["recorded"]
    return stacks, loss


def test_alternating_call_chains_never_mix(interpreter, program, sampler):
    with target(interpreter, "alternate.py") as alternator:
        stacks, loss = record(program, alternator.pid, SAMPLES[sampler], sampler)
    wrong = {stack: why for stack in stacks if (why := impossible(stack, "alternate.py"))}
    count = sum(stacks[stack] for stack in wrong)
    print(f"{count} impossible of {sum(stacks.values())}", loss)
    # Reads from outside see a target that moves: what changes between them is discarded, which of a target that does
    # nothing but call and return is nearly all.
    may_be_lost = {"ebpf": 0.01, "reads": 0.999}[sampler]
    assert count == 0, wrong
    # A busy machine's timers come late, whoever has set them.
    late = loss["lost: late_tick"]
    assert loss["lost"] - late <= may_be_lost * (loss["recorded"] + loss["lost"]), loss
    assert late <= 0.2 * (loss["recorded"] + loss["lost"]), loss
    if sampler == "ebpf":
        leaves = {stack[-1].function for stack in stacks}
        assert leaves >= {"leaf_a", "leaf_b", "middle_a", "middle_b", "outer_a", "outer_b", "main"}
    else:
        # What stands still for some reads is kept: hardly ever a leaf that returns at once.
        seen = {frame.function for stack in stacks for frame in stack}
        assert seen & {"middle_a", "middle_b", "outer_a", "outer_b"}, seen


def test_dropped_functions_never_lend_their_names(interpreter, program, sampler):
    # Reads take a code object that they have not seen before only when it stays for some of them.
    times = {"ebpf": 1, "reads": 20}[sampler]
    with target(interpreter, "make_functions.py", str(times)) as maker:
        stacks, loss = record(program, maker.pid, {"ebpf": 6_000, "reads": 200}[sampler], sampler)
    made = 0
    for stack, weight in python_frames(stacks).items():
        for caller, frame in itertools.pairwise(stack):
            if frame.function.startswith("made_"):
                made += weight
                assert frame.file == f"{frame.function}.py", stack
                assert frame.function.endswith(f"_by_{caller.function}"), stack
                number = int(frame.function.split("_")[1])
                assert 1 <= frame.line <= number % 7 + 4, stack
    # The point is to see such functions, not to discard them all; most of the time goes into compiling them.
    assert made > 0.05 * loss["recorded"], (made, loss)
