"""`run` records a command of its own and is otherwise not noticed."""

import signal
import subprocess
import sys

import pytest
from program import PROGRAM, collapsed

BURN = "for i in range(5_000_000): pass"


def run(program, *command, options=("-q",), **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        program.command("run", *options, "--", *command), env=program.environment(), capture_output=True, text=True, **more
    )


def test_it_is_recorded_from_its_first_bytecode(debian, program):
    result = run(program, debian.executable, "-c", BURN, options=("-q", "-r", "1000"))
    assert result.returncode == 0, result.stderr
    session = program.json("sessions", "show", "latest")
    assert session["python"].startswith("3.11"), session
    stacks = collapsed(program.run("export", "-f", "collapsed", "-o", "-").stdout)
    total = sum(stacks.values())
    loop = sum(weight for stack, weight in stacks.items() if stack[0].function == "<module>" and len(stack) == 1)
    # Python starts within some 20 ms, the loop takes many times that.
    assert loop / total > 0.6, stacks


def test_exit_codes_and_streams_are_the_commands_own(program):
    result = run(program, "sh", "-c", "cat; echo oops >&2; exit 7", input="hello")
    assert (result.returncode, result.stdout, result.stderr) == (7, "hello", "oops\n")
    assert run(program, "sh", "-c", "kill -TERM $$").returncode == 128 + signal.SIGTERM
    assert run(program, "/nonexistent").returncode == 127
    assert run(program, "/etc/passwd").returncode == 126
    assert subprocess.run([PROGRAM, "run"], capture_output=True).returncode == 2


def test_a_signal_is_passed_on(program):
    child = subprocess.Popen(
        program.command("run", "-q", "--", "sh", "-c", "trap 'exit 5' USR1; echo ready; while :; do sleep 0.05; done"),
        env=program.environment(),
        stdout=subprocess.PIPE,
    )
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGUSR1)
    assert child.wait(30) == 5
    child.stdout.close()


@pytest.mark.parametrize("mode", ["cpu", "wall"])
def test_wrappers_are_seen_through(program, mode):
    shell = f"{sys.executable} -c '{BURN}'; true"
    result = run(program, "sh", "-c", shell, options=("-q", "-s", "-r", "1000", "--mode", mode))
    assert result.returncode == 0, result.stderr
    rows = program.json("report", "--view", "functions")["rows"]
    assert any(row["function"] == "<module>" and row["file"] == "<string>" for row in rows), rows


def test_nothing_runs_when_it_cannot_be_recorded(program, tmp_path):
    marker = tmp_path / "marker"
    result = run(program, "touch", str(marker), options=("-q", "--rate", "99999"))
    assert result.returncode in (2, 125)
    assert not marker.exists()
