"""Our files as speedscope's own importer reads them, and its schema."""

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import jsonschema
import pytest
from interpreters import CACHE, wanted
from program import Program, target

PROJECT = Path(__file__).parent / "speedscope"
# What the importer tells formats apart by.
FILES = {"speedscope": "out.speedscope.json", "collapsed": "out.txt", "pprof": "out.pb.gz", "chrometrace": "out.trace.json"}


@pytest.fixture(scope="module")
def package() -> Path:
    """The folder of the package that package-lock.json names, installed into the cache."""
    if shutil.which("npm") is None:
        pytest.skip("no npm here to bring speedscope")
    lock = (PROJECT / "package-lock.json").read_bytes()
    folder = CACHE / f"speedscope-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not (folder / "node_modules" / "speedscope").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PROJECT / name, folder)
        done = subprocess.run(["npm", "ci", "--ignore-scripts"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder / "node_modules" / "speedscope"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Program:
    """A store with one session of several threads."""
    store = tmp_path_factory.mktemp("recorded") / "store"
    program = Program(store, "--store", str(store))
    with target(wanted()[0], "threads.py") as threads:
        program.run("attach", "-p", threads.pid, "-d", "2", "-r", 1000, "-q")
    return program


def export(program: Program, format_name: str, folder: Path, *arguments) -> Path:
    program.run("export", "-f", format_name, "-o", folder / FILES[format_name], "-q", *arguments)
    return folder / FILES[format_name]


def read(package: Path, file: Path) -> list[dict]:
    done = subprocess.run(["node", PROJECT / "read.mjs", package, file], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "Tried to end" not in done.stderr and "still open" not in done.stderr, "calls that do not nest"
    return json.loads(done.stdout)


def test_schema(package, recorded, tmp_path):
    schema = json.loads((package / "dist" / "release" / "file-format-schema.json").read_text())
    jsonschema.validate(json.loads(export(recorded, "speedscope", tmp_path).read_text()), schema)


def test_a_profile_for_each_thread(package, recorded, tmp_path):
    rows = recorded.json("report", "--view", "threads")["rows"]
    profiles = read(package, export(recorded, "speedscope", tmp_path))
    expected = {(row["name"] or f"thread {row['tid']}", row["on_cpu_ns"]) for row in rows}
    assert {(profile["name"], profile["total"]) for profile in profiles} == expected
    assert {profile["unit"] for profile in profiles} == {"nanoseconds"}


@pytest.mark.parametrize("format_name", ["speedscope", "collapsed", "pprof"])
@pytest.mark.parametrize("grouped", [[], ["-s", "-t"]], ids=str)
def test_sums_and_functions(package, recorded, tmp_path, format_name, grouped):
    weight = [] if format_name == "pprof" else ["--weight", "cpu-time"]
    profiles = read(package, export(recorded, format_name, tmp_path, *weight, *grouped))
    rows = recorded.json("report", "--view", "threads")["rows"]
    assert sum(profile["total"] for profile in profiles) == sum(row["on_cpu_ns"] for row in rows)
    names = {name.partition(" (")[0] for profile in profiles for name in profile["frames"]}
    assert {row["function"] for row in recorded.json("report")["rows"]} <= names
    assert any(name.startswith("process ") for name in names) == bool(grouped)


def test_chrometrace_has_a_profile_for_each_thread(package, recorded, tmp_path):
    profiles = read(package, export(recorded, "chrometrace", tmp_path))
    rows = recorded.json("report", "--view", "threads")["rows"]
    assert len(profiles) == len(rows)
    names = {name.partition(" {")[0] for profile in profiles for name in profile["frames"]}
    assert {row["function"] for row in recorded.json("report")["rows"]} <= names
