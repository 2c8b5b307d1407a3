"""What recording costs besides the target's time: own CPU and memory, waiting, disk.

Prints our figures beside the peers' and the limits; judges ratios only, since absolute times are the machine's."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import time

import pytest
from interpreters import wanted
from measure import cpu_seconds, rss_mb, table, timed_ms, worker
from peers import OURS, PEERS, Profiler, install, ours
from program import Program, daemon, target

LIBRARIES = 300
SESSIONS = 10_000
LONG_SECONDS = float(os.environ.get("PYCROSCOPE_BENCH_LONG_SECONDS", "600"))
ROUNDS = 15


@pytest.fixture(scope="module", autouse=True)
def peers_installed():
    install()


@pytest.fixture(scope="module")
def library_folder(tmp_path_factory):
    """Distinct files, each a shared library of its own to the dynamic loader."""
    folder = tmp_path_factory.mktemp("libraries")
    source = folder / "one.c"
    source.write_text("int one(void) { return 1; }\n")
    subprocess.run(["gcc", "-shared", "-o", folder / "0.so", source], check=True)
    source.unlink()
    for number in range(1, LIBRARIES):
        shutil.copy(folder / "0.so", folder / f"{number}.so")
    return folder


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A store with many sessions: one real one under many ids."""
    store = tmp_path_factory.mktemp("crowded") / "store"
    program = Program(store, "--store", str(store))
    with target(wanted()[0], "alternate.py") as alternator:
        program.run("attach", "-p", alternator.pid, "-d", "0.5", "-q")
    [original] = (store / "sessions").iterdir()
    content = (original / "session.pb").read_bytes()
    for number in range(SESSIONS - 1):
        name = f"20200101-000000-{number:06x}"
        # Hard links: the databases are not what is measured.
        shutil.copytree(original, original.parent / name, copy_function=os.link)
        (original.parent / name / "session.pb").unlink()
        (original.parent / name / "session.pb").write_bytes(content.replace(original.name.encode(), name.encode()))
    return program


def median_ms(action, rounds=ROUNDS):
    return statistics.median(timed_ms(action) for _ in range(rounds))


@pytest.mark.parametrize(("rate", "limit"), [(100, 0.3), (1000, 2.0)])
def test_own_cpu_and_memory(rate, limit, tmp_path):
    rows, used = [], {}
    with worker(wanted()[0]) as busy:
        for profiler in [OURS, *PEERS]:
            with profiler.recording(busy.pid, rate, tmp_path) as recorder:
                before, started = cpu_seconds(recorder.pid), time.monotonic()
                time.sleep(15)
                used[profiler.name] = 100 * (cpu_seconds(recorder.pid) - before) / (time.monotonic() - started)
                rows.append([profiler.name, f"{used[profiler.name]:.2f} %", f"{rss_mb(recorder.pid):.0f} MB"])
    table(f"own CPU and RSS at {rate} Hz, one busy thread; limit {limit} %", ["", "CPU", "RSS"], rows)
    assert used["pycroscope"] <= used["austin"], "dearer than Austin"


def attach_ms(program: Program, pid: int) -> tuple[float, float]:
    """From starting the command until it says ready, and from its request to the first stored sample."""
    started = time.perf_counter_ns()
    with program.recording(pid, "-r", 1000, "-q") as recording:
        ready = (time.perf_counter_ns() - started) / 1e6
        time.sleep(0.3)
        recording.end()
    shown = json.loads(program.run("sessions", "show", recording.session, "--json").stdout)
    return ready, shown["first_sample_ns"] / 1e6


