"""Some of the standard library's own tests pass the same while they are recorded with all that they start."""

import re
import signal
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
# On their own they fail as root or on a machine without network, or wait for ever in a virtual machine.
LEFT_OUT = ["-i", "test_multi_loop*", "-i", "*VSOCK*"]


def command_of(python: str) -> list[str]:
    return [python, "-m", "test", "-j2", *LEFT_OUT, "-w", *MODULES]


def verdict(output: str) -> dict[str, list[str]]:
    """Heading -> the modules under it, of regrtest's summary."""
    found: dict[str, list[str]] = {}
    for heading, names in re.findall(r"^\d+ tests? ([a-z ]+):\n((?:    .*\n)+)", output, re.MULTILINE):
        found[heading] = names.split()
    return found


def as_at_a_terminal() -> None:
    """What runs in the background may ignore Ctrl-C, which some of the tests need."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.timeout(2000)
@pytest.mark.skipif(not REGRTEST.exists(), reason="libpython3.11-testsuite is missing")
def test_the_standard_librarys_tests_pass_the_same(debian, program, tmp_path):
    command, options = command_of(debian.executable), {"cwd": tmp_path, "preexec_fn": as_at_a_terminal}
    alone = subprocess.run(command, capture_output=True, text=True, timeout=900, **options)
    how = ("-s", "--mode", "wall", "-r", 1000, "--max-cpu", "50", "--max-memory", "1GB", "-q")
    recorded = program.run("run", *how, "--", *command, code=None, seconds=900, **options)
    said = recorded.stdout[-3000:] + recorded.stderr[-3000:]
    assert recorded.returncode == alone.returncode, said
    assert verdict(recorded.stdout + "\n") == verdict(alone.stdout + "\n"), said
    loss = program.json("report", "--view", "threads")["loss"]
    print(loss)
    processes = {row["pid"] for row in program.json("report", "--view", "threads")["rows"]}
    assert len(processes) > 100
    assert loss["lost"] < 0.02 * loss["recorded"], loss
