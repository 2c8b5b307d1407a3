"""A thousand times in and out of targets of all kinds: none is hurt, held up or left slower."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
import re
import shutil
import struct
import time
from pathlib import Path

import pytest
from program import Program, Target, target, wait_for

ROUNDS = int(os.environ.get("PYCROSCOPE_TEST_ROUNDS", "1000"))  # of each interpreter
BUSY = ["busy", "compressing", "hashing", "sorting"]
KINDS = [*BUSY, "sleeping", "receiving", "locking"]
COLLECTORS = ["call", "all", "gc,import,exception", "line"]
SECONDS = 0.05  # of each round
WITHOUT_ZLIB = "musl"  # begins the names of interpreters that were built so


class Counting:
    """A target that counts in its own memory how often it has done what it does."""

    def __init__(self, started: Target):
        self.target = started
        self.memory = Path(f"/proc/{started.pid}/fd/{started.ready.split()[1]}")

    def count(self) -> int:
        with open(self.memory, "rb", buffering=0) as memory:
            return struct.unpack("Q", memory.read(8))[0]

    def speed(self) -> float:
        """How often a second of its CPU time, in the best of some moments; 0 when it uses too little to tell."""

        def moment():
            count, cpu_ns, until = self.count(), self.target.cpu_ns(), time.monotonic() + 2
            used_ns = 0
            while used_ns < 50_000_000 and time.monotonic() < until:
                time.sleep(0.1)
                used_ns = self.target.cpu_ns() - cpu_ns
            return (self.count() - count) / used_ns * 1e9 if used_ns >= 50_000_000 else 0

        return max(moment() for _ in range(5))

    def memory_kb(self) -> int:
        status = Path(f"/proc/{self.target.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[1])

    def maps(self) -> int:
        return Path(f"/proc/{self.target.pid}/maps").read_bytes().count(b"\n")

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.target.pid}/task"))


@dataclasses.dataclass
class Row:
    """Of the table that is printed."""

    kind: str
    rounds: int = 0
    seconds: float = 0
    events: int = 0
    lost: int = 0
    speed: float = 1  # afterwards, of that before
    kb_a_round: float = 0
    maps_a_round: float = 0

    def __str__(self) -> str:
        return (
            f"{self.kind:12} {self.rounds:6} {self.seconds / max(self.rounds, 1):8.2f} {self.events:12} {self.lost:12} "
            f"{self.speed:8.2f} {self.kb_a_round:10.0f} {self.maps_a_round:10.1f}"
        )


HEADING = "target       rounds  s/round       events         lost    speed   kB/round maps/round"


def goes_on(counting: Counting, kind: str) -> None:
    assert counting.target.alive(), f"{kind}: ended with {counting.target.process.returncode}"
    if kind == "receiving":
        assert counting.target.state() == "S"
        return
    before = counting.count()
    wait_for(lambda: counting.count() > before)


def in_and_out(folder: Path, counting: Counting, kind: str, collectors: str) -> tuple[int, int]:
    """How many events were recorded and lost."""
    program = Program(folder, "--store", str(folder))
    try:
        program.run("attach", "-p", counting.target.pid, "--trace", collectors, "-d", SECONDS, "-q", seconds=30)
        goes_on(counting, kind)
        session = program.json("sessions", "show")
        return session["loss"]["recorded"], session["loss"]["lost"]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rounds_of(kind: str, number: int, interpreter, folder: Path) -> Row:
    row = Row(kind)
    with target(interpreter, "trace_rounds.py", kind) as started:
        counting = Counting(started)
        time.sleep(0.2)
        speed = counting.speed() if kind in BUSY else 0
        kb = maps = threads = 0
        for collectors in itertools.islice(itertools.cycle(COLLECTORS), number):
            begin = time.monotonic()
            recorded, lost = in_and_out(folder, counting, kind, collectors)
            row.seconds += time.monotonic() - begin
            # Nothing of what the third looks for happens here.
            if kind != "receiving" and collectors != COLLECTORS[2]:
                assert recorded > 0, (kind, row.rounds, collectors)
            if row.rounds == 0:
                kb, maps, threads = counting.memory_kb(), counting.maps(), counting.threads()
            row.rounds += 1
            row.events += recorded
            row.lost += lost
        row.kb_a_round = (counting.memory_kb() - kb) / max(number - 1, 1)
        row.maps_a_round = (counting.maps() - maps) / max(number - 1, 1)
        if kind in BUSY:
            row.speed = counting.speed() / speed
        wait_for(lambda: counting.threads() == threads)
    return row


@pytest.mark.timeout(2400)
def test_a_thousand_rounds_leave_every_target_as_it_was(traceable, tmp_path):
    kinds = [kind for kind in KINDS if kind != "compressing" or not traceable.name.startswith(WITHOUT_ZLIB)]
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: print(f"\n{traceable.name}\n{HEADING}", *rows, sep="\n"))
        for number, kind in enumerate(kinds, 1):
            share = ROUNDS * number // len(kinds) - ROUNDS * (number - 1) // len(kinds)
            rows.append(rounds_of(kind, share, traceable, tmp_path / "store"))
    # The CPUs may be shared with others; hooks that are left behind would halve it, or worse.
    assert all(row.speed > 0.6 for row in rows)
