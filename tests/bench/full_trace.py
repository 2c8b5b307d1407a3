"""What tracing adds, beside cProfile and a Python sys.settrace function in the same process in the same minute."""

import json
import math
import statistics
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from interpreters import CACHE, Interpreter, is_there, wanted
from measure import table
from program import Program, Target, read_line, target

SUITE = CACHE / "pyperformance-1.14"
PROGRAMS = [
    "richards", "deltablue", "raytrace", "chaos", "float", "go", "hexiom", "spectral_norm", "deepcopy", "generators",
    "coroutines", "json_dumps",
]  # fmt: skip
ROUNDS = 5
# Of what cProfile, and settrace, add, at most; before 3.12 and since then.
CALL_LIMITS, CALLS_LIMIT, LINE_LIMITS = (0.25, 0.45), 0.7, (0.6, 0.6)


def suite() -> Path:
    """The benchmarks of pyperformance, unpacked."""
    if not SUITE.exists():
        folder = SUITE.with_suffix(".new")
        folder.mkdir(parents=True, exist_ok=True)
        wheel = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "pyperformance==1.14.*"]
        subprocess.run(wheel, check=True)
        (file,) = folder.glob("*.whl")
        zipfile.ZipFile(file).extractall(folder)
        folder.rename(SUITE)
    return SUITE / "pyperformance/data-files/benchmarks"


def run_once(traced: Target, program: str, how: str) -> int:
    traced.say(f"{program} {how}")
    return int(read_line(traced.process.stdout))


class Costs:
    """Medians of rounds in which the ways to execute a program take turns."""

    def __init__(self, traced: Target, folder: Path, program: str, collectors: list[str], peers: list[str]):
        ours = Program(folder)
        added: dict[str, list[float]] = {name: [] for name in [*collectors, *peers]}
        ratios: dict[str, list[float]] = {name: [] for name in added}
        plains, afters, losses = [], [], []
        run_once(traced, program, "plain")
        for _ in range(ROUNDS):
            plain = run_once(traced, program, "plain")
            took = {peer: run_once(traced, program, peer) for peer in peers}
            for what in collectors:
                with ours.recording(traced.pid, "--trace", what, "-q"):
                    run_once(traced, program, "plain")  # the bytecode is instrumented when it is executed first
                    took[what] = run_once(traced, program, "plain")
                run_once(traced, program, "plain")
                afters.append(run_once(traced, program, "plain") / plain)
                if what == collectors[0]:
                    loss = ours.json("report", "--view", "threads")["loss"]
                    losses.append(loss["lost"] / max(loss["lost"] + loss["recorded"], 1))
            plains.append(plain)
            for name, ns in took.items():
                added[name].append(ns - plain)
                ratios[name].append(ns / plain)
        self.plain = statistics.median(plains)
        self.added = {name: statistics.median(values) for name, values in added.items()}
        self.slowdown = {name: statistics.median(values) for name, values in ratios.items()}
        self.after = statistics.median(afters)
        self.lost = statistics.median(losses)  # with the first collector

    def share(self, name: str, peer: str) -> str:
        return f"{self.added[name] / self.added[peer]:.2f}"


@pytest.fixture(scope="module")
def traceable() -> list[Interpreter]:
    found = [each for each in wanted() if is_there(each) and each.name != "embed-3.11"]
    if not found:
        pytest.skip("no interpreter that can be traced is here")
    return found


def limit(limits: tuple[float, float], interpreter: Interpreter) -> float:
    return limits[tuple(map(int, interpreter.version.split("."))) >= (3, 12)]


def test_what_a_call_and_a_line_cost(tmp_path, traceable):
    calls, lines, instructions = [], [], []
    for interpreter in traceable:
        with target(interpreter, "trace_cost.py") as traced:
            count = json.loads(traced.ready.split(maxsplit=1)[1])
            ways = ["call", "call,c-call", "instruction", "all"]
            fib = Costs(traced, tmp_path / "fib", "fib", ways, ["cprofile", "settrace"])
            loop = Costs(traced, tmp_path / "loop", "loop", ["line", "call", "all"], ["settrace"])
            mix = Costs(traced, tmp_path / "mix", "mix", ["call", "call,c-call"], ["cprofile-builtins"])
        each = [interpreter.name, *(f"{fib.added[way] / count['fib calls']:.0f}" for way in ("call", "cprofile"))]
        calls.append([*each, f"{fib.share('call', 'cprofile')} ({limit(CALL_LIMITS, interpreter)})",
                      f"{mix.share('call,c-call', 'cprofile-builtins')} ({CALLS_LIMIT})", f"{mix.slowdown['call']:.2f}",
                      f"{fib.after:.3f}", f"{fib.lost:.1%}"])  # fmt: skip
        each = [interpreter.name, *(f"{loop.added[way] / count['loop lines']:.0f}" for way in ("line", "settrace"))]
        lines.append([*each, f"{loop.share('line', 'settrace')} ({limit(LINE_LIMITS, interpreter)})",
                      f"{loop.slowdown['call']:.3f}", f"{loop.after:.3f}"])  # fmt: skip
        instructions.append([interpreter.name, f"{fib.slowdown['instruction']:.1f} (10)", f"{fib.slowdown['all']:.1f}",
                             f"{fib.slowdown['settrace']:.1f}"])  # fmt: skip
        assert 0.85 < fib.after < 1.15, (interpreter.name, fib.after)
    header = ["interpreter", "ns a call", "cProfile", "of it (limit)", "mix: call,c-call of it", "call, x", "after", "lost"]
    table("fib and a json/regex/str mix: what calls and their returns add", header, calls)
    header = ["interpreter", "ns a line", "settrace", "of it (limit)", "call, x", "after"]
    table("a numeric loop: what lines add", header, lines)
    table("fib: times as slow", ["interpreter", "instruction (limit)", "all", "settrace"], instructions)


def test_what_programs_take(tmp_path, traceable):
    folder = suite()
    ways = ["call", "call,c-call", "cprofile-builtins"]
    rows, means = [], []
    for interpreter in traceable:
        if interpreter.root is not None:
            continue  # it cannot see the folder
        slowdowns: dict[str, list[float]] = {way: [] for way in ways}
        with target(interpreter, "trace_cost.py", str(folder)) as traced:
            for program in PROGRAMS:
                costs = Costs(traced, tmp_path / program, program, ways[:2], ways[2:])
                for way in ways:
                    slowdowns[way].append(costs.slowdown[way])
                each = [f"{costs.slowdown[way]:.2f}" for way in ways]
                rows.append([interpreter.name, program, *each, f"{costs.lost:.1%}"])
        each = [f"{math.exp(statistics.fmean(map(math.log, slowdowns[way]))):.2f}" for way in ways]
        means.append([interpreter.name, *each])
    header = ["interpreter", "program", "call", "call,c-call", "cProfile", "lost"]
    table("programs of pyperformance: times as slow", header, rows)
    table("their geometric means (call on 3.11: at most 1.4)", ["interpreter", "call", "call,c-call", "cProfile"], means)
