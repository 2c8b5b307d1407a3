"""Complete tracing: the probe goes in, counts each call, and goes out again."""

import collections
import json
import re
import signal
import time

import pytest
from program import TARGETS, read_line, target


def has_monitoring(interpreter) -> bool:
    """Whether Python tells tools by sys.monitoring what it does, and which tools it tells."""
    return tuple(map(int, interpreter.version.split("."))) >= (3, 12)


def one_round(traced) -> str:
    """Lets the target do its work once; the name of the probe among its tools, or None."""
    traced.say("go")
    word, tool = read_line(traced.process.stdout).split(maxsplit=1)
    assert word == "done"
    return tool.strip()


def traced_round(traced, interpreter) -> None:
    """One while it is traced."""
    assert one_round(traced) == ("pycroscope" if has_monitoring(interpreter) else "None")


def reference(traced) -> dict[str, int]:
    return json.loads(traced.ready.split(maxsplit=1)[1])


def rows_of(program, view, *arguments):
    """What lies outside of the rounds, the target's own loop, left out."""
    shown = program.json("report", "--view", view, *arguments)
    assert shown["loss"]["lost"] == 0, shown["loss"]
    return [row for row in shown["rows"] if "<module>" not in (row["function"], row.get("other_function"))]


def line_of(script: str, text: str) -> int:
    lines = (TARGETS / script).read_text().splitlines()
    (number,) = (at for at, line in enumerate(lines, 1) if text in line)
    return number


def calls(program, traced, session="latest") -> dict[str, int]:
    rows = rows_of(program, "functions", session, "--file", traced.path)
    return {f"{row['function']}:{row['line']}": row["calls"] for row in rows if row["calls"]}


def c_calls(program, traced) -> dict[str, int]:
    rows = rows_of(program, "callers")
    return collections.Counter(
        f"{row['other_function']} {row['function'].partition(' (')[0].rpartition('.')[2]}"
        for row in rows
        if row["file"] is None and row["other_file"] == traced.path
        for _ in range(row["calls"])
    )


def lines(program, traced) -> dict[str, int]:
    hits = collections.Counter()
    for row in rows_of(program, "lines", "--file", traced.path):
        hits[str(row["line"])] += row["hits"]
    return +hits


def instructions(program, traced) -> dict[str, int]:
    hits = collections.Counter()
    for row in rows_of(program, "instructions", "--file", traced.path):
        hits[f"{row['function']}:{row['offset']}"] += row["hits"]
    return hits


def instruction_reference(traced) -> dict[str, int]:
    hits = collections.Counter()
    for place, count in reference(traced)["instructions"].items():
        function, _, offset = place.rsplit(":", 2)
        hits[f"{function}:{offset}"] += count
    return hits


