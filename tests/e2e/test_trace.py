"""Complete tracing: the probe goes in, counts each call, and goes out again."""

import json
import signal
import time

import pytest
from program import read_line, target

OLDEST = (3, 12)


def can_be_traced(interpreter) -> bool:
    return tuple(map(int, interpreter.version.split("."))) >= OLDEST


@pytest.fixture
def traceable(interpreter):
    if not can_be_traced(interpreter):
        pytest.skip("tracing needs Python 3.12 or later")
    return interpreter


def one_round(traced) -> str:
    """Lets the target do its work once; what sys.monitoring says of the tool that profilers use."""
    traced.say("go")
    word, tool = read_line(traced.process.stdout).split(maxsplit=1)
    assert word == "done"
    return tool.strip()


def reference(traced) -> dict[str, int]:
    return json.loads(traced.ready.split(maxsplit=1)[1])


def calls(program, traced, session="latest") -> dict[str, int]:
    view = program.json("report", session, "--view", "functions", "--file", traced.path)
    assert view["loss"]["lost"] == 0, view["loss"]
    return {f"{row['function']}:{row['line']}": row["calls"] for row in view["rows"] if row["calls"]}


def test_calls_are_those_that_setprofile_sees(traceable, program):
    with target(traceable, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q"):
            assert one_round(traced) == "pycroscope"
        assert calls(program, traced) == reference(traced)
        # What was called before the probe came is there as the caller, and does not count as called.
        edges = program.json("report", "--view", "callers", "--function", "^one_round$")["rows"]
        assert [(row["other_function"], row["calls"]) for row in edges] == [("<module>", 1)], edges
        assert one_round(traced) == "None", "the hooks are out again"
        assert traced.alive()


def test_rounds_in_and_out_leave_the_target_as_it_was(traceable, program):
    with target(traceable, "trace_calls.py") as traced:
        for number in range(5):
            with program.recording(traced.pid, "--trace", "call", "-q", "--name", f"round-{number}"):
                one_round(traced)
        for number in range(5):
            assert calls(program, traced, f"round-{number}") == reference(traced)
        assert one_round(traced) == "None"


@pytest.mark.parametrize("what", ["busy", "sleeping", "receiving", "compressing"])
def test_whatever_the_target_does_it_is_traced_and_goes_on(traceable, program, what):
    if what == "compressing" and traceable.name.startswith("musl"):
        pytest.skip("built without zlib")
    with target(traceable, "trace_states.py", what) as traced:
        for _ in range(5):
            program.run("attach", "-p", traced.pid, "--trace", "call", "-d", "0.3", "-q")
            assert traced.alive()
        before = traced.cpu_ns()
        time.sleep(0.5)
        assert traced.alive()
        if what in ("busy", "compressing"):
            assert traced.cpu_ns() > before


def test_the_target_frees_itself_from_a_recorder_that_was_killed(traceable, program):
    with target(traceable, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q") as recording:
            assert one_round(traced) == "pycroscope"
            recording.process.kill()
            recording.end(code=-signal.SIGKILL, sent=None)
        time.sleep(1.5)
        assert one_round(traced) == "None"
        with program.recording(traced.pid, "--trace", "call", "-q", "--name", "again"):
            one_round(traced)
        assert calls(program, traced, "again") == reference(traced)


def test_a_target_that_ends_is_kept_to_its_end(traceable, program):
    with target(traceable, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q") as recording:
            one_round(traced)
            traced.process.stdin.close()
            traced.process.wait()
            recording.end(sent=None)
        assert calls(program, traced) == reference(traced)
    assert program.json("sessions", "show")["end_reason"] == "target exited"


def test_what_cannot_be_traced_is_said(interpreter, program):
    with target(interpreter, "trace_calls.py") as traced:
        if not can_be_traced(interpreter):
            sentence = program.refuses("attach", "-p", traced.pid, "--trace", "call", code=1)
            assert "3.12 or later" in sentence
            return
        assert "choose call" in program.refuses("attach", "-p", traced.pid, "--trace", "lines", code=2)
        assert "not sampled as well" in program.refuses("attach", "-p", traced.pid, "--trace", "call", "--mode", "wall", code=2)
        with program.recording(traced.pid, "--trace", "call", "-q"):
            sentence = program.refuses("attach", "-p", traced.pid, "--trace", "call", "-q", code=1)
            assert "another Pycroscope" in sentence
            one_round(traced)
        assert calls(program, traced) == reference(traced)
