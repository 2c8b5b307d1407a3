"""Interpreters of every kind: later ones than we know, with a JIT compiler, renamed, frozen, in a venv or a zip file."""

import contextlib
import os
import re
import shutil
import struct
import subprocess
import zipapp
from pathlib import Path

import pytest
from interpreters import TREES, Interpreter, is_there, wanted
from program import TARGETS, collapsed, impossible, python_frames, running, target

SCRIPT = "alternate.py"


def stacks_of(program, pid, seconds=2):
    output = program.run("attach", "-p", pid, "-d", seconds, "-r", 1000, "-q", "-f", "collapsed", "-o", "-")
    stacks = python_frames(collapsed(output.stdout))
    assert sum(stacks.values()) > 100, output.stdout
    return stacks, output.stderr


def expect_right(stacks):
    wrong = {stack: why for stack in stacks if (why := impossible(stack, SCRIPT))}
    assert not wrong
    assert {"leaf_a", "middle_b", "main"} <= {stack[-1].function for stack in stacks}


@contextlib.contextmanager
def claiming(interpreter: Interpreter, minor: int):
    """A copy of an interpreter that takes itself for Python 3.`minor`."""
    folder = interpreter.root / "targets"
    folder.mkdir(exist_ok=True)
    copy = folder / f"python3.{minor}"
    content = (interpreter.root / interpreter.executable.lstrip("/")).read_bytes()
    # The debug offsets begin with a cookie (which stands in the code, too) and the version.
    cookies = [match.end() for match in re.finditer(b"xdebugpy", content)]
    [version] = {content[end : end + 8] for end in cookies if content[end + 2 : end + 8] == b"\x0d\x03\0\0\0\0"}
    assert content.count(version[:4]) >= 2, "expected it in Py_Version too"
    copy.write_bytes(content.replace(version[:4], struct.pack("<I", 3 << 24 | minor << 16 | 0xF0)))
    copy.chmod(0o755)
    try:
        yield Interpreter(f"claims-3.{minor}", f"3.{minor}", f"/targets/{copy.name}", interpreter.root)
    finally:
        copy.unlink()


def test_later_version_is_tried_with_a_caution(either):
    trixie = next(i for i in wanted() if i.name == "trixie-3.13")
    if not is_there(trixie):
        pytest.skip(f"{trixie.name} is missing: run tests/interpreters.py fetch as root")
    environment = dict(os.environ, PYTHONHOME="/usr")
    with claiming(trixie, 99) as later, target(later, SCRIPT, env=environment) as alternator:
        stacks, said = stacks_of(either, alternator.pid)
        expect_right(stacks)
        for stderr in (
            either.run("attach", "-p", alternator.pid, "-d", 0.2).stderr,
            either.run("dump", "-p", alternator.pid).stderr,
            either.run("ps").stderr,
        ):
            assert "warning: Python 3.99.0 is not among the releases known here" in stderr, stderr
        assert "warning: Python 3.99.0" in said


@pytest.mark.parametrize("version", [version for version in TREES if version != "3.13"])
def test_jit_compiled_code_keeps_its_lines(version, program):
    interpreter = next(i for i in wanted() if i.root is not None and i.version == version)
    if not is_there(interpreter):
        pytest.skip(f"{interpreter.name} is missing: run tests/interpreters.py fetch as root")
    with target(interpreter, SCRIPT, env=dict(os.environ, PYTHON_JIT="1")) as alternator:
        expect_right(stacks_of(program, alternator.pid)[0])


def test_renamed_program(debian, program, tmp_path):
    copy = tmp_path / "application"
    shutil.copy(debian.executable, copy)
    with running([str(copy), str(TARGETS / SCRIPT)], env=dict(os.environ, PYTHONHOME="/usr")) as application:
        expect_right(stacks_of(program, application.pid)[0])


def test_frozen_application(program, tmp_path):
    library = next(Path("/usr/lib").glob("*/libpython3.11.so.1.0"))
    copy = tmp_path / "_MEI1234" / library.name
    copy.parent.mkdir()
    shutil.copy(library, copy)
    command = [os.environ["PYCROSCOPE_TEST_FROZEN"], str(copy), str(TARGETS / SCRIPT)]
    with running(command, env=dict(os.environ, PYTHONHOME="/usr")) as application:
        copy.unlink()
        expect_right(stacks_of(program, application.pid)[0])


def test_virtual_environment(debian, program, tmp_path):
    subprocess.run([debian.executable, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    with running([str(tmp_path / "venv/bin/python"), str(TARGETS / SCRIPT)]) as application:
        expect_right(stacks_of(program, application.pid)[0])


def test_zip_application(debian, program, tmp_path):
    (tmp_path / "source").mkdir()
    shutil.copy(TARGETS / SCRIPT, tmp_path / "source")
    zipapp.create_archive(tmp_path / "source", tmp_path / "application.pyz", main="alternate:main")
    with running([debian.executable, str(tmp_path / "application.pyz")]) as application:
        stacks, _ = stacks_of(program, application.pid)
    own = {frame.file for stack in stacks for frame in stack if frame.function == "leaf_a"}
    assert own == {f"{tmp_path}/application.pyz/{SCRIPT}"}