def test_calls_are_those_that_setprofile_sees(interpreter, program):
    with target(interpreter, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q"):
            traced_round(traced, interpreter)
        assert calls(program, traced) == reference(traced)["calls"]
        # What was called before the probe came is there as the caller, and does not count as called.
        edges = program.json("report", "--view", "callers", "--function", "^one_round$")["rows"]
        assert [(row["other_function"], row["calls"]) for row in edges] == [("<module>", 1)], edges
        assert one_round(traced) == "None", "the hooks are out again"
        assert traced.alive()


def test_all_that_is_done_is_what_the_interpreter_tells_others(interpreter, program):
    with target(interpreter, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", "all", "-q"):
            one_round(traced)
        expected = reference(traced)
        assert calls(program, traced) == expected["calls"]
        assert c_calls(program, traced) == expected["c_calls"]
        assert lines(program, traced) == expected["lines"]
        assert instructions(program, traced) == instruction_reference(traced)


@pytest.mark.parametrize("what", ["c-call", "line", "instruction"])
def test_each_collector_works_alone(interpreter, program, what):
    with target(interpreter, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", what, "-q"):
            one_round(traced)
        match what:
            case "c-call":
                rows = program.json("report", "--view", "functions")["rows"]
                assert {row["file"] for row in rows} == {None}
                assert {"list.append": 1, "str.join": 1}.items() <= {
                    row["function"].partition(" (")[0]: min(row["calls"], 1) for row in rows
                }.items()
            case "line":
                assert lines(program, traced) == reference(traced)["lines"]
            case "instruction":
                assert instructions(program, traced) == instruction_reference(traced)
                opcodes = {row["opcode"] for row in rows_of(program, "instructions", "--file", traced.path)}
                assert "FOR_ITER" in opcodes
                assert {"CALL", "CALL_FUNCTION"} & opcodes
                assert not any(map(re.compile("INSTRUMENTED|CACHE|<").match, opcodes)), opcodes


# What trace_rare.py raises: type, function where raised, function where caught, how often, frames that it left.
RAISED = {
    ("AttributeError", "Dynamic.__getattr__", None): (7, None),  # hasattr() takes it
    ("KeyError", "raise_one", "raise_many"): (5, 10),
    ("ValueError", "cleaning_up", "cleaning_up"): (1, 0),
    ("OSError", "raise_one", "raise_many"): (1, 2),
    ("IndexError", "raise_one", "raise_many"): (1, 1),
    ("RuntimeError", "raise_many", "raise_many"): (1, 0),
    ("ZeroDivisionError", "raise_many", "raise_many"): (1, 0),
    ("StopIteration", "raise_many", "raise_many"): (1, 0),
    ("ModuleNotFoundError", "_find_and_load_unlocked", "<module>"): (1, 2),
}


@pytest.mark.parametrize("what", ["gc,import,exception", "call,gc,import,exception"])
def test_collections_imports_and_exceptions_are_all_there(interpreter, program, what):
    with target(interpreter, "trace_rare.py") as traced:
        with program.recording(traced.pid, "--trace", what, "-q"):
            traced.say("go")
            did = json.loads(read_line(traced.process.stdout).split(maxsplit=1)[1])
        runs = rows_of(program, "gc")
        keys = ("generation", "collected", "uncollectable")
        expected = [{key: run[key] for key in keys} for run in did["gc"]]
        assert [{key: row[key] for key in keys} for row in runs] == expected
        (place,) = {(row["function"], row["line"]) for row in runs}
        assert place == ("collect", line_of("trace_rare.py", "gc.collect(generation)"))
        assert all(row["pause_ns"] > 0 for row in runs)
        package = did["package"]
        imports = {row["module"]: row for row in program.json("report", "--view", "imports")["rows"]}
        parents = {package: "__main__", f"{package}.first": package, f"{package}.second": f"{package}.first"}
        assert {module: row["parent"] for module, row in imports.items()} == parents
        nested = imports[f"{package}.first"]["total_ns"]
        assert imports[package]["self_ns"] == pytest.approx(imports[package]["total_ns"] - nested, abs=1000)
        assert all(row["file"].endswith(".py") for row in imports.values())
        found = {}
        raised = {(kind, interpreter.name_of(where), caught): figures for (kind, where, caught), figures in RAISED.items()}
        for row in program.json("report", "--view", "exceptions")["rows"]:
            place = (row["type"], row["function"], row["caught_function"])
            if place in raised:
                found[place] = (row["raised"], row["frames_unwound"] if raised[place][1] is not None else None)
        assert found == raised
        (zero,) = (row for row in program.json("report", "--view", "exceptions")["rows"] if row["type"] == "ZeroDivisionError")
        assert zero["line"] == line_of("trace_rare.py", "1 / 0")
        # Before 3.10 what a `with` ends with belongs to its last line.
        is_at_with = tuple(map(int, interpreter.version.split("."))) >= (3, 10)
        catching = "suppress(ZeroDivisionError)" if is_at_with else "1 / 0"
        assert zero["caught_line"] == line_of("trace_rare.py", catching)


def done(traced):
    traced.say("go")
    word, what = read_line(traced.process.stdout).split(maxsplit=1)
    assert word == "done"
    return json.loads(what)


def test_what_was_called_before_ends_as_it_does(interpreter, program):
    with target(interpreter, "trace_standing.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q"):
            traced.say("go")
            assert read_line(traced.process.stdout) == "done\n"
        edges = {
            (row["other_function"], row["function"]): row["calls"]
            for row in program.json("report", "--view", "callers")["rows"]
        }
        expected = {
            ("inner", "leaf"): 1,
            ("inner", "generator"): 1,
            ("outer", "generator"): 2,
            ("outer", "phase"): 1,
            ("main", "phase"): 2,
            ("phase", "leaf"): 30,
            ("generator", "leaf"): 2,
        }
        # What reads the input is the library's.
        own = {"leaf", "generator", "phase", "inner", "outer", "main"}
        assert {edge: calls for edge, calls in edges.items() if calls and own.issuperset(edge)} == expected


@pytest.mark.parametrize("what", ["call", "line", "import"])
def test_recursion_goes_as_deep_as_without_the_probe(interpreter, program, what):
    # Before 3.11 Python itself uses the C stack for each call.
    needs_c_stack = tuple(map(int, interpreter.version.split("."))) < (3, 11)
    depths = ("5000", "50") if needs_c_stack else ("100000", "20000")
    with target(interpreter, "trace_deep.py", *depths) as traced:
        expected = done(traced)
        with program.recording(traced.pid, "--trace", what, "-q"):
            assert done(traced) == expected
            assert done(traced) == expected
        assert done(traced) == expected


@pytest.mark.parametrize("what", ["call", "c-call", "call,c-call", "call,line"])
def test_threads_of_all_ages_are_traced(interpreter, program, what):
    with target(interpreter, "trace_threads.py") as traced:
        with program.recording(traced.pid, "--trace", what, "-q"):
            done(traced)
        rows = {row["function"]: row["calls"] for row in rows_of(program, "functions")}
        if "c-call" in what:
            assert rows["ord (builtins)"] == 400
        if what != "c-call":
            assert rows["work"] == 400
            assert rows["born"] == 2


@pytest.mark.parametrize(("own", "refused"), [("settrace", "line"), ("setprofile", "c-call")])
def test_a_function_that_traces_already_is_left_alone(interpreter, program, own, refused):
    with target(interpreter, "trace_threads.py", own) as traced:
        assert done(traced) == {"told": 100, "is_own": True}
        if not has_monitoring(interpreter):
            sentence = program.refuses("attach", "-p", traced.pid, "--trace", refused, "-q", code=1)
            assert "has set a function" in sentence
            assert done(traced) == {"told": 100, "is_own": True}
        with program.recording(traced.pid, "--trace", "call", "-q"):
            assert done(traced) == {"told": 100, "is_own": True}
        rows = {row["function"]: row["calls"] for row in rows_of(program, "functions")}
        assert rows["work"] == 400
        assert done(traced) == {"told": 100, "is_own": True}


def test_rounds_in_and_out_leave_the_target_as_it_was(interpreter, program):
    with target(interpreter, "trace_calls.py") as traced:
        for number in range(5):
            with program.recording(traced.pid, "--trace", "call", "-q", "--name", f"round-{number}"):
                one_round(traced)
        for number in range(5):
            assert calls(program, traced, f"round-{number}") == reference(traced)["calls"]
        assert one_round(traced) == "None"


@pytest.mark.parametrize("what", ["busy", "sleeping", "receiving", "compressing"])
def test_whatever_the_target_does_it_is_traced_and_goes_on(interpreter, program, what):
    if what == "compressing" and interpreter.name.startswith("musl"):
        pytest.skip("built without zlib")
    with target(interpreter, "trace_states.py", what) as traced:
        for _ in range(5):
            program.run("attach", "-p", traced.pid, "--trace", "call", "-d", "0.3", "-q")
            assert traced.alive()
        before = traced.cpu_ns()
        time.sleep(0.5)
        assert traced.alive()
        if what in ("busy", "compressing"):
            assert traced.cpu_ns() > before


def test_the_target_frees_itself_from_a_recorder_that_was_killed(interpreter, program):
    with target(interpreter, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q") as recording:
            traced_round(traced, interpreter)
            recording.process.kill()
            recording.end(code=-signal.SIGKILL, sent=None)
        time.sleep(1.5)
        assert one_round(traced) == "None"
        with program.recording(traced.pid, "--trace", "call", "-q", "--name", "again"):
            one_round(traced)
        assert calls(program, traced, "again") == reference(traced)["calls"]


def test_a_target_that_ends_is_kept_to_its_end(interpreter, program):
    with target(interpreter, "trace_calls.py") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q") as recording:
            one_round(traced)
            traced.process.stdin.close()
            traced.process.wait()
            recording.end(sent=None)
        assert calls(program, traced) == reference(traced)["calls"]
    assert program.json("sessions", "show")["end_reason"] == "target exited"


def test_what_cannot_be_traced_is_said(interpreter, program):
    with target(interpreter, "trace_calls.py") as traced:
        assert "choose call, c-call" in program.refuses("attach", "-p", traced.pid, "--trace", "lines", code=2)
        assert "not sampled as well" in program.refuses("attach", "-p", traced.pid, "--trace", "call", "--mode", "wall", code=2)
        with program.recording(traced.pid, "--trace", "call", "-q"):
            sentence = program.refuses("attach", "-p", traced.pid, "--trace", "call", "-q", code=1)
            assert "another Pycroscope" in sentence
            one_round(traced)
        assert calls(program, traced) == reference(traced)["calls"]
