"""The daemon's door: in use, abandoned, and against garbage."""

import contextlib
import os
import socket
import struct
import subprocess
import time
from pathlib import Path

from program import Program, daemon, environment, target, wait_for


def serve(path, store, **options):
    command = Program(store).command("serve", "--socket", path, "--store", store)
    return subprocess.run(command, capture_output=True, text=True, timeout=30, env=environment(None), **options)


def socket_of(client) -> str:
    return client.common[1]


def test_socket_in_use_is_refused_and_the_first_daemon_serves_on(store):
    with daemon(store) as client:
        second = serve(socket_of(client), store.parent / "other")
        assert second.returncode == 1, second
        assert second.stderr.startswith("pycroscoped: ") and second.stderr.count("\n") == 1, second.stderr
        assert socket_of(client) in second.stderr
        client.run("sessions", "list")


def test_socket_left_by_a_killed_daemon_is_taken_over(store, tmp_path):
    abandoned = tmp_path / "s"
    listener = socket.socket(socket.AF_UNIX)
    os.chdir(tmp_path)  # the name alone fits into sun_path
    listener.bind("s")
    listener.close()
    process = subprocess.Popen(
        Program(store).command("serve", "--socket", "s", "--store", store), cwd=tmp_path, env=environment(None)
    )
    try:
        client = Program(store, "--socket", "s")
        wait_for(lambda: process.poll() is None and client.run("ps", code=None, cwd=tmp_path).returncode == 0)
    finally:
        process.terminate()
        assert process.wait(30) == 0
    assert not abandoned.exists(), "the daemon left its socket behind"
    assert not (tmp_path / "s.lock").exists(), "the daemon left its lock behind"


def test_a_file_that_is_no_socket_is_not_removed(store, tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("precious")
    refused = serve("precious", store, cwd=tmp_path)
    assert refused.returncode == 1 and refused.stderr.startswith("pycroscoped: "), refused
    assert precious.read_text() == "precious"


def test_socket_folder_that_cannot_be_made(store, tmp_path):
    (tmp_path / "file").touch()
    refused = serve("file/s", store, cwd=tmp_path)
    assert refused.returncode == 1 and refused.stderr.count("\n") == 1, refused


def http2_frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + http2_frame(4, 0, 0, b"")
GARBAGE = {
    "nothing": b"",
    "zeros": bytes(4096),
    "http1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "random": os.urandom(65536),
    "cut preface": PREFACE[:10],
    "huge frame": PREFACE + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01" + bytes(1 << 20),
    "bad headers": PREFACE + http2_frame(1, 4, 1, b"\xff" * 1000),
    "data before headers": PREFACE + http2_frame(0, 1, 1, bytes(16384)),
    "settings flood": PREFACE + http2_frame(4, 0, 0, b"") * 20000,
}


def test_garbage_on_the_socket_leaves_the_daemon_serving(debian, store):
    with daemon(store) as client, target(debian, "alternate.py") as alternator:
        with client.recording(alternator.pid, "-r", 100) as recording:
            for data in GARBAGE.values():
                with socket.socket(socket.AF_UNIX) as door:
                    door.settimeout(5)
                    door.connect(socket_of(client))
                    try:
                        door.sendall(data)
                        door.shutdown(socket.SHUT_WR)
                        while door.recv(65536):
                            pass
                    except (ConnectionError, TimeoutError):
                        pass
                client.run("sessions", "list")
            recording.end()
        assert client.json("sessions", "list")["rows"][0]["samples"] > 0


def test_oversized_request_is_refused(store):
    with daemon(store) as client:
        # Longer than one gRPC message may be, but no longer than an argument list: many of them.
        names = ["x" * 100_000] * 18
        result = client.run("sessions", "delete", *names, code=None)
        assert result.returncode == 1, result.returncode
        client.run("sessions", "list")


def test_hundreds_of_silent_connections_do_not_shut_other_users_out(store):
    nobody = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")
    with daemon(store) as client, contextlib.ExitStack() as silent:
        for _ in range(300):
            door = silent.enter_context(socket.socket(socket.AF_UNIX))
            door.connect(socket_of(client))
        other = Program(store, *client.common, prefix=nobody)
        other.run("sessions", "list", cwd="/")
        silent.close()
        wait_for(lambda: client.run("sessions", "list", code=None).returncode == 0)


def test_what_the_daemon_has_to_say_goes_to_stderr(store, tmp_path):
    process = subprocess.Popen(
        Program(store).command("serve", "-q", "--socket", "s", "--store", store),
        cwd=tmp_path,
        env=environment(None),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        wait_for((tmp_path / "s").exists)
        os.chdir(tmp_path)
        with contextlib.ExitStack() as many:
            for _ in range(100):
                many.enter_context(socket.socket(socket.AF_UNIX)).connect("s")
            assert "connection refused" in process.stderr.readline()
    finally:
        process.terminate()
        stdout, _ = process.communicate(timeout=30)
    assert process.returncode == 0 and stdout == ""


def test_daemon_ends_its_recordings_and_keeps_them(debian, store):
    with target(debian, "alternate.py") as alternator:
        with daemon(store) as client:
            process = subprocess.Popen(
                client.command("attach", "-p", alternator.pid, "-q"), env=client.environment(), stderr=subprocess.PIPE
            )
            wait_for(lambda: [r for r in client.json("sessions", "list")["rows"] if r["state"] == "recording"])
            time.sleep(1)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 1
        assert b"the recording ended early: service stopped" in stderr, stderr
        assert alternator.alive()
    [row] = Program(store, "--store", str(store)).json("sessions", "list")["rows"]
    assert row["state"] == "interrupted" and row["samples"] > 0
    assert Path(store).exists()
