"""From when on a program is traced, what of it, and what happens when the recorder does not keep up."""

import collections
import os
import signal
import subprocess
import time

import pytest
from program import read_line, target

# Recursion whose calls are known, and a line that runs a thousand times.
PROGRAM = """
import sys
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def loop():
    for i in range(1000):
        i += 1
fib(15)
loop()
sys.exit(7)
"""
FIB_15 = 1973


def run(program, *command, options=(), **more) -> subprocess.CompletedProcess:
    arguments = program.command("run", "-q", *options, "--", *command)
    return subprocess.run(arguments, env=program.environment(), capture_output=True, text=True, timeout=60, **more)


def own_rows(program, view: str, *arguments) -> list[dict]:
    return program.json("report", "--view", view, "--file", "<string>", *arguments)["rows"]


def counts(program) -> dict[str, int]:
    return {row["function"]: row["calls"] for row in own_rows(program, "functions")}


def test_a_command_is_traced_from_its_first_bytecode(traceable, program):
    result = run(program, *traceable.command("-c", PROGRAM), options=("--trace", "call,line"))
    assert (result.returncode, result.stderr) == (7, ""), result
    assert counts(program) == {"<module>": 1, "fib": FIB_15, "loop": 1}
    lines = {row["line"]: row["hits"] for row in own_rows(program, "lines") if row["hits"]}
    assert lines == {2: 1, 3: 1, 4: FIB_15, 5: 1, 6: 1001, 7: 1000, 8: 1, 9: 1, 10: 1}
    session = program.json("sessions", "show")
    assert session["python"].startswith(traceable.version)
    assert session["lost"] == 0


def test_wrappers_and_programs_that_are_no_python_run_as_without_us(traceable, program):
    words = " ".join(f"'{word}'" for word in traceable.command("-c", PROGRAM))
    assert run(program, "sh", "-c", f"true; exec {words}", options=("--trace", "call")).returncode == 7
    assert counts(program)["fib"] == FIB_15
    assert run(program, "sh", "-c", "kill -USR1 $$; exit 3", options=("--trace", "call")).returncode == 128 + signal.SIGUSR1
    assert run(program, "/nonexistent", options=("--trace", "call")).returncode == 127


def test_a_stopped_recorder_makes_a_thread_wait_that_is_to_block(traceable, program):
    with target(traceable, "trace_burst.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "--on-full", "block", "-q") as recording:
            traced.say("100000")  # more than a ring has room for
            recording.process.send_signal(signal.SIGSTOP)
            time.sleep(0.3)
            recording.process.send_signal(signal.SIGCONT)
            assert read_line(traced.process.stdout) == "done 100000\n"
        view = program.json("report", "--view", "functions", "--function", "^step$")
        assert view["loss"]["lost"] == 0
        assert [row["calls"] for row in view["rows"]] == [100000]


def test_what_a_stopped_recorder_could_not_take_is_counted(traceable, program):
    with target(traceable, "trace_burst.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q") as recording:
            recording.process.send_signal(signal.SIGSTOP)
            traced.say("100000")
            assert read_line(traced.process.stdout) == "done 100000\n"
            recording.process.send_signal(signal.SIGCONT)
        loss = program.json("report", "--view", "functions")["loss"]
        assert loss["by_reason"]["ring_full"] == loss["lost"] > 0
        # The function and the loop around it; the thread begins and ends.
        assert loss["recorded"] + loss["lost"] - 2 in range(200_000, 200_010), loss


def test_files_are_left_out(traceable, program, tmp_path):
    code = "import json\nfor i in range(10): json.dumps([i])\ndef f(): return json.loads('[1]')\nf()"
    for options, shown, hidden in [
        (("--include", "<string>"), "<string>", "json"),
        (("--exclude", "*/json/*", "--exclude", "<frozen*"), "<string>", "json"),
        (("--include", "encoder.py"), "encoder", "<string>"),
    ]:
        result = run(program, *traceable.command("-c", code), options=("--trace", "call,line", *options))
        assert result.returncode == 0, result
        files = {row["file"] for row in program.json("report", "--view", "functions")["rows"] if row["calls"]}
        assert any(shown in file for file in files), files
        assert not any(hidden in file for file in files), files


FORKED = {"child": 5, "work": 5 + 7 + 5 + 5 + 2}


@pytest.mark.parametrize("round", range(3))
def test_children_are_followed_where_that_is_asked_for(traceable, program, round):
    del round  # areas that children use are used again, and some children have ended before anybody looks
    with target(traceable, "trace_forks.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-s", "-q"):
            for _ in range(3):
                traced.say("go")
                assert read_line(traced.process.stdout) == "done\n"
        rows = program.json("report", "--view", "functions", "--file", traced.path, "--group-by", "process")
        assert rows["loss"]["lost"] == 0
        calls = collections.Counter()
        for row in rows["rows"]:
            calls[row["function"]] += row["calls"]
        assert {name: calls[name] for name in FORKED} == {name: 3 * count for name, count in FORKED.items()}
        # Each in its own process.
        processes = {row["pid"] for row in rows["rows"] if row["function"] == "child"}
        assert len(processes) == 15 and traced.pid not in processes
        # A program that a child starts is another Python, which takes a moment to be found.
        assert calls["spawned"] > 0 or traceable.root is not None


def test_children_are_silent_where_it_is_not(traceable, program):
    with target(traceable, "trace_forks.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q"):
            traced.say("go")
            assert read_line(traced.process.stdout) == "done\n"
        rows = program.json("report", "--view", "functions", "--file", traced.path)
        assert rows["loss"]["lost"] == 0
        assert not {row["function"] for row in rows["rows"]} & {"child", "spawned"}


def test_a_line_is_told_of_so_often(traceable, program):
    result = run(program, *traceable.command("-c", PROGRAM), options=("--trace", "line", "--max-hits", "10"))
    assert result.returncode == 7, result
    lines = {row["line"]: row["hits"] for row in own_rows(program, "lines") if row["hits"]}
    assert lines == {2: 1, 3: 1, 4: 10, 5: 1, 6: 10, 7: 10, 8: 1, 9: 1, 10: 1}


@pytest.mark.parametrize(
    "options", [("--on-full", "drop"), ("--include", "x"), ("--max-hits", "5"), ("--trace", "call", "--include", "x" * 5000)]
)
def test_what_cannot_be_asked_for_is_said(debian, program, options):
    program.refuses("attach", "-p", os.getpid(), *options, code=2)
