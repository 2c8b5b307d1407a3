"""Many commands on one store at once, and many users on one daemon."""

import contextlib
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from program import Program, daemon, running, target

USERS = (61001, 61002)


def start(program, *arguments):
    return subprocess.Popen(
        program.command(*arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=program.environment(),
    )


def finish(process):
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, (process.args, process.returncode, stdout, stderr)


def test_four_attach_a_report_and_a_prune_at_once(debian, either):
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(target(debian, "alternate.py")) for _ in range(4)]
        for each in targets:
            either.run("attach", "-p", each.pid, "-d", "0.5", "-q", "--name", "older")
        attaches = [start(either, "attach", "-p", each.pid, "-d", "4", "-r", 100, "-q") for each in targets]
        while any(attach.poll() is None for attach in attaches):
            others = [
                start(either, "report", "older"),
                start(either, "sessions", "prune", "--keep", "6"),
                start(either, "sessions", "list"),
                start(either, "report", "--view", "lines", "--json"),
            ]
            for other in others:
                finish(other)
        for attach in attaches:
            finish(attach)
    rows = either.json("sessions", "list")["rows"]
    assert sum(row["name"] != "older" for row in rows) == 4
    assert len(rows) <= 6
    for row in rows:
        assert row["state"] == "complete"
        assert row["samples"] > 0 or row["name"] == "older"
        either.run("report", row["id"])


def test_prune_spares_what_is_being_recorded(debian, either):
    with target(debian, "alternate.py") as alternator:
        with either.recording(alternator.pid) as recording:
            either.run("sessions", "prune", "--keep", "0")
            recording.end()
        assert [row["id"] for row in either.json("sessions", "list")["rows"]] == [recording.session]


def test_session_can_be_read_while_it_is_written(debian, either):
    with target(debian, "alternate.py") as alternator, either.recording(alternator.pid, "-r", 1000) as recording:
        time.sleep(2.5)
        rows = either.json("report", recording.session, "--view", "functions")["rows"]
        assert {"outer_a", "outer_b"} <= {row["function"] for row in rows}
        assert either.json("sessions", "list")["rows"][0]["state"] == "recording"


def test_one_target_can_be_recorded_twice_at_once(debian, either):
    with target(debian, "alternate.py") as alternator:
        both = [start(either, "attach", "-p", alternator.pid, "-d", "2", "-r", 1000, "-q") for _ in range(2)]
        for attach in both:
            finish(attach)
    assert all(row["samples"] > 0 for row in either.json("sessions", "list")["rows"])


@pytest.fixture
def two_users():
    """Root's daemon and the program as two unprivileged users of it, each with a target of their own."""
    with tempfile.TemporaryDirectory(prefix="pyc-users-") as folder, contextlib.ExitStack() as stack:
        os.chmod(folder, 0o755)
        root = stack.enter_context(daemon(Path(folder) / "store"))
        users = []
        for uid in USERS:
            become = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs", "--")
            # --pdeathsig is lost when the ids change, so it is set after that.
            script = "import sys\nprint('ready', flush=True)\nwhile True: pass"
            own = stack.enter_context(running([*become, "setpriv", "--pdeathsig", "KILL", "--", "python3.11", "-c", script]))
            users.append((Program(root.store, *root.common, prefix=become), own))
        yield root, users


def test_two_users_of_one_daemon_cannot_touch_each_other(two_users):
    root, ((one, target_one), (two, target_two)) = two_users
    for user, own in ((one, target_one), (two, target_two)):
        user.run("attach", "-p", own.pid, "-d", "1", "-r", 1000, "-q", "--name", f"of-{own.pid}", cwd="/")
        user.run("dump", "-p", own.pid, cwd="/")
    one.refuses("attach", "-p", target_two.pid, "-d", "1", "-q", code=4, cwd="/")
    one.refuses("dump", "-p", target_two.pid, code=4, cwd="/")
    one.refuses("attach", "-p", os.getpid(), "-d", "1", "-q", code=4, cwd="/")

    [mine] = one.json("sessions", "list")["rows"]
    [theirs] = two.json("sessions", "list")["rows"]
    assert (mine["name"], theirs["name"]) == (f"of-{target_one.pid}", f"of-{target_two.pid}")
    for words in (["report"], ["sessions", "show"], ["sessions", "delete"]):
        for name in (theirs["id"], theirs["name"]):
            one.refuses(*words, name, code=1, cwd="/")
    assert one.json("report", "latest", "--view", "threads")["session"] == mine["id"]
    one.run("sessions", "prune", "--keep", "0", cwd="/")
    assert one.json("sessions", "list")["rows"] == []
    assert [row["id"] for row in two.json("sessions", "list")["rows"]] == [theirs["id"]]
    assert [row["id"] for row in root.json("sessions", "list")["rows"]] == [theirs["id"]]
    assert target_one.alive() and target_two.alive()


def test_sudo_leaves_what_it_made_to_the_caller(debian):
    uid = USERS[0]
    with tempfile.TemporaryDirectory(prefix="pyc-sudo-") as folder, target(debian, "alternate.py") as alternator:
        os.chmod(folder, 0o755)
        home = Path(folder) / "home"
        home.mkdir()
        os.chown(home, uid, uid)
        store = home / "state" / "store"
        sudo = Program(store, "--store", str(store), prefix=("env", f"SUDO_UID={uid}", f"SUDO_GID={uid}"))
        sudo.run("attach", "-p", alternator.pid, "-d", "1", "-r", 1000, "-q", "--name", "mine")
        made = [home / "state", *(home / "state").rglob("*")]
        assert len(made) > 5
        assert not [str(path) for path in made if path.lstat().st_uid != uid or path.lstat().st_gid != uid]
        become = ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--")
        caller = Program(store, "--store", str(store), prefix=become)
        [row] = caller.json("sessions", "list")["rows"]
        assert row["name"] == "mine" and row["samples"] > 0
        caller.run("report", "mine", cwd="/")
        caller.run("sessions", "delete", "mine", cwd="/")
        assert not list((store / "sessions").iterdir())


def test_stored_files_are_closed_to_other_users(two_users):
    root, ((one, target_one), _) = two_users
    one.run("attach", "-p", target_one.pid, "-d", "1", "-q", cwd="/")
    sessions = list((root.store / "sessions").iterdir())
    assert len(sessions) == 1
    assert sessions[0].stat().st_uid == USERS[0]
    assert not sessions[0].stat().st_mode & 0o077, oct(sessions[0].stat().st_mode)
