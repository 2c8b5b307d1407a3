"""Stores and outputs that are missing, unreadable, damaged or full."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from program import Program, collapsed, python_frames, target


@contextlib.contextmanager
def small_disk(size):
    """A tmpfs of `size`."""
    with tempfile.TemporaryDirectory(prefix="pyc-disk-") as folder:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder], capture_output=True, text=True)
        if mounted.returncode != 0:
            pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
        try:
            yield Path(folder)
        finally:
            subprocess.run(["umount", folder], check=True)


def record(program, debian, *arguments, **options):
    with target(debian, "alternate.py") as alternator:
        result = program.run("attach", "-p", alternator.pid, "-d", "1", "-r", 1000, "-q", *arguments, **options)
        assert alternator.alive()
    return result


def test_missing_output_folder_is_refused_before_anything_is_recorded(debian, program, tmp_path):
    with target(debian, "alternate.py") as alternator:
        output = tmp_path / "missing" / "out.txt"
        arguments = ["-p", alternator.pid, "-q", "-f", "collapsed", "-o", output]
        assert str(tmp_path / "missing") in program.refuses("attach", *arguments, code=1, seconds=20)
    assert program.json("sessions", "list")["rows"] == []


def test_full_output_keeps_the_recording(debian, program):
    with target(debian, "alternate.py") as alternator:
        program.refuses("attach", "-p", alternator.pid, "-d", "1", "-q", "-f", "json", "-o", "/dev/full", code=1)
    [row] = program.json("sessions", "list")["rows"]
    assert row["samples"] > 0
    program.refuses("export", "-f", "collapsed", "-o", "/dev/full", code=1)


def test_failed_export_leaves_no_half_file(debian, program):
    record(program, debian)
    with small_disk("4k") as disk:
        program.refuses("export", "-f", "svg", "-o", disk / "out.svg", code=1)
        assert list(disk.iterdir()) == []


def test_store_on_a_full_disk_is_refused_or_keeps_what_fits(debian):
    with small_disk("4m") as disk:
        with contextlib.suppress(OSError), open(disk / "ballast", "wb", buffering=0) as ballast:
            while True:
                ballast.write(b"x" * 4096)
        program = Program(disk, "--store", str(disk / "store"))
        with target(debian, "alternate.py") as alternator:
            program.refuses("attach", "-p", alternator.pid, "-d", "1", "-q", code=1)
            assert alternator.alive()
        os.unlink(disk / "ballast")
        assert program.json("sessions", "list")["rows"] == []


def test_disk_that_fills_up_keeps_what_was_recorded_and_counts_the_rest(debian):
    with small_disk("6m") as disk:
        program = Program(disk, "--store", str(disk / "store"))
        with target(debian, "many_stacks.py") as stacks:
            with program.recording(stacks.pid, "-r", 1000, "-q") as recording:
                time.sleep(2.5)
                with contextlib.suppress(OSError), open(disk / "ballast", "wb", buffering=0) as ballast:
                    while True:
                        ballast.write(b"x" * 4096)
                time.sleep(2.5)
                _, stderr = recording.end(code=None)
            assert recording.process.returncode in (0, 1), stderr
            assert stacks.alive()
        os.unlink(disk / "ballast")
        report = program.json("report", recording.session, "--view", "threads")
        assert sum(row["samples"] for row in report["rows"]) > 0


def test_unwritable_store(debian, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    program = Program(tmp_path, "--store", str(blocked / "store"))
    with target(debian, "alternate.py") as alternator:
        assert str(blocked) in program.refuses("attach", "-p", alternator.pid, "-d", "1", "-q", code=1)


def damage(path: Path, how: str) -> None:
    data = path.read_bytes()
    if how == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif how == "garbled":
        path.write_bytes(bytes(byte ^ 0x5A for byte in data))
    elif how == "empty":
        path.write_bytes(b"")
    else:
        path.unlink()


@pytest.mark.parametrize("how", ["cut", "garbled", "empty", "gone"])
def test_damaged_session_says_so_and_hides_no_other(debian, program, how):
    record(program, debian, "--name", "good")
    record(program, debian, "--name", "bad")
    bad = program.json("sessions", "list")["rows"][0]["id"]
    folder = program.store / "sessions" / bad
    for path in list(folder.rglob("*")):
        if path.is_file() and path.name not in ("LOCK", "session.pb"):
            damage(path, how)
    result = program.run("report", bad, code=None)
    # Either it is refused in one sentence or what can still be read is shown; never a crash.
    assert result.returncode in (0, 1), result
    if result.returncode == 1:
        assert result.stderr.startswith("pycroscoped: ") and result.stderr.count("\n") == 1, result.stderr
    program.run("report", "good")
    damage(folder / "session.pb", how)
    listed = program.run("sessions", "list", "--json")
    assert "good" in listed.stdout
    program.run("report", "good")
    program.run("sessions", "prune", "--keep", "1")
    record(program, debian)


def test_packed_session_opens_as_it_was(debian, program, tmp_path):
    record(program, debian)
    packed = tmp_path / "session.pack"
    program.run("sessions", "pack", "latest", "-o", packed)
    before = program.run("export", "-f", "collapsed", "-o", "-").stdout
    assert python_frames(collapsed(before))
    # A packed file can be named in the place of a session ...
    assert program.run("export", packed, "-f", "collapsed", "-o", "-").stdout == before
    # ... and unpacked into another store.
    other = Program(tmp_path / "other", "--store", str(tmp_path / "other"))
    other.run("sessions", "unpack", packed)
    assert other.run("export", "-f", "collapsed", "-o", "-").stdout == before


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"not a session\n" * 1000, b"\x28\xb5\x2f\xfd" + b"\xff" * 100])
def test_garbage_cannot_be_unpacked(program, tmp_path, content):
    packed = tmp_path / "garbage"
    packed.write_bytes(content)
    program.refuses("sessions", "unpack", packed, code=1)
    program.refuses("report", packed, code=1)
    assert program.json("sessions", "list")["rows"] == []


def test_cut_pack_cannot_be_unpacked(debian, program, tmp_path):
    record(program, debian)
    packed = tmp_path / "session.pack"
    program.run("sessions", "pack", "latest", "-o", packed)
    data = packed.read_bytes()
    other = Program(tmp_path / "other", "--store", str(tmp_path / "other"))
    for size in (1, len(data) // 3, len(data) - 1):
        packed.write_bytes(data[:size])
        other.refuses("sessions", "unpack", packed, code=1)
    assert other.json("sessions", "list")["rows"] == []


def test_deleted_session_is_gone(debian, either):
    record(either, debian, "--name", "a")
    record(either, debian, "--name", "b")
    either.run("sessions", "delete", "a")
    assert [row["name"] for row in either.json("sessions", "list")["rows"]] == ["b"]
    assert len(list((either.store / "sessions").iterdir())) == 1


def test_store_that_is_removed_while_recording_ends_in_a_sentence(debian, program):
    with target(debian, "alternate.py") as alternator:
        with program.recording(alternator.pid, "-q") as recording:
            # What is written meanwhile makes a folder not empty.
            while program.store.exists():
                shutil.rmtree(program.store, ignore_errors=True)
            _, stderr = recording.end(code=None)
        assert recording.process.returncode in (0, 1), (recording.process.returncode, stderr)
        assert alternator.alive()
