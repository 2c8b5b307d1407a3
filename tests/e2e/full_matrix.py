"""What works on which interpreter, as a table: each cell is run."""

import collections
import subprocess

import pytest
from interpreters import Interpreter, is_there, wanted
from program import collapsed, duration_ns, function_lines, python_frames, target
from test_children import child_samples, record_children
from test_core import check_gcore
from test_waiting import is_free_threaded

FEATURES = {}


def feature(check):
    FEATURES[check.__name__.replace("_", " ")] = check
    return check


def burn(interpreter: Interpreter, program, *options):
    with target(interpreter, "burn_70_20_10.py") as burner:
        program.run("attach", "-p", burner.pid, "-d", "2", "-r", 500, "-q", *options)
    return python_frames(collapsed(program.run("export", "-f", "collapsed", "--weight", "samples", "-o", "-").stdout))


@feature
def attach(interpreter, program, folder):
    assert sum(burn(interpreter, program).values()) > 100


@feature
def names(interpreter, program, folder):
    leaves = {stack[-1].function for stack in burn(interpreter, program)}
    assert {"burn_70", "burn_20", "burn_10"} <= leaves <= {"burn_70", "burn_20", "burn_10", "main", "<module>"}


@feature
def lines(interpreter, program, folder):
    inside = function_lines("burn_70_20_10.py")
    for stack in burn(interpreter, program):
        assert all(frame.line in inside[frame.function] for frame in stack), stack


@feature
def dump_locals(interpreter, program, folder):
    with target(interpreter, "locals.py") as holder:
        dump = program.json("dump", "--locals", "-p", holder.pid)
    assert any(frame["locals"] for thread in dump["threads"] for frame in thread["frames"])


def shares_of_waiting(interpreter, program, *options):
    with target(interpreter, "waiting.py", "contended") as waiting:
        program.run("attach", "-p", waiting.pid, "-d", "2", "-r", 500, "-q", *options)
    return program.json("report", "--view", "threads")


@feature
def wall(interpreter, program, folder):
    view = shares_of_waiting(interpreter, program, "--mode", "wall")
    lost_ns = view["loss"]["lost"] * 10**9 // 500
    for row in view["rows"]:
        if row["name"].startswith("burner"):
            told, elapsed_ns = row["on_cpu_ns"] + row["off_cpu_ns"], duration_ns(program)
            assert told == pytest.approx(elapsed_ns, abs=0.02 * elapsed_ns + lost_ns), (row, view["loss"])


@feature
def gil(interpreter, program, folder):
    rows = shares_of_waiting(interpreter, program, "-g")["rows"]
    samples = sum(row["samples"] for row in rows if row["name"].startswith("burner"))
    most = 2 if is_free_threaded(interpreter) else 1
    assert 0.45 * most < samples / (duration_ns(program) * 500 / 1e9) < 1.05 * most


@feature
def children(interpreter, program, folder):
    parent = record_children(program, interpreter, 5, "spawn")
    assert len(child_samples(program).keys() - {parent}) == 5


@feature
def no_ebpf(interpreter, program, folder):
    leaves = collections.Counter()
    for stack, count in burn(interpreter, program, "--sampler", "reads").items():
        leaves[stack[-1].function] += count
    assert leaves["burn_70"] / sum(leaves.values()) == pytest.approx(0.7, abs=0.06)


@feature
def core_file(interpreter, program, folder):
    check_gcore(interpreter, program, folder)


def outcome(check, interpreter, program, folder) -> str:
    if not is_there(interpreter):
        return "missing"
    try:
        check(interpreter, program, folder)
    except (AssertionError, subprocess.SubprocessError, LookupError) as error:
        print(f"{interpreter.name}, {check.__name__}: {error}")
        return "FAILS"
    return "ok"


@pytest.mark.timeout(1800)
def test_every_feature_on_every_interpreter(program, tmp_path, capsys):
    table = {
        interpreter.name: [outcome(check, interpreter, program, tmp_path) for check in FEATURES.values()]
        for interpreter in wanted()
    }
    with capsys.disabled():
        print("\n" + "".join(f"{name:>13}" for name in ("", *FEATURES)))
        for name, cells in table.items():
            print("".join(f"{cell:>13}" for cell in (name.removesuffix("/bin/python3")[-13:], *cells)))
    assert not any("FAILS" in cells for cells in table.values()), table
