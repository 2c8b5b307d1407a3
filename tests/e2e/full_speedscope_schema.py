"""Speedscope's own schema accepts our files."""

import json
import subprocess
import tarfile

import jsonschema
import pytest
from program import target

SPEEDSCOPE = "speedscope@1.22"


@pytest.fixture(scope="module")
def schema(tmp_path_factory):
    folder = tmp_path_factory.mktemp("speedscope")
    try:
        packed = subprocess.run(["npm", "pack", "--silent", SPEEDSCOPE], cwd=folder, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no npm here to bring speedscope's schema")
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(folder / packed.stdout.strip()) as archive:
        [name] = [name for name in archive.getnames() if name.endswith("file-format-schema.json")]
        return json.load(archive.extractfile(name))


def record(program, pid, path):
    program.run("attach", "-p", pid, "-d", "2", "-q", "-f", "speedscope", "-o", path)
    return json.loads(path.read_text())


def test_speedscope_schema(interpreter, program, schema, tmp_path):
    with target(interpreter, "threads.py") as threads:
        jsonschema.validate(record(program, threads.pid, tmp_path / "out.json"), schema)


def test_session_without_samples(debian, program, schema, tmp_path):
    with target(debian, "locals.py") as waiting:
        file = record(program, waiting.pid, tmp_path / "out.json")
    jsonschema.validate(file, schema)
    [profile] = file["profiles"]
    assert profile["samples"] == profile["weights"] == []
