"""The commands that look at processes and at this machine, and what the program says about itself."""

import json
import os
import pty
import re
import select
import subprocess
import time

import pytest
from program import PROGRAM, Program, daemon, environment, read_line, target


def test_dump_shows_every_frame_with_its_locals(interpreter, either):
    with target(interpreter, "locals.py") as waiting:
        # "ready" comes just before the calls.
        time.sleep(0.3)
        dump = either.json("dump", "--locals", "-p", waiting.pid)
        assert waiting.alive() and waiting.state() == "S"
    assert dump["pid"] == waiting.pid and dump["python"].startswith(interpreter.version)
    [thread] = dump["threads"]
    assert {"tid", "name", "state", "holds_gil", "interpreter", "frames"} <= set(thread)
    assert thread["state"] == "waiting" and thread["tid"] == waiting.pid
    frames = thread["frames"]
    names = [interpreter.name_of("outer.<locals>.wait_with_locals"), "outer", "<module>"]
    assert [frame["function"] for frame in frames] == names
    assert all(frame["file"] == waiting.path for frame in frames)
    values = frames[0]["locals"]
    expected = {
        "count": "7",
        "ratio": "2.5",
        "text": repr("héllo\n"),
        "data": repr(b"\x00ab"),
        "flag": "True",
        "nothing": "None",
        "numbers": "[1, -2, 3]",
        "mapping": repr({"key": (1, "two")}),
        "big": str(10**30),
        "cell": repr("in a cell"),
        "seen": repr("in a cell"),
    }
    for name, text in expected.items():
        assert values[name] == text, (name, values)
    assert re.fullmatch(r"<[\w.]*Opaque at 0x[0-9a-f]+>", values["opaque"])
    assert "unset" not in values


def test_dump_of_threads_says_who_runs(debian, either):
    with target(debian, "threads.py") as threads:
        dump = either.json("dump", "-p", threads.pid)
        text = either.run("dump", "-p", threads.pid).stdout
    assert len(dump["threads"]) == 3
    assert sum(thread["holds_gil"] for thread in dump["threads"]) <= 1
    names = {thread["name"] for thread in dump["threads"]}
    assert {"early-one", "early-two"} <= names
    assert "early_one" in text and "early-two" in text


def test_ps_lists_python_processes_only(interpreter, either):
    with target(interpreter, "alternate.py") as alternator:
        rows = {row["pid"]: row for row in either.json("ps")["rows"]}
        text = either.run("ps").stdout
    assert rows[alternator.pid]["python"].startswith(interpreter.version)
    assert str(alternator.pid) in text
    assert all("python" in " ".join(row["command"]) or row["python"] for row in rows.values())


def test_doctor_explains_what_works(program):
    result = program.run("doctor", code=None)
    assert result.returncode in (0, 1)
    assert len(result.stdout.splitlines()) >= 3


def service_check(program, **options):
    result = program.run("doctor", "--json", code=None, **options)
    [check] = [row for row in json.loads(result.stdout)["rows"] if row["name"] == "service"]
    return check


