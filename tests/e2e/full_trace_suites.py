"""Other people's tests pass the same while all that they do is recorded."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
import uuid
import zipfile
from pathlib import Path

import pytest
from interpreters import CACHE
from program import TARGETS, read_line, running

DRIVER = "trace_suites.py"
SECONDS = 600  # that one of them may take

MODULES = [
    "test_asyncio.test_locks",
    "test_asyncio.test_tasks",
    "test_atexit",
    "test_code",
    "test_contextlib",
    "test_coroutines",
    "test_dataclasses",
    "test_descr",
    "test_exceptions",
    "test_fork1",
    "test_frame",
    "test_functools",
    "test_gc",
    "test_generators",
    "test_interpreters",
    "test_multiprocessing_fork.test_misc",
    "test_queue",
    "test_signal",
    "test_sys_setprofile",
    "test_sys_settrace",
    "test_thread",
    "test_threading",
    "test_threading_local",
    "test_traceback",
    "test_weakref",
]
# They see sys.monitoring at work, whichever tool it is that is told of calls and lines. (So do all of test_monitoring,
# test_profile and test_tracemalloc: events come with ints that are allocated for them.)
LEFT_OUT = {
    # The return from sys.setprofile() itself is told of.
    "test.test_sys_setprofile.TestEdgeCases.test_method_with_c_function",
}

PACKAGES = {"click": "8.1.7", "more-itertools": "10.5.0", "toolz": "0.12.1"}
TOOLS = {"pytest": "8.3.3", "pluggy": "1.5.0", "iniconfig": "2.0.0", "packaging": "24.1"}
# Where in a package its tests are, what of them runs, and where the package itself is.
SUITES = {
    "click": ("src", ["tests/test_basic.py", "tests/test_commands.py", "tests/test_options.py", "tests/test_formatting.py"]),
    "more-itertools": (".", ["tests/test_recipes.py", "tests/test_more.py"]),
    "toolz": (".", ["toolz/tests"]),
}


def pip(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder), *arguments]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(f"packages cannot be had: {result.stderr[-300:]}")


@pytest.fixture(scope="session")
def packages() -> Path:
    """A folder of unpacked sources with their tests, and "tools", which is to be on the path."""
    name = "-".join(f"{name}-{version}" for name, version in (PACKAGES | TOOLS).items())
    folder = CACHE / f"suites-{uuid.uuid5(uuid.NAMESPACE_URL, name)}"
    if (folder / "complete").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    downloads = folder / "downloads"
    downloads.mkdir(parents=True)
    sources = ",".join(PACKAGES)
    pip(downloads, "--no-binary", sources, *(f"{name}=={version}" for name, version in PACKAGES.items()))
    pip(downloads, "--only-binary", ":all:", *(f"{name}=={version}" for name, version in TOOLS.items()))
    for archive in downloads.glob("*.tar.gz"):
        with tarfile.open(archive) as opened:
            opened.extractall(folder)
    for archive in downloads.glob("*.whl"):
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(folder / "tools")
    shutil.rmtree(downloads)
    (folder / "complete").touch()
    return folder


def run(traceable, program, folder: Path, arguments: list[str], environment: dict[str, str], collectors: str | None):
    """What came of each test, and the events that were recorded and lost."""
    root = traceable.root or Path("/")
    inside = folder.relative_to(root)
    command = traceable.command(f"/{inside / DRIVER}", *arguments)
    with open(folder / "stderr", "wb") as stderr, running(command, stderr=stderr, env=environment, cwd=folder) as started:
        if collectors is None:
            started.say("go")
            return json.loads(read_line(started.process.stdout, SECONDS)), None
        with program.recording(started.pid, "--trace", collectors, "-q"):
            started.say("go")
            outcomes = json.loads(read_line(started.process.stdout, SECONDS))
        return outcomes, program.json("sessions", "show")["loss"]


def words(outcomes: list[str] | None) -> list[str]:
    return sorted(outcome.partition(":")[0] for outcome in outcomes or ["missing"])


def compare(traceable, program, folder: Path, arguments: list[str], environment: dict[str, str]) -> None:
    shutil.copy(TARGETS / DRIVER, folder)
    alone, _ = run(traceable, program, folder, arguments, environment, None)
    traced, loss = run(traceable, program, folder, arguments, environment, "all")
    print(f"\n{traceable.name} {arguments[-1]}: {len(alone)} tests, {loss['recorded']} events, {loss['lost']} lost", end=" ")
    assert alone, (folder / "stderr").read_text()[-1000:]
    different = {
        test: (alone.get(test), traced.get(test))
        for test in alone.keys() | traced.keys()
        if words(alone.get(test)) != words(traced.get(test)) and test not in LEFT_OUT
    }
    assert not different
    assert loss["recorded"] > 0


@pytest.fixture
def folder(traceable, tmp_path):
    """An empty one that the interpreter sees."""
    if traceable.root is None:
        yield tmp_path
        return
    made = traceable.root / "targets" / uuid.uuid4().hex
    made.mkdir(parents=True)
    yield made
    shutil.rmtree(made)


def environment_in(traceable, folder: Path) -> dict[str, str]:
    inside = "/" / folder.relative_to(traceable.root or "/")
    return {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TMPDIR": str(inside), "LANG": "C.UTF-8"}


def has_module(traceable, module: str) -> bool:
    """Its library has the standard library's tests."""
    script = f"import importlib.util as u, sys; sys.exit(u.find_spec('test.{module}') is None)"
    command = traceable.command("-c", script)
    return subprocess.run(command, stderr=subprocess.DEVNULL).returncode == 0


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("module", MODULES)
def test_the_standard_librarys_tests(traceable, program, folder, module):
    if not has_module(traceable, module):
        pytest.skip("it was installed without them")
    compare(traceable, program, folder, ["unittest", f"test.{module}"], environment_in(traceable, folder))


@pytest.mark.timeout(2 * SECONDS)
@pytest.mark.parametrize("package", SUITES)
def test_packages(traceable, program, folder, packages, package):
    source = f"{package.replace('-', '_')}-{PACKAGES[package]}"
    if not (packages / source).exists():
        source = f"{package}-{PACKAGES[package]}"
    where, tests = SUITES[package]
    shutil.copytree(packages / source, folder / "source")
    shutil.copytree(packages / "tools", folder / "tools")
    inside = "/" / folder.relative_to(traceable.root or "/")
    environment = environment_in(traceable, folder) | {"PYTHONPATH": f"{inside / 'tools'}:{inside / 'source' / where}"}
    compare(traceable, program, folder, ["pytest", str(inside / "source"), *tests], environment)
