"""Bad input: the right exit code, exactly one sentence, and a target that goes on unharmed."""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from program import Program, running, target, wait_for

NOBODY = 65534


def unused_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def attach(program, pid, *arguments, code, **options):
    sentence = program.refuses("attach", "-p", pid, "-d", "1", "-q", *arguments, code=code, **options)
    assert program.json("sessions", "list")["rows"] == [], "a refused attach left a session"
    return sentence


def test_pid_that_does_not_exist(either):
    pid = unused_pid()
    assert str(pid) in attach(either, pid, code=3)
    either.refuses("dump", "-p", pid, code=3)


def test_zombie(either):
    process = subprocess.Popen(["true"])
    try:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        attach(either, process.pid, code=3)
        either.refuses("dump", "-p", process.pid, code=3)
    finally:
        process.wait()


def test_kernel_thread(either):
    kernel_threads = [
        pid
        for pid in filter(str.isdigit, os.listdir("/proc"))
        if (stat := read_stat(pid)) and stat[1] == "2" and stat[0] != "Z"
    ]
    if not kernel_threads:
        pytest.skip("no kernel thread is visible in this pid namespace")
    assert "kernel" in attach(either, kernel_threads[0], code=1)
    either.refuses("dump", "-p", kernel_threads[0], code=1)


def read_stat(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()
    except OSError:
        return None


def test_not_python(either):
    with running(["bash", "-c", "echo ready; read -r"]) as shell:
        assert "Python" in attach(either, shell.pid, code=1)
        either.refuses("dump", "-p", shell.pid, code=1)
        assert shell.alive()


def test_python_that_is_still_starting(debian, either):
    preload = {**os.environ, "LD_PRELOAD": os.environ["PYCROSCOPE_TEST_STOP_EARLY"]}
    # No setpriv in between: it would be held by the same preload.
    process = subprocess.Popen(
        [debian.executable, "-c", "print('alive', flush=True)"],
        env=preload,
        bufsize=0,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"ready\n"
        assert "start" in attach(either, process.pid, code=1)
        either.refuses("dump", "-p", process.pid, code=1)
        process.stdin.close()
        assert process.stdout.readline() == b"alive\n"
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def test_python_that_is_finalizing(interpreter, program):
    with target(interpreter, "finalizing.py") as finalizing:
        sentence = attach(program, finalizing.pid, code=1)
        assert "exit" in sentence or "finaliz" in sentence or "shut" in sentence or "ending" in sentence
        assert finalizing.alive()


def test_target_that_exits_during_attach(debian, program):
    """At whatever instant: 3, or 1 while it shuts down, and no session before it was live; 0 and a session after."""
    for delay_ms in range(0, 60, 6):
        with target(debian, "exits.py") as exiting:
            process = subprocess.Popen(
                program.command("attach", "-p", exiting.pid, "-q"),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env=program.environment(),
            )
            time.sleep(delay_ms / 1000)
            exiting.say("0")
            assert exiting.process.wait(10) == 0
            _, stderr = process.communicate(timeout=30)
        assert process.returncode in (0, 1, 3), (delay_ms, process.returncode, stderr)
        if process.returncode != 0:
            assert stderr.startswith("pycroscoped: ") and stderr.count("\n") == 1
    for row in program.json("sessions", "list")["rows"]:
        assert row["state"] == "complete"


def test_somebody_elses(debian):
    """Without a daemon an unprivileged user gets a sentence, whether or not it may use BPF at all."""
    as_nobody = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
    with tempfile.TemporaryDirectory(prefix="pyc-nobody-") as folder, target(debian, "alternate.py") as alternator:
        os.chown(folder, NOBODY, NOBODY)
        nobody = Program(Path(folder), "--store", f"{folder}/store", prefix=as_nobody)
        nobody.refuses("attach", "-p", alternator.pid, "-d", "1", "-q", code=4, cwd="/")
        nobody.refuses("dump", "-p", alternator.pid, code=4, cwd="/")
        assert alternator.alive()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--rate", "0"],
        ["--rate", "-5"],
        ["--rate", "10001"],
        ["--rate", "fast"],
        ["--rate", "nan"],
        ["--duration", "-1"],
        ["--duration", "0"],
        ["--duration", "10q"],
        ["--duration", "99999999999999h"],
        ["--format", "nonsense", "-o", "x"],
        ["--mode", "sideways"],
        ["--no-such-option"],
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense(debian, program, arguments, tmp_path):
    with target(debian, "alternate.py") as alternator:
        program.refuses("attach", "-p", alternator.pid, "-q", *arguments, code=2, cwd=tmp_path)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["attach"],
        ["attach", "-p", "0"],
        ["attach", "-p", "-1"],
        ["attach", "-p", "1x"],
        ["attach", "-p", "99999999999"],
        ["frobnicate"],
        [],
        ["report", "--view", "nonsense"],
        ["export", "-f", "nonsense", "-o", "-"],
        ["export", "--weight", "nonsense"],
        ["sessions", "prune", "--keep", "-1"],
        ["sessions", "prune", "--max-size", "5XB"],
        ["completion", "tcsh"],
    ],
    ids=" ".join,
)
def test_commands_that_make_no_sense(store, arguments):
    Program(store).refuses(*arguments, code=2)


@pytest.mark.parametrize("command", ["report", "export", "sessions show", "sessions delete", "sessions pack"])
def test_session_that_does_not_exist(either, command, tmp_path):
    words = command.split()
    extra = {"export": ["-f", "collapsed", "-o", "-"], "pack": ["-o", tmp_path / "packed"]}.get(words[-1], [])
    assert "nowhere" in either.refuses(*words, "nowhere", *extra, code=1)
    assert not (tmp_path / "packed").exists()


def test_latest_in_an_empty_store(either):
    either.refuses("report", code=1)


def test_socket_that_nobody_answers(store, tmp_path):
    nowhere = Program(store, "--socket", str(tmp_path / "nobody"))
    nowhere.refuses("sessions", "list", code=5)
    nowhere.refuses("attach", "-p", os.getpid(), code=5)
    variable = subprocess.run(
        Program(store).command("ps"),
        env={**os.environ, "PYCROSCOPE_SOCKET": str(tmp_path / "nobody")},
        capture_output=True,
        text=True,
    )
    assert variable.returncode == 5 and variable.stderr.startswith("pycroscoped: ")


def test_closed_stdout_is_no_crash(debian, program):
    with target(debian, "alternate.py") as alternator:
        program.run("attach", "-p", alternator.pid, "-d", "1", "-r", 1000, "-q")
    read_end, write_end = os.pipe()
    os.close(read_end)
    result = subprocess.run(
        program.command("report", "--json"),
        stdout=write_end,
        stderr=subprocess.PIPE,
        text=True,
        env=program.environment(),
    )
    os.close(write_end)
    assert result.returncode in (0, 1, -signal.SIGPIPE), result


def test_stopped_target_can_be_recorded_and_stays_stopped(debian, program):
    with target(debian, "alternate.py") as alternator:
        os.kill(alternator.pid, signal.SIGSTOP)
        wait_for(lambda: alternator.state() == "T")
        program.run("attach", "-p", alternator.pid, "-d", "1", "-q")
        assert alternator.state() == "T"
