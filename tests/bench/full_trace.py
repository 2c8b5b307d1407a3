"""What tracing all calls adds to a call, beside cProfile and sys.setprofile in the same process in the same minute."""

import statistics
from pathlib import Path

import pytest
from interpreters import is_there, wanted
from measure import table
from program import Program, read_line, target

ROUNDS = 15
# Of what cProfile adds to a call, at most.
LIMIT = 0.45


def ns_a_call(traced, how: str) -> float:
    traced.say(how)
    took, calls = read_line(traced.process.stdout).split()
    return int(took) / int(calls)


def measure(interpreter, folder: Path) -> dict[str, float]:
    """What each way adds to a call and its return, in ns: medians of rounds that take turns."""
    program = Program(folder)
    added: dict[str, list[float]] = {"pycroscope": [], "cprofile": [], "setprofile": []}
    after = []
    with target(interpreter, "trace_cost.py") as traced:
        for _ in range(3):
            ns_a_call(traced, "plain")
        for _ in range(ROUNDS):
            plain = ns_a_call(traced, "plain")
            for other in ("cprofile", "setprofile"):
                added[other].append(ns_a_call(traced, other) - plain)
            with program.recording(traced.pid, "--trace", "call", "-q"):
                ns_a_call(traced, "plain")  # the bytecode is instrumented when it is executed for the first time
                added["pycroscope"].append(ns_a_call(traced, "plain") - plain)
            ns_a_call(traced, "plain")
            after.append(ns_a_call(traced, "plain") / plain)
    return {name: statistics.median(values) for name, values in added.items()} | {"after": statistics.median(after)}


def test_what_a_traced_call_costs(tmp_path):
    interpreters = [each for each in wanted() if is_there(each) and tuple(map(int, each.version.split("."))) >= (3, 12)]
    if not interpreters:
        pytest.skip("no interpreter that can be traced is here")
    results = {each.name: measure(each, tmp_path / each.name) for each in interpreters}
    rows = [
        [name, *(f"{result[way]:.0f}" for way in ("pycroscope", "cprofile", "setprofile")),
         f"{result['pycroscope'] / result['cprofile']:.2f}", f"{result['after']:.3f}"]
        for name, result in results.items()
    ]  # fmt: skip
    ways = ["pycroscope", "cProfile", "setprofile"]
    header = ["ns added to a call", *ways, f"of cProfile's; limit {LIMIT}", "time after of before"]
    table("fib, calls and returns", header, rows)
    for name, result in results.items():
        assert 0.9 < result["after"] < 1.1, (name, result)
