"""One service for many users: quotas, sharing, retention, the flight recorder, its configuration, and systemd's side of it."""

import contextlib
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import grpc
import pytest
from program import PROGRAM, Program, daemon, environment, running, target, wait_for

ALICE, BOB = 61041, 61042
TEAM = 61050

BUSY = """
print("ready", flush=True)
while True:
    sum(range(1000))
"""


@pytest.fixture
def short_path():
    """Paths of sockets may not be long."""
    with tempfile.TemporaryDirectory(prefix="pyc-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def user_prefix(uid: int, *groups: int) -> tuple[str, ...]:
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={','.join(map(str, (uid, *groups)))}", "--")


class User:
    """A user without privileges, who is in TEAM, and a busy process of theirs."""

    def __init__(self, client: Program, uid: int, pid: int):
        self.program = Program(client.store, *client.common, prefix=user_prefix(uid, TEAM))
        self.pid = pid

    def record(self, *arguments, seconds: str = "0.3", code: int = 0) -> None:
        self.program.run("attach", "-p", self.pid, "-d", seconds, "-q", *arguments, code=code, cwd="/")

    def rows(self) -> list[dict]:
        return json.loads(self.program.run("sessions", "list", "--json", cwd="/").stdout)["rows"]


@contextlib.contextmanager
def users(client: Program, *uids: int):
    with contextlib.ExitStack() as stack:
        found = []
        for uid in uids:
            command = [*user_prefix(uid, TEAM), "/usr/bin/python3.11", "-c", BUSY]
            found.append(User(client, uid, stack.enter_context(running(command, cwd="/")).pid))
        yield found


def test_a_user_runs_no_more_recordings_than_the_quota(store):
    with daemon(store, "--max-recordings-per-user", 1) as client, users(client, ALICE, BOB) as (alice, bob):
        with alice.program.recording(alice.pid):
            sentence = alice.program.refuses("attach", "-p", alice.pid, "-q", code=1, cwd="/")
            assert "1 of your recordings are running already" in sentence
            bob.record()
            # Root has no quota.
            with client.recording(alice.pid), client.recording(alice.pid):
                pass
        alice.record()


def test_a_user_has_no_more_sessions_than_the_quota(store):
    with daemon(store, "--max-sessions-per-user", 2) as client, users(client, ALICE, BOB) as (alice, bob):
        for _ in range(2):
            alice.record()
        sentence = alice.program.refuses("attach", "-p", alice.pid, "-q", code=1, cwd="/")
        assert "2 sessions" in sentence and "sessions prune" in sentence
        assert "2 sessions" in alice.program.refuses("sessions", "snapshot", code=1, cwd="/")
        bob.record()
        alice.program.run("sessions", "prune", "--keep", 1, cwd="/")
        alice.record()
        assert len(alice.rows()) == 2


def test_what_takes_too_much_room_ends(store, short_path):
    with daemon(store, "--max-bytes-per-user", "10kB") as client, users(client, ALICE) as (alice,):
        sentence = alice.program.refuses("attach", "-p", alice.pid, "-q", code=1, cwd="/")
        assert "the recording ended early" in sentence and "room" in sentence
        [row] = alice.rows()
        assert row["state"] == "complete" and row["samples"] > 0
        # Known to the service as soon as it has looked through the store.
        wait_for(lambda: alice.program.run("attach", "-p", alice.pid, "-d", "0.1", code=None, cwd="/").returncode == 1)
        assert "your sessions take" in alice.program.refuses("attach", "-p", alice.pid, "-q", code=1, cwd="/")
        packed = short_path / "packed"
        client.run("sessions", "pack", row["id"], "-o", packed)
        packed.chmod(0o644)
        assert "your sessions take" in alice.program.refuses("sessions", "unpack", packed, code=1, cwd="/")


def test_recordings_of_a_user_share_what_they_may_use_of_the_cpu(store):
    with daemon(store, "--max-cpu-per-user", "0.2%") as client, users(client, ALICE) as (alice,):
        alice.record("-r", "5000", seconds="5")
        [row] = alice.rows()
        shown = json.loads(alice.program.run("sessions", "show", row["id"], "--json", cwd="/").stdout)
        assert shown["lowest_rate_hz"] < 5000
        assert shown["loss"]["by_reason"]["self_limit"] > 0


def test_the_service_keeps_what_it_was_told_to_keep(store):
    with daemon(store, "--keep", 2) as client, users(client, ALICE, BOB) as (alice, bob):
        bob.record("--name", "only")
        for name in ("first", "second", "third", "fourth"):
            alice.record("--name", name)
        wait_for(lambda: [row["name"] for row in alice.rows()] == ["fourth", "third"])
        assert [row["name"] for row in bob.rows()] == ["only"]


def test_a_shared_session_is_seen_by_the_group_and_changed_by_its_owner(store):
    with daemon(store) as client, users(client, ALICE, BOB) as (alice, bob):
        stranger = Program(store, *client.common, prefix=user_prefix(61043))
        alice.record("--name", "open", "--share", TEAM)
        alice.record("--name", "closed")
        [row] = bob.rows()
        assert row["name"] == "open" and row["shared_with"] == str(TEAM)
        assert bob.program.run("report", "open", cwd="/").stdout
        assert "closed" in bob.program.refuses("report", "closed", code=1, cwd="/")
        for change in (["delete", "open"], ["share", "open", "--nobody"]):
            assert "not yours" in bob.program.refuses("sessions", *change, code=4, cwd="/")
        assert "no session" in stranger.refuses("report", "open", code=1, cwd="/")
        alice.program.run("sessions", "share", "open", "--nobody", cwd="/")
        assert bob.rows() == []
        assert len(alice.rows()) == 2


def test_nobody_shares_with_a_group_they_are_not_in(store):
    with daemon(store) as client, users(client, ALICE) as (alice,):
        assert "no group" in alice.program.refuses("attach", "-p", alice.pid, "-q", "--share", "root", code=4, cwd="/")
        assert alice.rows() == []
        alice.record()
        assert "no group" in alice.program.refuses("sessions", "share", "--group", "0", code=4, cwd="/")
        assert alice.rows()[0]["shared_with"] is None


def times_ns(program: Program, session: str) -> list[int]:
    """When the samples of a session were taken, as chrometrace has it: in microseconds."""
    trace = json.loads(program.run("export", session, "-f", "chrometrace", "-o", "-").stdout)
    return [event["ts"] * 1000 for event in trace["traceEvents"] if event.get("ph") in ("P", "X", "B")]


def test_flight_recorder_keeps_the_last_seconds(debian, either):
    with target(debian, "alternate.py") as alternator:
        with either.recording(alternator.pid, "-r", 200, "--ring", "2s", "--name", "ring") as recording:
            time.sleep(5)
            frozen = either.run("sessions", "snapshot", "ring", "--name", "frozen").stdout.strip()
            recording.process.send_signal(signal.SIGUSR1)
            time.sleep(2)
            [row] = [row for row in either.json("sessions", "list")["rows"] if row["id"] == frozen]
            assert row["name"] == "frozen" and row["state"] == "complete"
            alternator.process.kill()  # its end freezes the ring
            _, stderr = recording.end(sent=None)
        assert "snapshot " in stderr
    shown = either.json("sessions", "show", "ring")
    assert shown["state"] == "complete" and shown["end_reason"] == "target exited"
    assert shown["config"]["ring_ns"] == 2_000_000_000
    assert shown["loss"]["discarded"] > 0
    assert shown["loss"]["recorded"] == shown["samples"] + shown["loss"]["discarded"]
    first = min(times_ns(either, "ring"))
    assert first > shown["duration_ns"] - 3.5e9, "more than the ring was kept"
    assert len(either.json("sessions", "list")["rows"]) == 3
    assert either.json("sessions", "show", "frozen")["samples"] > 100


def test_a_recording_keeps_as_much_as_it_may(debian, program):
    with target(debian, "alternate.py") as alternator:
        limits = ["--max-events", 1000, "--keep-raw", "10m", "--max-size", "1GB"]
        program.run("attach", "-p", alternator.pid, "-r", 1000, "-d", "6s", "-q", *limits)
        for option, value in (("--max-events", 5), ("--max-size", "10KB"), ("--keep-raw", "10ms")):
            assert "at least" in program.refuses("attach", "-p", alternator.pid, option, value, code=2)
    shown = program.json("sessions", "show")
    assert shown["config"]["max_events"] == 1000 and shown["config"]["max_bytes"] == 1_000_000_000
    assert shown["config"]["keep_raw_ns"] == 600_000_000_000
    assert shown["loss"]["discarded"] > 2000
    assert shown["samples"] == shown["loss"]["recorded"] - shown["loss"]["discarded"] <= 2500
    assert min(times_ns(program, "latest")) > shown["duration_ns"] / 3, "the oldest went"


def test_users_cannot_reach_the_files_of_a_service(store, tmp_path):
    # Whoever can put files into a session makes the service read them with its own rights.
    with daemon(store) as client, users(client, ALICE) as (alice,):
        alice.record()
        [row] = alice.rows()
        listing = subprocess.run([*user_prefix(ALICE), "ls", store / "sessions" / row["id"]], capture_output=True)
        assert listing.returncode != 0 and b"Permission denied" in listing.stderr
    foreign = tmp_path / "foreign"
    (foreign / "sessions").mkdir(parents=True)
    os.chown(foreign / "sessions", ALICE, ALICE)
    with tempfile.TemporaryDirectory(prefix="pyc-") as folder:
        sentence = Program(None).refuses("serve", "--store", foreign, "--socket", f"{folder}/s", code=4)
        assert f"belongs to user {ALICE}" in sentence


def test_ring_shorter_than_a_second_is_refused(debian, program):
    with target(debian, "alternate.py") as alternator:
        assert "ring" in program.refuses("attach", "-p", alternator.pid, "--ring", "0.1", code=2)


def test_everybody_who_attaches_or_dumps_is_written_down(store):
    with daemon(store, "-q") as client, users(client, ALICE, BOB) as (alice, bob):
        alice.record()
        alice.program.run("dump", "-p", alice.pid, cwd="/")
        alice.program.refuses("attach", "-p", bob.pid, "-q", code=4, cwd="/")
        [row] = alice.rows()
        lines = [line for line in client.log.read_text().splitlines() if "audit " in line]
        assert len(lines) == 3, lines
        attach, dump, refused = lines
        assert f"action=attach uid={ALICE} " in attach and f"target_pid={alice.pid} " in attach
        assert f"session={row['id']} outcome=ok" in attach
        assert "action=dump" in dump and "outcome=ok" in dump
        assert f"target_pid={bob.pid}" in refused and "not permitted" in refused


def test_a_flood_of_refusals_does_not_drown_the_log(store):
    with daemon(store, "-q") as client, users(client, ALICE, BOB) as (alice, bob):
        for _ in range(30):
            alice.program.refuses("attach", "-p", bob.pid, "-q", code=4, cwd="/")
        bob.record()
        lines = [line for line in client.log.read_text().splitlines() if "audit " in line]
        assert len(lines) < 25
        assert "outcome=ok" in lines[-1]


def test_doctor_says_what_the_service_allows_its_user(store):
    with daemon(store, "--max-sessions-per-user", 5, "--keep", 3) as client, users(client, ALICE) as (alice,):
        alice.record()
        checks = json.loads(alice.program.run("doctor", "--json", cwd="/").stdout)["rows"]
        findings = {check["name"]: check["finding"] for check in checks}
        assert findings["sessions"].startswith("you have 1 of 5 sessions")
        assert findings["recordings"].startswith("0 of your recordings run")
        assert "newest 3 sessions" in findings["retention"]
        assert f"as {ALICE} you may record " in findings["processes"]


def test_serve_takes_its_options_from_a_file(store, tmp_path):
    config = tmp_path / "serve.yaml"
    config.write_text("max-sessions-per-user: 1\n# a comment\nlog-level: info\nrate: 100  # of another command\n")
    with daemon(store, "--config", config) as client, users(client, ALICE) as (alice,):
        alice.record()
        alice.program.refuses("attach", "-p", alice.pid, "-q", code=1, cwd="/")


@pytest.mark.parametrize(
    "content, clue",
    [
        ("max-sessions: 3\n", "max-sessions-per-user"),
        ("log-level: loud\n", "loud"),
        ("- a\n- b\n", "OPTION: VALUE"),
        ("keep: [1\n", "line"),
        ("keep: 3\n  indented: 5\n", "line"),
    ],
)
def test_a_file_with_mistakes_is_refused(store, tmp_path, content, clue):
    config = tmp_path / "serve.yaml"
    config.write_text(content)
    sentence = Program(store).refuses("serve", "--config", config, "--socket", tmp_path / "s", code=2)
    assert str(config) in sentence and clue in sentence


def test_recordings_take_their_options_from_the_project(debian, program, tmp_path):
    below = tmp_path / "project/src"
    below.mkdir(parents=True)
    (tmp_path / "project/pycroscope.yaml").write_text("rate: 250\nname: from-yaml\n")

    def recorded(*arguments, **options):
        program.run("attach", "-p", alternator.pid, "-d", "0.2", "-q", *arguments, **options)
        return program.json("sessions", "show", "latest")

    with target(debian, "alternate.py") as alternator:
        assert recorded(cwd=below)["config"]["rate_hz"] == 250
        shown = recorded("-r", 50, cwd=below)
        assert shown["config"]["rate_hz"] == 50 and shown["name"] == "from-yaml"
        (below / "pyproject.toml").write_text('[tool.pycroscope]\nrate = 125\nmode = "wall"\nsubprocesses = true\n')
        shown = recorded(cwd=below)
        assert shown["config"]["rate_hz"] == 125 and shown["config"]["mode"] == "wall" and shown["name"] is None
        # Another user's file decides nothing.
        os.chown(below / "pyproject.toml", ALICE, ALICE)
        assert recorded(cwd=below)["config"]["rate_hz"] == 250


def test_grpc_tools_find_out_what_there_is_and_whether_it_lives(store):
    with daemon(store) as client, grpc.insecure_channel(f"unix:{client.common[1]}") as channel:
        serving = b"\x08\x01"  # HealthCheckResponse{status: SERVING}
        assert channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=20) == serving
        reflect = channel.stream_stream("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo")
        list_services = b"\x3a\x00"  # ServerReflectionRequest{list_services: ""}
        [answer] = reflect(iter([list_services]), timeout=20)
        assert b"pycroscope.v1.Profiler" in answer


