"""The committed core files, one of each interpreter (tests/golden/cores/make_core.py): read without that interpreter."""

import gzip
import json
import os
from pathlib import Path

import pytest
from golden.cores import core_file

GOLDEN = Path(__file__).parent.parent / "golden/cores"
NAMES = sorted(file.name.removesuffix(".core.gz") for file in GOLDEN.glob("*.core.gz"))


def unpack(name, folder):
    """The core file, and what a dump of it says."""
    core = folder / "core"
    core.write_bytes(gzip.decompress((GOLDEN / f"{name}.core.gz").read_bytes()))
    return core, json.loads((GOLDEN / f"{name}.json").read_text())


@pytest.fixture(params=NAMES)
def golden(request, tmp_path):
    return unpack(request.param, tmp_path)


def test_there_is_one_of_each_layout():
    assert {"3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.13-musl", "3.13t", "3.14", "3.15"} <= set(NAMES)


def test_dump_says_what_was_seen(golden, program):
    core, expected = golden
    result = program.run("dump", "--core", core, "--locals", "--json")
    assert json.loads(result.stdout) == expected
    assert result.stderr == ""


def test_no_other_file_is_looked_for(golden, program, tmp_path):
    core, _ = golden
    log = tmp_path / "log"
    program.prefix = ("strace", "-f", "-e", "trace=open,openat", "-o", log)
    program.run("dump", "--core", core, "--locals")
    assert str(core) in log.read_text()
    assert "/golden/" not in log.read_text().replace(str(core), "")


def test_cut_off_core_gives_what_is_there(golden, program):
    core, expected = golden
    size = core.stat().st_size
    known = {frame["function"] for thread in expected["threads"] for frame in thread["frames"]} | {"[unreadable]"}
    for tenths in range(9, 0, -1):
        os.truncate(core, size * tenths // 10)
        result = program.run("dump", "--core", core, "--json", code=None)
        assert result.returncode in (0, 1) and "cut off" in result.stderr, result
        if result.returncode == 0:
            dump = json.loads(result.stdout)
            assert {frame["function"] for thread in dump["threads"] for frame in thread["frames"]} <= known


@pytest.mark.parametrize("name", ["3.12", "3.13t", "3.14"])
def test_native_stacks_that_are_zeros_cut_the_python_ones_short(name, program, tmp_path):
    core, expected = unpack(name, tmp_path)
    content = bytearray(core.read_bytes())
    _, *stacks = [core_file.stack_pages(values) for values in core_file.registers(content).values()]
    for segment, at in core_file.read(content):
        if any(segment.address in stack for stack in stacks):
            content[at : at + core_file.PAGE] = bytes(core_file.PAGE)
    core.write_bytes(content)

    result = program.run("dump", "--core", core, "--locals", "--json")
    assert "lacks the native stacks of 5 of 6 threads" in result.stderr
    seen = {thread["name"]: thread for thread in json.loads(result.stdout)["threads"]}
    for thread in expected["threads"]:
        after = seen[thread["name"]]
        assert after["frames"] == thread["frames"][: len(after["frames"])]
        assert after["truncated"] == (thread["name"] != "MainThread")
    assert len(seen["\u65e5\u672c"]["frames"]) < 3, "sum() calls a generator from C"
