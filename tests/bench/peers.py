"""The profilers that a bench compares: ours, and the two sampling ones that users know, from PyPI."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from interpreters import CACHE, TRIXIE
from program import Program, read_line

PACKAGES = {"py-spy": "0.4", "austin-dist": "4.0"}
VENV = CACHE / ("peers-" + "-".join(f"{name}-{version}" for name, version in PACKAGES.items()))
# Those that trace, for the size of their files.
TRACER_PACKAGES = {"viztracer": "1", "memray": "1"}
TRACERS = CACHE / ("tracers-" + "-".join(f"{name}-{version}" for name, version in TRACER_PACKAGES.items()))
# A profiler that does not say when it is live gets this long.
SETTLE_SECONDS = 0.3


def install_into(venv: Path, packages: dict[str, str]) -> None:
    if (venv / "complete").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
    wanted = [f"{name}=={version}.*" for name, version in packages.items()]
    subprocess.run([venv / "bin/pip", "install", "--quiet", *wanted], check=True)
    (venv / "complete").touch()


def install() -> None:
    install_into(VENV, PACKAGES)


def install_tracers() -> None:
    install_into(TRACERS, TRACER_PACKAGES)


def austin_command() -> list[str]:
    """Austin's wheel needs a newer C library than Debian 12 has; the one that came with trixie's Python serves."""
    loader, libraries = TRIXIE / "lib64/ld-linux-x86-64.so.2", TRIXIE / "usr/lib/x86_64-linux-gnu"
    return [str(loader), "--library-path", str(libraries), str(VENV / "bin/austin")]


@dataclasses.dataclass(frozen=True)
class Profiler:
    name: str
    options: tuple[str, ...] = ()  # added to what records

    def record(self, pid: int, rate: int, folder: Path) -> list[str]:
        """What records `pid` until it is interrupted."""
        if self.name == "py-spy":
            output = ["-f", "raw", "-o", str(folder / "py-spy")]
            return [str(VENV / "bin/py-spy"), "record", "-p", str(pid), "-r", str(rate), "-d", "3600", *output, *self.options]
        if self.name == "austin":
            return [
                *austin_command(),
                "-i",
                f"{1_000_000 // rate}us",
                "-x",
                "3600",
                "-o",
                str(folder / "austin"),
                *self.options,
                "-p",
                str(pid),
            ]
        if self is BARE_TIMER:
            return [sys.executable, str(Path(__file__).parent / "bare_timer.py"), str(pid), str(rate)]
        return ours(folder).command("attach", "-p", pid, "-r", rate, "-q", *self.options)

    def dump(self, pid: int, folder: Path) -> list[str]:
        if self.name == "py-spy":
            return [str(VENV / "bin/py-spy"), "dump", "-p", str(pid)]
        if self.name == "austin":
            return [*austin_command(), "-w", str(pid)]
        return ours(folder).command("dump", "-p", pid)

    @contextlib.contextmanager
    def recording(self, pid: int, rate: int, folder: Path) -> Iterator[subprocess.Popen]:
        """The profiler while it records."""
        says_ready = self.name == "pycroscope" or self is BARE_TIMER
        read_end, write_end = os.pipe()
        command = self.record(pid, rate, folder) + (["--ready-fd", str(write_end)] if says_ready else [])
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, pass_fds=[write_end]
        )
        os.close(write_end)
        with open(read_end, "rb", buffering=0) as ready:
            if says_ready:
                read_line(ready)
            else:
                time.sleep(SETTLE_SECONDS)
            assert process.poll() is None, f"{self.name} ended early"
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:  # py-spy works off what it missed
                    process.kill()
                    process.wait()


OURS = Profiler("pycroscope")
PEERS = [Profiler("py-spy"), Profiler("austin")]
BARE_TIMER = Profiler("a bare timer")


def ours(folder: Path) -> Program:
    return Program(folder / "store", "--store", str(folder / "store"))
