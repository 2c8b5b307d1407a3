"""How a service ends, or what it stands on does: targets live on, what was recorded is there, and it is said what happened.

Beside this: test_harmless kills a recorder and a daemon and looks at the last second, test_disk has full and damaged stores
without a daemon, test_socket a socket that was left behind.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from program import Program, daemon, running, target, wait_for
from test_disk import small_disk

RATE = 1000


def cpu_ns(pid: int) -> int:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])


def session(program: Program, wanted: str) -> dict:
    return program.json("sessions", "show", wanted)


def samples(program: Program, wanted: str, *arguments: str) -> int:
    return sum(row["samples"] for row in program.json("report", wanted, "--view", "threads", *arguments)["rows"])


@contextlib.contextmanager
def memory_group() -> Iterator[Path]:
    """A cgroup of its own whose memory can be limited."""
    for root, limit in ((Path("/sys/fs/cgroup"), "memory.max"), (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes")):
        folder = root / f"pyc-{uuid.uuid4().hex}"
        try:
            folder.mkdir()
        except OSError:
            continue
        try:
            if (folder / limit).exists():
                (folder / limit).write_text(str(LIMIT))
                yield folder
                return
        finally:
            wait_for(lambda folder=folder: removed(folder))
    pytest.skip("no cgroup with a limit on memory can be made here")


def removed(folder: Path) -> bool:
    """A cgroup is busy until the last of its processes is gone for good."""
    with contextlib.suppress(OSError):
        folder.rmdir()
    return not folder.exists()


LIMIT = 400 << 20
HOG = """
import time
print("ready", flush=True)
held = []
while True:
    held.append(b"x" * (8 << 20))
    time.sleep(0.01)
