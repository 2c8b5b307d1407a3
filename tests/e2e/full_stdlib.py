"""Some of the standard library's own tests pass the same while they are recorded with all that they start."""

import re
import subprocess
from pathlib import Path

import pytest

MODULES = [
    "test_asyncio.test_events",
    "test_concurrent_futures",
    "test_descr",
    "test_fork1",
    "test_generators",
    "test_json",
    "test_multiprocessing_spawn",
    "test_os",
    "test_pickle",
    "test_re",
    "test_signal",
    "test_socket",
    "test_subprocess",
    "test_threading",
]
REGRTEST = Path("/usr/lib/python3.11/test/regrtest.py")
# They fail on their own as root, or on a machine without network.
LEFT_OUT = ["-i", "test_multi_loop*"]


def test_command(python: str) -> list[str]:
    return [python, "-m", "test", *LEFT_OUT, "-w", *MODULES]


def verdict(output: str) -> dict[str, list[str]]:
    """Heading -> the modules under it, of regrtest's summary."""
    found: dict[str, list[str]] = {}
    for heading, names in re.findall(r"^\d+ tests? ([a-z ]+):\n((?:    .*\n)+)", output, re.MULTILINE):
        found[heading] = names.split()
    return found


@pytest.mark.timeout(2000)
@pytest.mark.skipif(not REGRTEST.exists(), reason="libpython3.11-testsuite is missing")
def test_the_standard_librarys_tests_pass_the_same(debian, program, tmp_path):
    alone = subprocess.run(test_command(debian.executable), capture_output=True, text=True, cwd=tmp_path, timeout=900)
    options = ("-s", "--mode", "wall", "-r", 1000, "--max-cpu", "50", "--max-memory", "1GB", "-q")
    recorded = program.run("run", *options, "--", *test_command(debian.executable), cwd=tmp_path, seconds=900, code=None)
    assert verdict(recorded.stdout + "\n") == verdict(alone.stdout + "\n"), recorded.stdout[-3000:]
    assert recorded.returncode == alone.returncode
    loss = program.json("report", "--view", "threads")["loss"]
    print(loss)
    processes = {row["pid"] for row in program.json("report", "--view", "threads")["rows"]}
    assert len(processes) > 100
    assert loss["lost"] < 0.02 * loss["recorded"], loss
