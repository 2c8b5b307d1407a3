"""Sampling by reads from outside: who can do no better gets it, is told so, and finds what there is to find."""

import contextlib
import os
import tempfile
from pathlib import Path

import pytest
from program import Program, running
from test_children import child_samples, record_children

UID = 61003
BECOME = ("setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups", "--no-new-privs", "--")
MANY_THREADS = """
import threading
from time import sleep
def work():
    while True: sleep(0.01)
for i in range(200): threading.Thread(target=work, name=f"worker-{i}", daemon=True).start()
print("ready", flush=True)
while True: sleep(1)
"""


@pytest.fixture
def user():
    """The program without a daemon as an unprivileged user, and a target of that user's."""
    with tempfile.TemporaryDirectory(prefix="pyc-user-") as folder, contextlib.ExitStack() as stack:
        os.chown(folder, UID, UID)
        store = Path(folder) / "store"
        script = "def burn():\n    while True: pass\nprint('ready', flush=True)\nburn()"
        # --pdeathsig is lost when the ids change, so it is set after that.
        command = [*BECOME, "setpriv", "--pdeathsig", "KILL", "--", "python3.11", "-c", script]
        yield Program(store, "--store", str(store), prefix=BECOME), stack.enter_context(running(command))


def test_an_unprivileged_user_records_own_processes_without_a_daemon(user):
    program, burner = user
    result = program.run("attach", "-p", burner.pid, "-d", "2", "-r", 500, cwd="/")
    assert "reading memory from outside" in result.stderr and "doctor" in result.stderr, result.stderr
    assert "by reads from outside" in result.stdout, result.stdout
    [row] = program.json("sessions", "list")["rows"]
    assert program.json("sessions", "show", row["id"])["config"]["sampler"] == "reads"
    rows = {row["function"]: row for row in program.json("report", "--view", "functions")["rows"]}
    assert rows["burn"]["samples"] > 0.9 * row["samples"] > 0
    assert burner.alive()


def test_what_is_asked_for_and_cannot_be_had_is_refused(user):
    program, burner = user
    sentence = program.refuses("attach", "-p", burner.pid, "-d", "1", "--sampler", "ebpf", code=4, cwd="/")
    assert "root" in sentence
    program.refuses("attach", "-p", burner.pid, "-d", "1", "--sampler", "guess", code=2, cwd="/")
    program.refuses("attach", "-p", os.getpid(), "-d", "1", code=4, cwd="/")
    assert program.json("sessions", "list")["rows"] == []


def test_doctor_says_beforehand_what_an_unprivileged_user_gets(user):
    program, burner = user
    checks = {check["name"]: check for check in program.json("doctor", "-p", burner.pid)["rows"]}
    assert checks["sampling"]["outcome"] == "limited"
    assert "less exact" in checks["sampling"]["finding"]


def test_each_of_many_threads_is_found(debian, program):
    with running([*debian.command("-c", MANY_THREADS)]) as many:
        program.run("attach", "-p", many.pid, "-d", "3", "-r", 100, "--mode", "wall", "--sampler", "reads", "-q")
    rows = program.json("report", "--view", "threads")["rows"]
    names = {row["name"] for row in rows if row["samples"] > 0}
    assert {f"worker-{i}" for i in range(200)} <= names


@pytest.mark.parametrize("how", ["fork", "exec"])
def test_children_are_followed(debian, program, how):
    parent = record_children(program, debian, 10, how, "--sampler", "reads")
    counts = child_samples(program)
    counts.pop(parent, None)
    # They are looked for a hundred times a second, and live for 50 ms of CPU time.
    assert sum(count >= 5 for count in counts.values()) >= 9, counts
