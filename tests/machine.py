"""A Debian with systemd, booted in a container that has no network but loopback."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from debian import bootstrap
from interpreters import CACHE

TREE = CACHE / "bookworm-systemd"
BOOT_SECONDS = 120
# All ends with the first process, which is killed; a shutdown would wait for what was not started by systemd.
END = "--kill-signal=SIGKILL"
# nspawn leaves out what sampling in the kernel needs.
ALLOWED = ("--capability=CAP_BPF,CAP_PERFMON,CAP_SYS_PTRACE", "--system-call-filter=bpf perf_event_open @debug")


class Machine:
    """A booted system, entered through the namespaces of its first process."""

    def __init__(self, root: Path, leader: int):
        self.root = root
        self.leader = leader

    def command(self, *words, user: str = "root") -> list[str]:
        """What runs a command in it, on the outside one process that ends with it."""
        enter = ["nsenter", f"--target={self.leader}", "--all", "--", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        return [*enter, "NO_COLOR=1", "DEBIAN_FRONTEND=noninteractive", "runuser", "-u", user, "--", *map(str, words)]

    def run(self, *words, user: str = "root", code: int | None = 0, seconds: float = 120) -> subprocess.CompletedProcess:
        """Runs a command to its end; `code` None accepts any exit code."""
        result = subprocess.run(
            self.command(*words, user=user), capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=seconds
        )
        assert code is None or result.returncode == code, (
            f"{words} exited with {result.returncode}, not {code}\n"
            f"stdout: {result.stdout[-2000:]}\nstderr: {result.stderr[-2000:]}"
        )
        return result

    def unit(self, name: str) -> dict[str, str]:
        """The properties of a unit."""
        return dict(line.split("=", 1) for line in self.run("systemctl", "show", name).stdout.splitlines() if "=" in line)


def first_child(process: subprocess.Popen) -> int | None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else None


def has_booted(machine: Machine) -> bool:
    state = machine.run("systemctl", "is-system-running", code=None).stdout.strip()
    assert state != "degraded", machine.run("systemctl", "list-units", "--failed").stdout
    return state == "running"


def control_groups() -> set[Path]:
    """Those that nspawn makes for containers, and leaves."""
    return {folder for name in ("payload", "supervisor") for folder in Path("/sys/fs/cgroup").glob(f"**/{name}")}


def remove_control_group(group: Path) -> None:
    for folder in [*sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True), group]:
        folder.rmdir()


@contextlib.contextmanager
def booted(folder: Path, packages: list[str]) -> Iterator[Machine]:
    """A fresh machine that has `packages`, with its files in `folder`."""
    bootstrap(TREE, "bookworm", ["systemd-sysv", "python3-minimal", *packages])
    root = folder / "root"
    subprocess.run(["cp", "-a", "--reflink=auto", TREE, root], check=True)
    log = folder / "boot.log"
    nspawn = ["systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--register=no", "--keep-unit"]
    groups = control_groups()
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *nspawn, "--private-network", "--console=pipe", END, *ALLOWED],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + BOOT_SECONDS
        while (leader := first_child(process)) is None or not has_booted(Machine(root, leader)):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.2)
        yield Machine(root, leader)
    finally:
        process.terminate()
        process.wait(60)
        for group in control_groups() - groups:
            remove_control_group(group)
        shutil.rmtree(root)