def test_doctor_says_whether_a_service_answers_and_what_it_allows(program, store):
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    alone = service_check(program)
    assert alone["outcome"] == "ok" and "service answers at" in alone["finding"]
    with daemon(store) as client:
        check = service_check(client)
        assert check["outcome"] == "ok" and f"process {client.daemon.pid}" in check["finding"]
        assert client.common[1] in check["finding"] and str(store) in check["finding"]
        assert "root may record all processes" in check["finding"]
        check = service_check(Program(store, *client.common, prefix=nobody), cwd="/")
        assert check["outcome"] == "ok" and "your own processes" in check["finding"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_names_every_command(shell):
    script = Program(None).run("completion", shell).stdout
    for command in ["attach", "top", "dump", "ps", "sessions", "report", "export", "serve", "doctor", "completion"]:
        assert command in script


def test_bash_accepts_its_completion():
    script = Program(None).run("completion", "bash").stdout
    check = 'compgen() { builtin compgen "$@"; }; eval "$1"; complete -p pycroscoped'
    result = subprocess.run(["bash", "-c", check, "bash", script], capture_output=True, text=True)
    assert result.returncode == 0 and "pycroscoped" in result.stdout, result


@pytest.mark.parametrize(
    "words", ["", "attach", "top", "dump", "ps", "sessions", "sessions prune", "report", "export", "serve"]
)
def test_help_explains_every_command(words):
    result = Program(None).run(*words.split(), "--help")
    assert result.stderr == "" and "Usage" in result.stdout


def test_version_is_one_line():
    result = Program(None).run("--version")
    assert re.fullmatch(r"(pycroscoped )?\d+\.\d+\.\d+\n", result.stdout)


def test_prune_keeps_the_newest(debian, either):
    with target(debian, "alternate.py") as alternator:
        for number in range(4):
            either.run("attach", "-p", alternator.pid, "-d", "0.3", "-q", "--name", f"n{number}")
    either.run("sessions", "prune", "--keep", "2")
    assert [row["name"] for row in either.json("sessions", "list")["rows"]] == ["n3", "n2"]
    either.run("sessions", "prune", "--keep", "20", "--max-size", "5GB")
    assert len(either.json("sessions", "list")["rows"]) == 2
    either.run("sessions", "prune", "--max-size", "1")
    assert len(either.json("sessions", "list")["rows"]) == 0


def test_short_report_and_next_command_after_recording(debian, program):
    with target(debian, "burn_70_20_10.py") as burner:
        result = program.run("attach", "-p", burner.pid, "-d", "1", "-r", 1000)
    assert "burn_70" in result.stdout
    assert "pycroscoped report" in result.stdout + result.stderr


def test_short_report_has_the_most_first_in_each_mode(debian, program):
    with target(debian, "waiting.py", "contended") as waiting:
        for mode in ("cpu", "wall", "gil"):
            result = program.run("attach", "-p", waiting.pid, "-d", "1", "-r", 500, "--mode", mode)
            tables = re.findall(r"^Most time .*:\n(.*\n)((?:.+\n)+)", result.stdout, re.MULTILINE)
            assert len(tables) == 2, result.stdout
            for number, (header, rows) in enumerate(tables):
                column = header.split().index("TOTAL" if number else "SELF")
                shares = [float(row.split("%")[column].strip(" <")) for row in rows.splitlines()]
                assert shares == sorted(shares, reverse=True) and shares[0] > 0, (mode, result.stdout)


class Terminal:
    """A program on a pseudo-terminal of 30 lines."""

    def __init__(self, command, variables, columns=100):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, {**variables, "TERM": "xterm", "LINES": "30", "COLUMNS": str(columns)})
        self.text = ""

    def until(self, pattern, seconds=15):
        deadline = time.monotonic() + seconds
        while not re.search(pattern, self.text):
            assert time.monotonic() < deadline, f"{pattern!r} did not appear in {self.text[-3000:]!r}"
            if select.select([self.fd], [], [], 0.1)[0]:
                try:
                    self.text += os.read(self.fd, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(f"ended before {pattern!r}: {self.text[-3000:]!r}") from None

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def end(self) -> int:
        """Reads until the program is gone; its exit code."""
        while True:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                break
            if not data:
                break
            self.text += data.decode(errors="replace")
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_top_shows_functions_live_and_quits(debian, either):
    with target(debian, "burn_70_20_10.py") as burner:
        terminal = Terminal(either.command("top", "-p", burner.pid), either.environment())
        terminal.until("burn_70")
        terminal.type("q")
        assert terminal.end() == 0
        assert burner.alive()


def test_top_on_a_narrow_terminal_leaves_out_columns(debian, program):
    with target(debian, "burn_70_20_10.py") as burner:
        terminal = Terminal(program.command("top", "-p", burner.pid), program.environment(), columns=40)
        terminal.until("burn_70")
        terminal.type("q")
        assert terminal.end() == 0
    assert "SELF NOW" in terminal.text and "FUNCTION" in terminal.text
    # While nothing has run yet, all columns find room.
    assert "WHERE" not in terminal.text.partition("burn_70")[2]


def test_attach_on_a_terminal_shows_progress_and_keeps_on_control_c(debian, program):
    with target(debian, "burn_70_20_10.py") as burner:
        terminal = Terminal(program.command("attach", "-p", burner.pid, "-r", "1000"), program.environment())
        terminal.until("burn_70")
        terminal.type("\x03")
        assert terminal.end() == 0, terminal.text
        assert burner.alive()
    assert program.json("sessions", "list")["rows"][0]["state"] == "complete"


def test_session_metadata_is_complete(debian, program):
    secret = {**os.environ, "PYTHONHASHSEED": "7", "API_TOKEN": "hunter2"}
    with target(debian, "alternate.py", env=secret) as alternator:
        program.run("attach", "-p", alternator.pid, "-d", "0.5", "-q", "--name", "meta")
    text = program.run("sessions", "show", "meta", "--json").stdout
    json.loads(text)
    assert "alternate.py" in text and "PYTHONHASHSEED" in text and "API_TOKEN" in text
    assert "hunter2" not in text, "an environment value outside the allow-list was kept"
    for path in program.store.rglob("*"):
        assert not path.is_file() or b"hunter2" not in path.read_bytes(), path


def test_serve_says_when_it_is_ready_and_serves_until_told(store, tmp_path):
    process = subprocess.Popen(
        [PROGRAM, "serve", "--socket", "s", "--store", str(store)],
        cwd=tmp_path,
        env=environment(None),
        stderr=subprocess.PIPE,
        bufsize=0,
    )
    assert read_line(process.stderr)
    process.terminate()
    assert process.wait(30) == 0
    process.stderr.close()
