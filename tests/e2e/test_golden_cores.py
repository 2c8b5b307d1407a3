"""The committed core files, one of each interpreter (tests/golden/cores/make_core.py): read without that interpreter."""

import json
import lzma
import os
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent.parent / "golden/cores"
NAMES = sorted(file.name.removesuffix(".core.xz") for file in GOLDEN.glob("*.core.xz"))


@pytest.fixture(params=NAMES)
def golden(request, tmp_path):
    """The core file, unpacked, and what a dump of it says."""
    core = tmp_path / "core"
    core.write_bytes(lzma.decompress((GOLDEN / f"{request.param}.core.xz").read_bytes()))
    return core, json.loads((GOLDEN / f"{request.param}.json").read_text())


def test_there_are_some():
    assert len(NAMES) >= 4


def test_dump_says_what_was_seen(golden, program):
    core, expected = golden
    assert program.json("dump", "--core", core, "--locals") == expected


def test_cut_off_core_gives_what_is_there(golden, program):
    core, expected = golden
    size = core.stat().st_size
    known = {frame["function"] for thread in expected["threads"] for frame in thread["frames"]} | {"[unreadable]"}
    dumps = []
    for tenths in range(9, 0, -1):
        os.truncate(core, size * tenths // 10)
        result = program.run("dump", "--core", core, "--json", code=None)
        assert result.returncode in (0, 1) and "cut off" in result.stderr, result
        if result.returncode == 0:
            dumps.append(json.loads(result.stdout))
    for dump in dumps:
        assert {frame["function"] for thread in dump["threads"] for frame in thread["frames"]} <= known
    # A shared libpython stands at the end of the file and is the first to go; Debian's program stands at the beginning.
    assert dumps or not expected["python"].startswith("3.11.2")
