"""`dump --core`: real core files show what the live process showed just before; bad ones get one sentence."""

import gzip
import json
import lzma
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

import pytest
from program import Program, target, wait_for

NOBODY = 65534
CORE_PATTERN = Path("/proc/sys/kernel/core_pattern").read_text().strip()


def waiting_dump(program, pid):
    """A live dump with locals, once every thread waits."""

    def dump():
        found = program.json("dump", "--locals", "-p", pid)
        return found if len(found["threads"]) == 3 and all(t["state"] == "waiting" for t in found["threads"]) else None

    return wait_for(dump)


def run_dump_core(program, core, interpreter, *options):
    """The dump of a core file, whose program may be in a chroot that is not ours."""
    executable = [] if interpreter.root is None else ["--executable", interpreter.root / interpreter.executable.lstrip("/")]
    return program.run("dump", "--core", core, *executable, *options, "--json")


def dump_core(*arguments):
    return json.loads(run_dump_core(*arguments).stdout)


def assert_same(live, core):
    assert core["stopped_ns"] is None
    assert {**live, "stopped_ns": None} == core


def assert_same_but_for_callers(live, core):
    """What follows on a stack that the core file lacks is left out, and nothing else."""
    assert [thread["name"] for thread in live["threads"]] == [thread["name"] for thread in core["threads"]]
    for before, after in zip(live["threads"], core["threads"], strict=True):
        shown = len(after["frames"])
        assert shown > 0 and after["frames"] == before["frames"][:shown]
        assert after["truncated"] or after == before


def make_gcore(pid, folder):
    """The core file, and of how many threads gdb could not save the stack."""
    said = subprocess.run(["gcore", "-o", folder / "gcore", str(pid)], check=True, capture_output=True, text=True).stderr
    # It gives up what begins with the guard page that glibc has inside of its stacks since 2.42.
    return folder / f"gcore.{pid}", said.count("Memory read failed for corefile section, 1048576 bytes")


def check_gcore(interpreter, program, folder):
    with target(interpreter, "waiting_threads.py") as waiting:
        live = waiting_dump(program, waiting.pid)
        core, lost_stacks = make_gcore(waiting.pid, folder)
    result = run_dump_core(program, core, interpreter, "--locals")
    if lost_stacks == 0:
        assert result.stderr == ""
        assert_same(live, json.loads(result.stdout))
    else:
        assert f"lacks the native stacks of {lost_stacks} of 3 threads" in result.stderr
        assert_same_but_for_callers(live, json.loads(result.stdout))


def test_gcore_shows_what_the_live_process_did(interpreter, program, tmp_path):
    check_gcore(interpreter, program, tmp_path)


@pytest.mark.skipif(
    CORE_PATTERN.startswith("|") or "/" in CORE_PATTERN or "%" in CORE_PATTERN,
    reason=f"the kernel's core files go to {CORE_PATTERN}, which is not ours to read",
)
def test_the_kernels_core_shows_what_the_live_process_did(interpreter, program, tmp_path):
    def allow_cores():
        resource.setrlimit(resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))

    with target(interpreter, "waiting_threads.py", cwd=tmp_path, preexec_fn=allow_cores) as waiting:
        live = waiting_dump(program, waiting.pid)
        folder = Path(f"/proc/{waiting.pid}/cwd").resolve()
        os.kill(waiting.pid, signal.SIGSEGV)
        waiting.process.wait()
    [core] = [folder / name for name in ("core", f"core.{waiting.pid}") if (folder / name).exists()]
    try:
        assert_same(live, dump_core(program, core, interpreter, "--locals"))
    finally:
        core.unlink()


@pytest.fixture
def core(debian, program, tmp_path):
    """A core file that may be damaged, and what is in it."""
    with target(debian, "waiting_threads.py") as waiting:
        waiting_dump(program, waiting.pid)
        file, _ = make_gcore(waiting.pid, tmp_path)
    return file


def test_text_names_the_file_and_the_threads(core, program):
    text = program.run("dump", "--core", core).stdout
    assert text.startswith("Process ") and str(core) in text.splitlines()[0]
    assert '"locked" (waiting)' in text and "generate" in text


def test_files_that_are_no_core_files(program, tmp_path, debian):
    def refused(content: bytes, code: int = 1) -> str:
        file = tmp_path / "file"
        file.write_bytes(content)
        return program.refuses("dump", "--core", file, code=code)

    header = bytearray(b"\x7fELF\2\1\1" + bytes(9) + b"\4\0\x3e\0" + bytes(34) + b"\x38\0" + bytes(8))
    header[32] = 64
    assert "is empty" in refused(b"")
    assert "not a core file" in refused(b"#!/bin/sh\n" * 100)
    assert "not a core file" in refused(Path(debian.executable).read_bytes())
    assert "32-bit" in refused(bytes(header[:4]) + b"\1" + bytes(header[5:]))
    assert "machine" in refused(bytes(header[:18]) + b"\xb7\0" + bytes(header[20:]))
    assert "cut off" in refused(bytes(header))
    for size in (5, 20, 63):
        assert "cut off" in refused(bytes(header[:size]))
    assert "zstd" in refused(b"\x28\xb5\x2f\xfd" + bytes(100))
    assert "gzip" in refused(gzip.compress(bytes(100)))
    assert "xz" in refused(lzma.compress(bytes(100)))


def test_what_cannot_be_opened(core, program, tmp_path):
    assert "not a regular file" in program.refuses("dump", "--core", tmp_path, code=1)
    os.mkfifo(tmp_path / "fifo")
    assert "not a regular file" in program.refuses("dump", "--core", tmp_path / "fifo", code=1)
    assert "No such file" in program.refuses("dump", "--core", tmp_path / "nowhere", code=1)
    assert program.run("dump", "--core", core, "-p", 1, code=2)
    assert program.run("dump", "--executable", core, code=2)


def test_a_file_that_one_may_not_read(core):
    core.chmod(0o600)
    with tempfile.TemporaryDirectory() as store:
        os.chown(store, NOBODY, NOBODY)
        prefix = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")
        nobody = Program(Path(store), "--store", store, prefix=prefix)
        assert str(core) in nobody.refuses("dump", "--core", core, code=4, cwd="/")


def test_cut_off_anywhere(core, program):
    size = core.stat().st_size
    for keep in (size * 3 // 4, size // 2, size // 10, 100_000, 5_000, 64):
        os.truncate(core, keep)
        assert "cut off" in program.refuses("dump", "--core", core, code=1)


def test_a_program_that_is_missing_or_another_one(core, program, tmp_path):
    other = shutil.which("true")
    assert "not the build" in program.refuses("dump", "--core", core, "--executable", other, code=1)
    missing = tmp_path / "missing"
    assert "missing" in program.refuses("dump", "--core", core, "--executable", missing, code=1)


def test_no_python_in_it(program, tmp_path):
    with subprocess.Popen(["sleep", "100"]) as sleeper:
        core, _ = make_gcore(sleeper.pid, tmp_path)
        sleeper.kill()
    assert "not a Python process" in program.refuses("dump", "--core", core, code=1)
