#!/usr/bin/python3
"""The Python interpreters that tests run targets on.

`interpreters.py fetch` brings those that Debian 12 does not have: they are unpacked into a cache folder outside the tree and
run in a chroot, without installing anything. `interpreters.py build` adds those that Debian has no package of, built from
its source packages: minutes each. `interpreters.py list` says what is there and what is missing.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

from debian import Missing, build_python, fetch_tree

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pycroscope-tests"
TRIXIE = CACHE / "trixie-python3.13"

OLDEST_TRACED = (3, 8)
# Version → (release of Debian, tree). sid moves on: what it has today may be gone tomorrow.
TREES = {
    "3.13": ("trixie", TRIXIE),
    "3.14": ("sid", CACHE / "sid-python3.14"),
    "3.15": ("sid", CACHE / "sid-python3.15"),
}
# Name → (version, release of Debian, options of its ./configure).
BUILDS = {
    "free-threaded-3.13": ("3.13", "trixie", ("--disable-gil",)),
    "free-threaded-3.14": ("3.14", "sid", ("--disable-gil",)),
    # What pkg-config knows is built with glibc.
    "musl-3.13": ("3.13", "trixie", (f"CC={Path(__file__).parent / 'musl-cc'}", "PKG_CONFIG=false")),
}


@dataclasses.dataclass(frozen=True)
class Interpreter:
    name: str
    version: str  # "3.11"
    executable: str  # as seen inside `root`
    root: Path | None = None  # run in a chroot there

    def command(self, script: str, *arguments: str) -> list[str]:
        """What starts `script`, a path inside the root, as one process that keeps its pid."""
        inside = [self.executable, script, *arguments]
        return inside if self.root is None else ["chroot", str(self.root), *inside]

    @property
    def can_be_traced(self) -> bool:
        return tuple(map(int, self.version.split("."))) >= OLDEST_TRACED

    def name_of(self, qualname: str) -> str:
        """What a frame of the function `qualname` is called: code objects have qualified names since 3.11."""
        has_qualnames = int(self.version.split(".")[1]) >= 11
        return qualname if has_qualnames else qualname.rpartition(".")[2]


def wanted() -> list[Interpreter]:
    """All that tests should run on, there or not."""
    found = [
        Interpreter("debian-3.11", "3.11", "/usr/bin/python3.11"),
        Interpreter("embed-3.11", "3.11", os.environ.get("PYCROSCOPE_TEST_EMBED", "embed")),
    ]
    for version, (suite, tree) in TREES.items():
        found.append(Interpreter(f"{suite}-{version}", version, f"/usr/bin/python{version}", tree))
    for name, (version, _, _) in BUILDS.items():
        found.append(Interpreter(name, version, str(CACHE / name / "bin/python3")))
    for path in filter(None, os.environ.get("PYCROSCOPE_TEST_PYTHONS", "").split(":")):
        found.append(Interpreter(path, version_of(path), path))
    return found


def version_of(path: str) -> str:
    script = "import sys; print('%d.%d' % sys.version_info[:2])"
    result = subprocess.run([path, "-c", script], capture_output=True, text=True)
    return result.stdout.strip() or "unknown"


def is_there(interpreter: Interpreter) -> bool:
    root = interpreter.root or Path("/")
    return os.access(root / interpreter.executable.lstrip("/"), os.X_OK) and (interpreter.root is None or os.geteuid() == 0)


def fetch() -> None:
    for version, (suite, tree) in TREES.items():
        try:
            fetch_tree(tree, suite, f"python{version}")
        except Missing as missing:
            if suite != "sid":
                sys.exit(f"interpreters.py: {missing}")
            print(f"interpreters.py: no Python {version}: {missing}", file=sys.stderr)


def build(names: list[str]) -> None:
    for name in names or BUILDS:
        version, suite, configure = BUILDS[name]
        try:
            build_python(CACHE / name, suite, f"python{version}", *configure)
        except Missing as missing:
            if suite != "sid":
                sys.exit(f"interpreters.py: {missing}")
            print(f"interpreters.py: no {name}: {missing}", file=sys.stderr)


def main() -> None:
    match sys.argv[1:]:
        case ["fetch"]:
            fetch()
        case ["build", *names] if set(names) <= set(BUILDS):
            build(names)
        case ["list"]:
            pass
        case _:
            sys.exit(f"usage: {sys.argv[0]} fetch|list|build [{'|'.join(BUILDS)}]...")
    for interpreter in wanted():
        print(f"{interpreter.name}: {'there' if is_there(interpreter) else 'MISSING'}")


if __name__ == "__main__":
    main()
