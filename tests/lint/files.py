#!/usr/bin/python3
"""Checks every committed file: none too long to read, no path of somebody's machine, nothing at the top but what belongs there.

Run at the repository's root.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tracked import tracked

LONGEST = 500
SOURCES = {".c", ".cc", ".h", ".proto", ".py", ".cmake", ".txt", ".md", ".sh", ""}
NOT_OURS = ("LICENSE", "tests/golden/")

TOP = {
    *("CMakeLists.txt", "daemon", "bpf", "proto", "client", "analysis", "tests", "packaging", "README.md"),
    *("LICENSE", "CMakePresets.json"),
}

# Home directories and work folders of whoever wrote it. Written so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.${}])/(?:root|work|home/[a-z]\w*)/[\w.]")


def problems(path: str) -> list[str]:
    found = []
    top = path.split("/")[0]
    if top not in TOP and not top.startswith("."):
        found.append(f"{path}:1: only these stand at the top: {' '.join(sorted(TOP))}")
    data = Path(path).read_bytes()
    if b"\0" in data or path.startswith(NOT_OURS):
        return found
    lines = data.decode(errors="replace").splitlines()
    if len(lines) > LONGEST and Path(path).suffix in SOURCES:
        found.append(f"{path}:{LONGEST + 1}: {len(lines)} lines; split files of more than {LONGEST}")
    for number, line in enumerate(lines, 1):
        if MACHINE_PATH.search(line):
            found.append(f"{path}:{number}: a path of one machine: {line.strip()}")
        if line != line.rstrip() and Path(path).suffix != ".md":
            found.append(f"{path}:{number}: white space at the end of the line")
    return found


def main() -> int:
    found = [problem for path in tracked() if Path(path).is_file() for problem in problems(path)]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
