"""The installed package on a Debian of its own: a service for many users, through restarts and upgrades, until the purge."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from machine import Machine, booted
from program import PROGRAM, TARGETS, Target, read_line, running, wait_for

pytestmark = pytest.mark.timeout(1800)

PACKAGE = Path(__file__).parents[2] / "packaging/package"
SOCKET = "/run/pycroscope/pycroscope.sock"
USERS = ("alice", "bob", "carol")
SCRIPT = "burn_70_20_10.py"
# Where installing and removing any package leaves traces, and what the system writes by itself.
LEFT_BEHIND = ("/run", "/var/lib/dpkg", "/var/lib/apt", "/var/cache", "/var/log", "/var/lib/systemd/timers")


@pytest.fixture(scope="module")
def packages(tmp_path_factory) -> tuple[Path, Path]:
    """The package, and an older version of it."""
    folder = tmp_path_factory.mktemp("packages")
    made = [
        subprocess.run([PACKAGE, PROGRAM, folder, *version], stdout=subprocess.PIPE, text=True, check=True)
        for version in ((), ("0.0.1",))
    ]
    package, older = (Path(result.stdout.strip()) for result in made)
    return package, older


@pytest.fixture
def machine(packages, tmp_path) -> Iterator[Machine]:
    """Has the users, each with the target at home, and the packages in /opt, not installed."""
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True).returncode != 0:
        pytest.skip("cannot make namespaces here")
    with booted(tmp_path, dependencies(packages[0])) as started:
        for package in packages:
            shutil.copy(package, started.root / "opt")
        for user in USERS:
            started.run("useradd", "--create-home", "--shell", "/bin/sh", user)
            home = started.root / "home" / user
            shutil.copy(TARGETS / SCRIPT, home)
            started.run("chown", user, f"/home/{user}/{SCRIPT}")
            home.chmod(0o700)
        yield started


def dependencies(package: Path) -> list[str]:
    """The names of what it needs: the machine has no network to fetch that from."""
    field = subprocess.run(["dpkg-deb", "-f", package, "Depends"], capture_output=True, text=True, check=True).stdout
    return [alternatives.split()[0] for alternatives in field.split(",")]


def install(machine: Machine, package: Path) -> None:
    machine.run("apt-get", "install", "-y", "-q", f"/opt/{package.name}")
    version = package.name.split("_")[1]
    assert (
        machine.run("dpkg-query", "-W", "-f", "${Version} ${db:Status-Status}", "pycroscope").stdout == f"{version} installed"
    )


def kill(machine: Machine, pid: str) -> None:
    machine.run("sh", "-c", f"kill -KILL {pid}")


@contextlib.contextmanager
def burning(machine: Machine, user: str) -> Iterator[Target]:
    """The target, run by a user from their home; its `ready` is its pid inside the machine."""
    script = f"echo $$; exec python3 /home/{user}/{SCRIPT}"
    with running(machine.command("sh", "-c", script, user=user)) as target:
        target.ready = target.ready.strip()
        try:
            assert read_line(target.process.stdout) == "ready\n"
            yield target
        finally:
            kill(machine, target.ready)


def attach(machine: Machine, user: str, pid: str, *arguments, code: int = 0) -> str:
    """Records through the socket; what was said on stderr."""
    command = ("pycroscoped", "attach", "-p", pid, "-d", "2", "-q", "--socket", SOCKET, *arguments)
    return machine.run(*command, user=user, code=code).stderr


def sessions(machine: Machine, user: str = "root") -> list[dict]:
    listed = machine.run("pycroscoped", "sessions", "list", "--json", "--socket", SOCKET, user=user)
    return json.loads(listed.stdout)["rows"]


def ids(rows: list[dict]) -> set[str]:
    return {row["id"] for row in rows}


def samples_of(machine: Machine, session: str) -> int:
    report = machine.run("pycroscoped", "report", session, "--view", "functions", "--json", "--socket", SOCKET)
    rows = {row["function"]: row["samples"] for row in json.loads(report.stdout)["rows"]}
    return rows["main"]


def test_users_see_only_their_own_sessions(machine, packages):
    install(machine, packages[0])
    for unit in ("pycroscoped.socket", "pycroscoped.service"):
        assert machine.unit(unit)["ActiveState"] == "active", f"{unit} is not started"
    with contextlib.ExitStack() as stack:
        targets = {user: stack.enter_context(burning(machine, user)) for user in USERS}
        for user, target in targets.items():
            attach(machine, user, target.ready)
        for user, other in itertools.permutations(USERS, 2):
            said = attach(machine, user, targets[other].ready, code=4)
            assert said.startswith(f"pycroscoped: not permitted to look into process {targets[other].ready}"), said

        assert len(sessions(machine)) == len(USERS)
        source = hashlib.sha256((TARGETS / SCRIPT).read_bytes()).digest()
        for user, target in targets.items():
            [row] = sessions(machine, user)
            show = ("pycroscoped", "sessions", "show", row["id"], "--json", "--socket", SOCKET)
            shown = json.loads(machine.run(*show, user=user).stdout)
            assert shown["pid"] == int(target.ready) and shown["state"] == "complete"
            assert shown["config"]["sampler"] == "ebpf", "the service does not sample in the kernel"
            assert samples_of(machine, row["id"]) > 0
            folder = machine.root / "var/lib/pycroscope/sessions" / row["id"]
            assert folder.stat().st_uid == (machine.root / "home" / user).stat().st_uid
            # Stored under its hash (daemon/store/keys.h): neither a closed home nor the service's sandbox was in the way.
            assert any(source in file.read_bytes() for file in (folder / "db").iterdir()), f"no source of {user}'s session"
            for other in set(USERS) - {user}:
                refused = machine.run(*show, user=other, code=1)
                assert "there is no session" in refused.stderr


def test_exact_stacks_of_ones_own_processes_only(machine, packages):
    install(machine, packages[0])
    with burning(machine, "alice") as target:
        dump = ("pycroscoped", "dump", "--json", "-p", target.ready, "--socket", SOCKET)
        [thread] = json.loads(machine.run(*dump, user="alice").stdout)["threads"]
        assert [frame["function"] for frame in thread["frames"]][-2:] == ["main", "<module>"]
        machine.run(*dump, user="bob", code=4)


def test_sharing_with_a_group(machine, packages):
    install(machine, packages[0])
    machine.run("groupadd", "team")
    for user in ("alice", "bob"):
        machine.run("usermod", "-a", "-G", "team", user)
    with burning(machine, "alice") as target:
        attach(machine, "alice", target.ready)
    machine.run("pycroscoped", "sessions", "share", "latest", "--group", "team", "--socket", SOCKET, user="alice")
    assert ids(sessions(machine, "bob")) == ids(sessions(machine, "alice")) != set()
    assert sessions(machine, "carol") == []


def test_sessions_outlive_restarts(machine, packages):
    install(machine, packages[0])
    with burning(machine, "alice") as target:
        attach(machine, "alice", target.ready)
        with running(
            machine.command(
                "pycroscoped", "attach", "-p", target.ready, "--ready-fd", "1", "-q", "--socket", SOCKET, user="alice"
            ),
            stderr=subprocess.DEVNULL,
        ) as recording:
            session = recording.ready.split()[1]
            before = machine.unit("pycroscoped.service")
            assert before["ActiveState"] == "active" and before["Type"] == "notify"
            wait_for(lambda: {row["id"]: row["samples"] for row in sessions(machine)}[session] > 0)
            machine.run("systemctl", "restart", "pycroscoped.service")
            recording.process.wait(30)
        after = machine.unit("pycroscoped.service")
        assert after["ActiveState"] == "active" and after["MainPID"] != before["MainPID"] and after["NRestarts"] == "0"
        kept = {row["id"]: row for row in sessions(machine, "alice")}
        assert len(kept) == 2 and kept[session]["samples"] > 0 and kept[session]["state"] == "interrupted"
        assert samples_of(machine, session) > 0
        # Killed, it comes again by itself.
        kill(machine, after["MainPID"])
        wait_for(lambda: machine.unit("pycroscoped.service")["NRestarts"] == "1")
        attach(machine, "alice", target.ready)
    assert set(kept) < ids(sessions(machine, "alice"))


def test_sessions_outlive_an_upgrade(machine, packages):
    package, older = packages
    install(machine, older)
    with burning(machine, "bob") as target:
        attach(machine, "bob", target.ready)
        kept = ids(sessions(machine, "bob"))
        settings = machine.root / "etc/pycroscope/pycroscope.yaml"
        settings.write_text(settings.read_text() + "\nmax-sessions-per-user: 2\n")
        before, listening = machine.unit("pycroscoped.service"), machine.unit("pycroscoped.socket")
        install(machine, package)
        after = machine.unit("pycroscoped.service")
        assert after["ActiveState"] == "active" and after["MainPID"] != before["MainPID"], "not restarted"
        entered = "ActiveEnterTimestampMonotonic"
        assert machine.unit("pycroscoped.socket")[entered] == listening[entered], "it stopped listening in between"
        assert ids(sessions(machine, "bob")) == kept != set()
        attach(machine, "bob", target.ready)
        assert len(sessions(machine, "bob")) == 2
        assert "2" in attach(machine, "bob", target.ready, code=1), "the settings are lost"

        machine.run("systemctl", "stop", "pycroscoped.service")
        assert len(sessions(machine, "bob")) == 2, "the socket does not start it"


def files(machine: Machine) -> set[str]:
    found = machine.run(
        "find", "/", "(", "-path", "/proc", "-o", "-path", "/sys", "-o", "-path", "/dev", ")", "-prune", "-o", "-print"
    )
    return {line for line in found.stdout.splitlines() if not line.startswith("/tmp/")}


def test_purging_leaves_nothing(machine, packages):
    before = files(machine)
    install(machine, packages[0])
    with burning(machine, "carol") as target:
        attach(machine, "carol", target.ready)
    machine.run("pycroscoped", "sessions", "list")
    assert {"/etc/pycroscope/pycroscope.yaml", SOCKET, "/var/lib/pycroscope"} <= files(machine)

    machine.run("apt-get", "remove", "-y", "-q", "pycroscope")
    assert "/usr/bin/pycroscoped" not in files(machine)
    assert {"/etc/pycroscope/pycroscope.yaml", "/var/lib/pycroscope/sessions"} <= files(machine), (
        "removal took what purge takes"
    )
    machine.run("apt-get", "purge", "-y", "-q", "pycroscope")
    assert machine.run("systemctl", "list-units", "--all", "--no-legend", "pycroscope*").stdout.strip() == ""
    assert machine.run("sh", "-c", "cat /proc/[0-9]*/comm").stdout.split().count("pycroscoped") == 0
    left = {file for file in files(machine) - before if "pycroscop" in file or not file.startswith(LEFT_BEHIND)}
    assert left == set()
