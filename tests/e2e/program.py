"""Running `pycroscoped` and targets, and reading what it prints."""

from __future__ import annotations

import ast
import collections
import contextlib
import itertools
import json
import os
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from interpreters import Interpreter

PROGRAM = os.environ["PYCROSCOPED"]
TARGETS = Path(__file__).parent.parent / "targets"
READY_SECONDS = 30


def environment(store: Path | None) -> dict[str, str]:
    """This process's environment without what would lead to another store, service or look."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYCROSCOPE_", "XDG_"))}
    kept["NO_COLOR"] = "1"
    if store is not None:
        kept["XDG_STATE_HOME"] = str(store)
        kept["PYCROSCOPE_STORE"] = str(store)
    return kept


def read_line(stream, seconds: float = READY_SECONDS) -> str:
    """The next line of an unbuffered binary stream, or an AssertionError when it does not come."""
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stream], [], [], seconds)
        byte = os.read(stream.fileno(), 1) if ready else b""
        assert byte, f"expected a line within {seconds} s, got {line!r}"
        line += byte
    return line.decode()


class Target:
    """A running target that has said "ready"."""

    def __init__(self, process: subprocess.Popen, ready: str, path: str):
        self.process = process
        self.pid = process.pid
        self.ready = ready
        self.path = path  # of the script, as the target sees it

    def alive(self) -> bool:
        return self.process.poll() is None

    def say(self, line: str) -> None:
        self.process.stdin.write(line.encode() + b"\n")

    def cpu_ns(self) -> int:
        """What the threads that it has now have spent on CPUs."""
        files = Path(f"/proc/{self.pid}/task").glob("*/schedstat")
        return sum(int(file.read_text().split()[0]) for file in files)

    def state(self) -> str:
        """The state letter of /proc/PID/stat."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]