def peer_first_output_ms(profiler: Profiler, pid: int, folder) -> float | None:
    """Until Austin's first sample is in its file. py-spy writes at the end only."""
    if profiler.name != "austin":
        return None
    output = folder / "austin"
    output.unlink(missing_ok=True)
    started = time.perf_counter_ns()
    with subprocess.Popen(profiler.record(pid, 1000, folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (output.exists() and output.stat().st_size):
            time.sleep(0.0005)
        elapsed = (time.perf_counter_ns() - started) / 1e6
        process.kill()
    return elapsed


@contextlib.contextmanager
def ways(tmp_path, crowded):
    """Every way of running our program whose waiting time is measured."""
    alone = ours(tmp_path)
    with daemon(tmp_path / "served") as served, daemon(crowded.store) as served_crowded:
        yield {
            "pycroscope": alone,
            "through a daemon": served,
            f"{SESSIONS} sessions": crowded,
            f"{SESSIONS} sessions, daemon": served_crowded,
        }


def test_waiting(library_folder, crowded, tmp_path):
    rows = []
    with target(wanted()[0], "many_libs.py", str(library_folder)) as loaded, ways(tmp_path, crowded) as programs:
        for name, program in programs.items():
            measured = [attach_ms(program, loaded.pid) for _ in range(ROUNDS)]
            ready, first = (f"{statistics.median(column):.1f}" for column in zip(*measured, strict=True))
            dump = f"{median_ms(lambda p=program: p.run('dump', '-p', loaded.pid)):.1f}"
            rows.append([name, ready, first, dump])
        for profiler in PEERS:
            first = [peer_first_output_ms(profiler, loaded.pid, tmp_path) for _ in range(ROUNDS)]
            command = profiler.dump(loaded.pid, tmp_path)
            dump = median_ms(lambda c=command: subprocess.run(c, capture_output=True))
            rows.append([profiler.name, "", "" if None in first else f"{statistics.median(first):.1f}", f"{dump:.1f}"])
    limits = ["limit alone / daemon", "", "100 / 30", "25 / 10"]
    header = ["ms", "attach to ready", "request to first sample", "dump"]
    table(f"waiting, target with {LIBRARIES} libraries", header, [*rows, limits])


def test_help_and_listing(crowded):
    program_help = median_ms(lambda: Program(None).run("--help"))
    listing = median_ms(lambda: crowded.run("sessions", "list", "--json"), rounds=5)
    with daemon(crowded.store) as served:
        served.run("sessions", "list")
        through_daemon = median_ms(lambda: served.run("sessions", "list", "--json"), rounds=5)
        assert len(served.json("sessions", "list")["rows"]) >= SESSIONS  # other tests record into it, too
    rows = [
        ["--help", f"{program_help:.1f}", "10"],
        [f"list {SESSIONS} sessions", f"{listing:.0f}", "1000"],
        ["... through a daemon", f"{through_daemon:.0f}", "1000"],
    ]
    table("commands", ["", "ms", "limit"], rows)


@pytest.mark.parametrize(("order", "seconds"), [("phases", LONG_SECONDS), ("random", LONG_SECONDS / 5)])
def test_memory_and_disk_of_a_long_recording(order, seconds, tmp_path):
    busy = target(wanted()[0], "many_stacks.py", order)
    with busy as stacks, ours(tmp_path).recording(stacks.pid, "-r", 1000, "-q") as recording:
        time.sleep(seconds)
        memory = rss_mb(recording.pid)
        recording.end()
    [row] = ours(tmp_path).json("sessions", "list")["rows"]
    folder = tmp_path / "store" / "sessions" / recording.session
    on_disk = sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file())
    rows = [
        ["RSS", f"{memory:.1f} MB", "60 MB"],
        ["bytes a sample, everything", f"{on_disk / row['samples']:.2f}", "1.5"],
    ]
    table(f"{seconds:.0f} s at 1 kHz, 500 distinct stacks ({order}), {row['samples']} samples", ["", "", "limit"], rows)
    # Which of 500 stacks comes next takes 9 bits where nothing leads to it.
    limit = 1.5 if order == "phases" else 1.5 + 9 / 8
    assert on_disk / row["samples"] <= limit * max(1, 600 / seconds)
