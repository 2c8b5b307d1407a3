"""A program that collects garbage, imports modules and raises exceptions, the same each time it is asked.

Prints "ready"; then for each line on stdin does a round and prints "done" and, as JSON, what it did: runs of the garbage
collector as its own callback saw them, and the names of the modules that it imported. Its exceptions stand in the code.
"""

import contextlib
import gc
import json
import sys
import tempfile
from pathlib import Path

FOLDER = Path(tempfile.mkdtemp())
sys.path.insert(0, str(FOLDER))


def make_modules(number):
    """A package whose parts import each other."""
    name = f"package_{number}"
    package = FOLDER / name
    package.mkdir()
    (package / "__init__.py").write_text("from . import first\n")
    (package / "first.py").write_text("from .second import VALUE\nimport json\n")
    (package / "second.py").write_text("VALUE = sum(range(20000))\ntry:\n    import missing_module\nexcept ImportError: pass\n")
    return name


def import_them(name):
    __import__(f"{name}.first")
    __import__(f"{name}.second")


class Cycle:
    def __init__(self):
        self.own = self


class Dynamic:
    def __getattr__(self, name):
        raise AttributeError(name)


def collect():
    for generation in (0, 1, 2):
        for _ in range(10 * (generation + 1)):
            Cycle()
        gc.collect(generation)


def raise_one(kind):
    raise kind("planned")


def reraising():
    try:
        raise_one(KeyError)
    except KeyError:
        raise


def cleaning_up():
    try:
        raise_one(OSError)
    finally:
        with contextlib.suppress(ValueError):
            int("x")


def raise_many():
    for _ in range(7):
        hasattr(Dynamic(), "anything")
    for _ in range(5):
        try:  # noqa: SIM105
            reraising()
        except LookupError:
            pass
    try:  # noqa: SIM105
        cleaning_up()
    except OSError:
        pass
    try:
        raise_one(IndexError)
    except IndexError as error:
        try:
            raise RuntimeError("another") from error
        except RuntimeError:
            pass
    with contextlib.suppress(ZeroDivisionError):
        1 / 0  # noqa: B018
    for _ in iter(range(3)):
        pass
    iterator = iter(())
    try:  # noqa: SIM105
        next(iterator)
    except StopIteration:
        pass


runs = []
gc.disable()
gc.callbacks.append(lambda phase, info: runs.append(info) if phase == "stop" else None)
print("ready", flush=True)
for number, _line in enumerate(sys.stdin):
    name = make_modules(number)
    runs.clear()
    collect()
    import_them(name)
    raise_many()
    print("done", json.dumps({"gc": runs, "package": name}), flush=True)
