"""Speedscope's own schema accepts our files."""

import json
import subprocess
import tarfile

import jsonschema
import pytest
from program import target

SPEEDSCOPE = "speedscope@1.22"


def test_speedscope_schema(interpreter, program, tmp_path):
    try:
        packed = subprocess.run(["npm", "pack", "--silent", SPEEDSCOPE], cwd=tmp_path, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no npm here to bring speedscope's schema")
    assert packed.returncode == 0, packed.stderr
    with tarfile.open(tmp_path / packed.stdout.strip()) as archive:
        [name] = [name for name in archive.getnames() if name.endswith("file-format-schema.json")]
        schema = json.load(archive.extractfile(name))
    with target(interpreter, "threads.py") as threads:
        program.run("attach", "-p", threads.pid, "-d", "2", "-q", "-f", "speedscope", "-o", tmp_path / "out.json")
    jsonschema.validate(json.loads((tmp_path / "out.json").read_text()), schema)