"""


def kill(process: subprocess.Popen, folder: Path | None) -> None:
    process.kill()


def exhaust(process: subprocess.Popen, folder: Path | None) -> None:
    """Another process of the group takes what memory there is; the kernel ends whom it was told to end first."""
    Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
    joins = ["sh", "-c", f'echo $$ > {folder}/cgroup.procs; exec "$@"', "sh"]
    with running([*joins, "/usr/bin/python3", "-c", HOG]):
        process.wait(60)


@pytest.mark.parametrize("end", [kill, exhaust])
def test_daemon_that_is_ended_leaves_everything_to_the_next_one(debian, store, end):
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(memory_group()) if end is exhaust else None
        prefix = ("sh", "-c", f'echo $$ > {folder}/cgroup.procs; exec "$@"', "sh") if folder else ()
        targets = [stack.enter_context(target(debian, "alternate.py")) for _ in range(2)]
        with daemon(store, prefix=prefix, code=-signal.SIGKILL) as client:
            client.run("attach", "-p", targets[0].pid, "-d", "1", "-r", RATE, "-q", "--name", "before")
            complete = session(client, "before")
            with contextlib.ExitStack() as recordings:
                both = [recordings.enter_context(client.recording(each.pid, "-r", RATE, "-q")) for each in targets]
                begin = [cpu_ns(each.pid) for each in targets]
                time.sleep(2)
                used = [cpu_ns(each.pid) - at for each, at in zip(targets, begin, strict=True)]
                time.sleep(1)
                end(client.daemon, folder)
                for recording in both:
                    _, stderr = recording.end(code=None, sent=None)
                    assert recording.process.returncode in (1, 5), (recording.process.returncode, stderr)
                    assert re.fullmatch(r"pycroscoped: .+\n", stderr), stderr
            assert all(each.alive() and each.state() in "RS" for each in targets)
        with daemon(store) as client:
            rows = {row["id"]: row for row in client.json("sessions", "list")["rows"]}
            assert rows.keys() == {complete["id"], *(recording.session for recording in both)}
            assert session(client, "before") == complete
            for recording, used_ns in zip(both, used, strict=True):
                assert rows[recording.session]["state"] == "interrupted"
                # All but the last second.
                assert samples(client, recording.session) >= 0.9 * used_ns / 1e9 * RATE
            client.run("attach", "-p", targets[0].pid, "-d", "1", "-q", "--name", "after")
            assert session(client, "after")["state"] == "complete"


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    return ballast


def test_recording_on_a_full_disk_counts_what_is_lost_and_goes_on_when_there_is_room(debian):
    rate = 8 * RATE
    with small_disk("12m") as disk, daemon(disk / "store") as client, target(debian, "many_stacks.py") as stacks:
        with client.recording(stacks.pid, "-r", rate, "--max-cpu", 100, "-q") as recording:
            begin = cpu_ns(stacks.pid)
            time.sleep(1)
            ballast = fill(disk)
            # For ten seconds, and up to 8192 samples, it is all kept in memory.
            time.sleep(11)
            wait_for(lambda: cpu_ns(stacks.pid) - begin > 3e9, 60)
            os.unlink(ballast)
            # Not even the count of what was lost can be stored before.
            wait_for(lambda: "disk_full" in loss(client, recording.session)["by_reason"])
            used_ns = cpu_ns(stacks.pid) - begin
            room_ns = session(client, recording.session)["duration_ns"]
            wait_for(lambda: samples(client, recording.session, "--from", str(room_ns / 1e9)) > 0)
            recording.end()
        assert stacks.alive()
        assert session(client, recording.session)["state"] == "complete"
        counted = loss(client, recording.session)
        print(f"\n{counted}")
        assert counted["by_reason"]["disk_full"] > 0
        assert counted["recorded"] == samples(client, recording.session)
        assert counted["recorded"] + counted["lost"] >= 0.9 * used_ns / 1e9 * rate
        # And the service serves on.
        client.run("attach", "-p", stacks.pid, "-d", "0.5", "-q")


def loss(program: Program, wanted: str) -> dict:
    return program.json("report", wanted, "--view", "threads")["loss"]


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk], check=True)


def test_read_only_store_shows_what_it_has_and_takes_nothing(debian):
    with small_disk("32m") as disk, target(debian, "alternate.py") as alternator:
        with daemon(disk / "store") as client:
            client.run("attach", "-p", alternator.pid, "-d", "1", "-r", RATE, "-q", "--name", "kept")
            remount(disk, "ro")
            try:
                client.refuses("attach", "-p", alternator.pid, "-d", "1", "-q", code=1)
                client.refuses("sessions", "delete", "kept", code=1)
                assert [row["name"] for row in client.json("sessions", "list")["rows"]] == ["kept"]
                assert samples(client, "kept") > 0
            finally:
                remount(disk, "rw")
            client.run("attach", "-p", alternator.pid, "-d", "0.5", "-q")
        assert alternator.alive()


def test_store_that_is_deleted_while_the_daemon_records_ends_in_a_sentence(debian, store):
    with target(debian, "alternate.py") as alternator, daemon(store) as client:
        with client.recording(alternator.pid, "-r", RATE, "-q") as recording:
            time.sleep(1)
            # What is written meanwhile makes a folder not empty.
            while store.exists():
                shutil.rmtree(store, ignore_errors=True)
            time.sleep(1.5)
            assert client.daemon.poll() is None
            _, stderr = recording.end(code=None)
        assert recording.process.returncode in (0, 1), (recording.process.returncode, stderr)
        assert recording.process.returncode == 0 or (stderr.startswith("pycroscoped: ") and stderr.count("\n") == 1), stderr
        assert alternator.alive()
        # A store that is not there any more is a failure of each command, not of the service.
        client.refuses("attach", "-p", alternator.pid, "-d", "0.5", "-q", code=1)
        client.refuses("sessions", "list", code=1)
        (store / "sessions").mkdir(parents=True)
        client.run("attach", "-p", alternator.pid, "-d", "0.5", "-q")
        assert len(client.json("sessions", "list")["rows"]) == 1