class Notifications:
    """The socket at which systemd listens to its services."""

    def __init__(self, path: Path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.said: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        # As systemd does, at once: its services wait for that.
        while data := self.socket.recv(4096):
            self.said.put(data.decode())

    def next(self) -> str:
        return self.said.get(timeout=30)


# Becomes a service with the socket where services look for it.
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


def test_systemd_hands_over_the_socket_and_is_kept_informed(debian, store, short_path):
    notifications = Notifications(short_path / "notify")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(short_path / "s"))
    listener.listen()
    # Whoever connects before the service runs is served when it does.
    early = subprocess.Popen(
        [PROGRAM, "sessions", "list", "--socket", str(short_path / "s")],
        stderr=subprocess.PIPE,
        env=environment(None),
    )
    process = subprocess.Popen(
        [sys.executable, "-c", AS_SYSTEMD, str(listener.fileno()), PROGRAM, "serve", "-q", "--store", str(store)],
        env={
            **environment(None),
            "LISTEN_FDS": "1",
            "NOTIFY_SOCKET": str(notifications.path),
            "WATCHDOG_USEC": "400000",
        },
        pass_fds=[listener.fileno()],
    )
    try:
        while not (said := notifications.next()).startswith("READY=1"):
            assert said == "WATCHDOG=1"
        assert early.wait(30) == 0, early.stderr.read()
        client = Program(store, "--socket", str(short_path / "s"))
        with target(debian, "alternate.py") as alternator:
            client.run("attach", "-p", alternator.pid, "-d", "0.3", "-q")
        assert client.json("sessions", "list")["rows"][0]["samples"] > 0
        for _ in range(3):
            assert notifications.next() == "WATCHDOG=1"
        process.terminate()
        while not (said := notifications.next()).startswith("STOPPING=1"):
            assert said == "WATCHDOG=1"
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
    assert (short_path / "s").exists(), "the socket is systemd's"
