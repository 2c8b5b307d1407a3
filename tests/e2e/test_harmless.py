"""What is recorded stays unharmed, and what was recorded is kept, however the recorder ends."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest
from program import Program, collapsed, daemon, python_frames, target

TOUCHING = "ptrace,process_vm_writev,kill,tkill,tgkill,pidfd_send_signal,rt_sigqueueinfo,rt_tgsigqueueinfo,process_madvise"


def test_sampling_makes_no_call_that_stops_or_writes_to_the_target(interpreter, store, tmp_path):
    trace = tmp_path / "trace"
    strace = (
        "strace",
        "-f",
        "-qq",
        "--seccomp-bpf",
        "-o",
        str(trace),
        "-e",
        f"trace={TOUCHING},open,openat,openat2,write,pwrite64",
    )
    program = Program(store, "--store", str(store), prefix=strace)
    with target(interpreter, "alternate.py") as alternator:
        program.run("attach", "-p", alternator.pid, "-d", "2", "-r", 1000, "-q")
        threads = set(os.listdir(f"/proc/{alternator.pid}/task"))
    calls = trace.read_text().splitlines()
    assert any("openat(" in call for call in calls), "strace saw nothing"
    for call in calls:
        name = re.match(r"\d+\s+(\w+)\(", call)
        if name is None or name[1] in ("open", "openat", "openat2", "write", "pwrite64"):
            continue
        # Signals among the recorder's own threads are its own business.
        arguments = re.findall(r"\b\d+\b", call.partition("(")[2])
        assert name[1] in ("kill", "tkill", "tgkill") and not threads & set(arguments[:2]), call
    opened = [call for call in calls if re.search(r"open(at|at2)?\(.*/proc/\d+/(task/\d+/)?mem\"", call)]
    assert not [call for call in opened if "O_RDWR" in call or "O_WRONLY" in call], opened


def test_target_is_never_seen_stopped(debian, program):
    with target(debian, "alternate.py") as alternator, program.recording(alternator.pid, "-r", 10000):
        states = set()
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            states.add(alternator.state())
        assert not states & set("tTZX"), states
        status = Path(f"/proc/{alternator.pid}/status").read_text()
        assert "TracerPid:\t0" in status


def cpu_ns(pid):
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def test_killed_recorder_leaves_the_target_and_a_session_up_to_the_last_second(debian, program):
    with target(debian, "alternate.py") as alternator:
        with program.recording(alternator.pid, "-r", 1000) as recording:
            before = cpu_ns(alternator.pid)
            time.sleep(3)
            used_ns = cpu_ns(alternator.pid) - before
            time.sleep(1)
            recording.process.kill()
            recording.end(code=-signal.SIGKILL)
        assert alternator.alive() and alternator.state() in "RS"
        session = program.json("sessions", "show", recording.session)
        session = session.get("rows", [session])[0] if isinstance(session, dict) else session[0]
        assert session["state"] == "interrupted"
        rows = program.json("report", recording.session, "--view", "threads")["rows"]
        assert sum(row["samples"] for row in rows) >= 0.9 * used_ns / 1e6, rows
        assert python_frames(collapsed(program.run("export", recording.session, "-f", "collapsed", "-o", "-").stdout))
        # And the same target can be recorded again.
        program.run("attach", "-p", alternator.pid, "-d", "1", "-q")


def test_killed_daemon_leaves_the_target_and_a_session_up_to_the_last_second(debian, store, program):
    with daemon(store, code=-signal.SIGKILL) as client, target(debian, "alternate.py") as alternator:
        with client.recording(alternator.pid, "-r", 1000) as recording:
            before = cpu_ns(alternator.pid)
            time.sleep(3)
            used_ns = cpu_ns(alternator.pid) - before
            time.sleep(1)
            client.daemon.kill()
            recording.end(code=None, sent=None)
            assert recording.process.returncode != 0, "the recorder is gone and attach says that all is well"
        assert alternator.alive() and alternator.state() in "RS"
        [row] = program.json("sessions", "list")["rows"]
        assert row["id"] == recording.session and row["state"] == "interrupted"
        threads = program.json("report", recording.session, "--view", "threads")["rows"]
        assert sum(thread["samples"] for thread in threads) >= 0.9 * used_ns / 1e6, threads


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupt_ends_the_recording_and_keeps_it(debian, either, sent):
    with target(debian, "alternate.py") as alternator:
        with either.recording(alternator.pid, "-r", 1000) as recording:
            time.sleep(1)
            recording.end(code=0, sent=sent)
        assert alternator.alive()
    row = either.json("sessions", "list")["rows"][0]
    assert (row["id"], row["state"]) == (recording.session, "complete")
    assert row["samples"] > 0


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_early_interrupt_either_keeps_a_session_or_leaves_nothing(debian, program, sent):
    outcomes = []
    with target(debian, "alternate.py") as alternator:
        for delay_ms in range(2, 120, 6):
            process = subprocess.Popen(
                program.command("attach", "-p", alternator.pid),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
                env=program.environment(),
            )
            time.sleep(delay_ms / 1000)
            process.send_signal(sent)
            _, stderr = process.communicate(timeout=30)
            live = "ready " in stderr
            # Before the program has a handler the signal itself ends it; a shell shows that as the same code.
            expected = {0} if live else {128 + sent, -sent}
            assert process.returncode in expected, (delay_ms, process.returncode, stderr)
            outcomes.append(live)
        assert alternator.alive()
    rows = program.json("sessions", "list")["rows"]
    assert len(rows) == sum(outcomes), outcomes
    assert all(row["state"] == "complete" for row in rows)


def test_target_that_ends_while_it_is_recorded_is_no_failure(debian, either):
    with target(debian, "exits.py") as exiting:
        with either.recording(exiting.pid, "-r", 1000) as recording:
            time.sleep(1)
            exiting.say("7")
            recording.end(code=0, sent=None)
        assert exiting.process.wait(10) == 7
    row = either.json("sessions", "list")["rows"][0]
    assert row["state"] == "complete" and row["samples"] > 0


def test_ready_is_said_on_stderr_too_unless_quiet(debian, program):
    with target(debian, "alternate.py") as alternator:
        loud = program.run("attach", "-p", alternator.pid, "-d", "1")
        quiet = program.run("attach", "-p", alternator.pid, "-d", "1", "-q")
    session = program.json("sessions", "list")["rows"][1]["id"]
    assert f"ready {session}" in loud.stderr
    assert quiet.stderr == ""