@contextlib.contextmanager
def running(command: list[str], path: str = "", **options) -> Iterator[Target]:
    """Runs a command that says "ready"; it is killed at the end, and with this process if that dies first."""
    process = subprocess.Popen(
        ["setpriv", "--pdeathsig", "KILL", "--", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        **options,
    )
    try:
        yield Target(process, read_line(process.stdout), path)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


@contextlib.contextmanager
def target(interpreter: Interpreter, script: str, *arguments: str, **options) -> Iterator[Target]:
    """Runs tests/targets/`script` on an interpreter."""
    if interpreter.root is None:
        path = str(TARGETS / script)
        with running(interpreter.command(path, *arguments), path, **options) as started:
            yield started
        return
    folder = interpreter.root / "targets" / uuid.uuid4().hex
    folder.mkdir(parents=True)
    try:
        shutil.copy(TARGETS / script, folder)
        path = f"/targets/{folder.name}/{script}"
        with running(interpreter.command(path, *arguments), path, **options) as started:
            yield started
    finally:
        shutil.rmtree(folder)


class Program:
    """`pycroscoped` on one store."""

    def __init__(self, store: Path | None, *common: str, prefix: tuple[str, ...] = ()):
        self.store = store
        self.common = common  # options added to every command, such as --socket; before a `--`
        self.prefix = prefix  # what starts the program: strace, setpriv, ...
        self.daemon: subprocess.Popen | None = None
        self.log: Path | None = None  # the daemon's stderr

    def command(self, *arguments) -> list[str]:
        words = [*map(str, arguments)]
        end = words.index("--") if "--" in words else len(words)
        return [*self.prefix, PROGRAM, *words[:end], *self.common, *words[end:]]

    def environment(self) -> dict[str, str]:
        return environment(None if "--socket" in self.common else self.store)

    def run(self, *arguments, code: int | None = 0, seconds: float = 120, **options) -> subprocess.CompletedProcess:
        """Runs a command to its end; `code` None accepts any exit code."""
        result = subprocess.run(
            self.command(*arguments),
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            env=self.environment(),
            timeout=seconds,
            **options,
        )
        assert code is None or result.returncode == code, (
            f"{arguments} exited with {result.returncode}, not {code}\n"
            f"stdout: {result.stdout[-2000:]}\nstderr: {result.stderr[-2000:]}"
        )
        return result

    def json(self, *arguments):
        return json.loads(self.run(*arguments, "--json").stdout)

    def refuses(self, *arguments, code: int, **options) -> str:
        """Runs a command that must fail with `code` and exactly one sentence, which is returned."""
        result = self.run(*arguments, code=code, **options)
        lines = result.stderr.splitlines()
        sentences = [line for line in lines if line.startswith("pycroscoped: ")]
        assert len(sentences) == 1 and lines[-1] == sentences[0], f"not one sentence: {result.stderr!r}"
        assert len(lines) == 1, f"more than the one sentence: {result.stderr!r}"
        assert re.fullmatch(r"pycroscoped: \S.*\S", sentences[0]), f"no sentence: {sentences[0]!r}"
        return sentences[0]

    @contextlib.contextmanager
    def recording(self, pid: int, *arguments) -> Iterator[Recording]:
        """An `attach` that is live; it is ended by SIGINT unless the caller has ended it."""
        read_end, write_end = os.pipe()
        process = subprocess.Popen(
            self.command("attach", "-p", pid, "--ready-fd", write_end, *arguments),
            pass_fds=[write_end],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
        )
        os.close(write_end)
        try:
            with open(read_end, "rb", buffering=0) as ready:
                word, session = read_line(ready).split()
            assert word == "ready"
            recording = Recording(process, session)
            yield recording
            recording.end()
        finally:
            if process.poll() is None:
                process.kill()
            process.communicate()


class Recording:
    def __init__(self, process: subprocess.Popen, session: str):
        self.process = process
        self.pid = process.pid
        self.session = session
        self.output: tuple[str, str] | None = None

    def end(self, code: int | None = 0, sent: int | None = signal.SIGINT) -> tuple[str, str]:
        """Ends the recording if it runs and returns stdout and stderr."""
        if self.output is None:
            if sent is not None and self.process.poll() is None:
                self.process.send_signal(sent)
            self.output = self.process.communicate(timeout=60)
            assert code is None or self.process.returncode == code, f"exit {self.process.returncode}: {self.output}"
        return self.output


def duration_ns(program: Program) -> int:
    """Of the latest recording."""
    return program.json("sessions", "show", "latest")["duration_ns"]


@contextlib.contextmanager
def daemon(store: Path, *arguments, prefix: tuple[str, ...] = (), code: int = 0) -> Iterator[Program]:
    """A `pycroscoped serve` on a socket of its own, and the program as its client; it must end with `code`."""
    # Socket paths are limited to 107 bytes: pytest's folders are too deep.
    with tempfile.TemporaryDirectory(prefix="pyc-") as folder:
        os.chmod(folder, 0o755)
        socket = Path(folder) / "socket"
        log = Path(folder) / "log"  # a pipe that nobody reads would hold the daemon up
        with open(log, "wb") as stderr:
            process = subprocess.Popen(
                [*prefix, PROGRAM, "serve", "--socket", str(socket), "--store", str(store), *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stderr=stderr,
                env=environment(None),
            )
        try:
            client = Program(store, "--socket", str(socket))
            wait_for(lambda: process.poll() is None and client.run("sessions", "list", code=None).returncode == 0)
            client.daemon = process
            client.log = log
            yield client
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        assert process.returncode == code, f"serve exited with {process.returncode}: {log.read_text()[-2000:]}"


def wait_for(condition, seconds: float = READY_SECONDS):
    """Polls until the condition yields something true, which is returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {seconds} s in vain"
        time.sleep(0.02)


Frame = collections.namedtuple("Frame", "function file line")


def collapsed(text: str) -> collections.Counter[tuple[Frame, ...]]:
    """The stacks of a collapsed file, root first, with their weights."""
    stacks: collections.Counter[tuple[Frame, ...]] = collections.Counter()
    for row in text.splitlines():
        stack, _, weight = row.rpartition(" ")
        stacks[tuple(parse_frame(frame) for frame in stack.split(";"))] += int(weight)
    return stacks


def parse_frame(text: str) -> Frame:
    """`name (path:line)`, `name (module)`; anything else is a name alone."""
    name, has_place, place = text.partition(" (")
    assert not has_place or place.endswith(")"), f"malformed frame {text!r}"
    path, colon, line = place.removesuffix(")").rpartition(":")
    return Frame(name, path, int(line)) if colon else Frame(name, place.removesuffix(")"), 0)


def python_frames(stacks) -> collections.Counter[tuple[Frame, ...]]:
    """Only the stacks with Python frames."""
    return collections.Counter({stack: n for stack, n in stacks.items() if not stack[-1].function.startswith("[")})


def function_lines(script: str) -> dict[str, range]:
    """The line range of each function of a target, and of its module."""
    source = (TARGETS / script).read_text()
    tree = ast.parse(source)
    lines = {"<module>": range(1, source.count("\n") + 1)}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines[node.name] = range(node.lineno, node.end_lineno + 1)
    return lines


def call_lines(script: str) -> dict[tuple[str, str], set[int]]:
    """(caller, callee) → the lines where a target's function calls another one by its plain name."""
    calls: dict[tuple[str, str], set[int]] = collections.defaultdict(set)

    def visit(node: ast.AST, inside: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call) and isinstance(child.func, ast.Name):
                calls[inside, child.func.id].update(range(child.lineno, child.end_lineno + 1))
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            visit(child, child.name if is_function else inside)

    visit(ast.parse((TARGETS / script).read_text()), "<module>")
    return calls


def impossible(stack: tuple[Frame, ...], script: str) -> str:
    """Why a stack of a target cannot be, or "": a caller that does not call its callee there, a line outside its function."""
    lines, calls = function_lines(script), call_lines(script)
    if stack[0].function != "<module>":
        return f"starts with {stack[0].function}"
    for frame in stack:
        if Path(frame.file).name != script:
            return f"{frame.function} in {frame.file}"
        if frame.line not in lines.get(frame.function, ()):
            return f"line {frame.line} is outside {frame.function}"
    for caller, callee in itertools.pairwise(stack):
        if caller.line not in calls[caller.function, callee.function]:
            return f"{caller.function} does not call {callee.function} in line {caller.line}"
    return ""
