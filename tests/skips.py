#!/usr/bin/python3
"""Finds the skipped tests in a folder of JUnit files and fails for those that tests/allowed_skips.txt does not allow.

Says nothing when all is well, so that the test runner's own summary ends the output.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ALLOWED = Path(__file__).parent / "allowed_skips.txt"


def allowed() -> list[re.Pattern]:
    """The patterns of test names; each line is `PATTERN  # reason`."""
    lines = [line.partition("  # ") for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")]
    assert all(reason.strip() for _, _, reason in lines), f"every line of {ALLOWED} needs a reason"
    return [re.compile(pattern.strip()) for pattern, _, _ in lines]


def skipped(folder: Path) -> list[tuple[str, str]]:
    """(test, why) of each skipped test."""
    found = []
    for file in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(file).iter("testcase"):
            skip = case.find("skipped")
            if skip is not None or case.get("status") in ("notrun", "disabled"):
                name = case.get("name") if file.stem == "ctest" else f"{file.stem}.{case.get('name')}"
                reason = skip.get("message", "") if skip is not None else "not run"
                found.append((name, reason))
    return found


def main() -> int:
    patterns = allowed()
    missed = [(name, why) for name, why in skipped(Path(sys.argv[1])) if not any(p.fullmatch(name) for p in patterns)]
    for name, why in missed:
        print(f"skipped, but must run here: {name}: {why}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
