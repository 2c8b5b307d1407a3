#!/usr/bin/python3
"""Reads the JUnit files of a test run: names what failed and why, and fails for tests that were skipped but must not be.

usage: outcome.py FOLDER     Says nothing when all is well, so that the test runner's own summary ends the output.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

ALLOWED = Path(__file__).parent / "allowed_skips.txt"
REASON_WIDTH = 300


def allowed() -> list[re.Pattern]:
    """The patterns of test names; each line is `PATTERN  # reason`."""
    lines = [line.partition("  # ") for line in ALLOWED.read_text().splitlines() if line and not line.startswith("#")]
    assert all(reason.strip() for _, _, reason in lines), f"every line of {ALLOWED} needs a reason"
    return [re.compile(pattern.strip()) for pattern, _, _ in lines]


def cases(folder: Path) -> Iterator[tuple[str, ElementTree.Element]]:
    """(full name, element) of each test."""
    for file in sorted(folder.glob("*.xml")):
        for case in ElementTree.parse(file).iter("testcase"):
            yield case.get("name") if file.stem == "ctest" else f"{file.stem}.{case.get('name')}", case


def skipped(case: ElementTree.Element) -> str | None:
    """Why it was skipped."""
    skip = case.find("skipped")
    if skip is not None:
        return skip.get("message", "")
    return "not run" if case.get("status") in ("notrun", "disabled") else None


def failed(case: ElementTree.Element) -> str | None:
    """Why it failed: pytest's message, or what GoogleTest prints of its first failed expectation."""
    failure = case.find("failure")
    failure = case.find("error") if failure is None else failure
    if failure is None:
        return None
    output = case.findtext("system-out", "")
    expectation = re.search(r"^\S+: Failure\n.*?(?=\n\n|^\[ )", output, re.DOTALL | re.MULTILINE)
    return " ".join((expectation[0] if expectation else failure.get("message", "")).split())[:REASON_WIDTH]


def main() -> int:
    found = list(cases(Path(sys.argv[1])))
    for name, case in found:
        # Of a ctest test that is a whole pytest file, the file's own tests say more.
        if (why := failed(case)) is not None and not any(other.startswith(f"{name}.") for other, _ in found):
            print(f"failed: {name}: {why}", file=sys.stderr)
    patterns = allowed()
    missed = [(name, why) for name, case in found if (why := skipped(case)) is not None]
    missed = [(name, why) for name, why in missed if not any(pattern.fullmatch(name) for pattern in patterns)]
    for name, why in missed:
        print(f"skipped, but must run here: {name}: {why}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
