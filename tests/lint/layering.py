#!/usr/bin/python3
"""Checks from the includes that dependencies run one way.

Run at the repository's root. RULES says for each folder which folders it may include; a file obeys the rule of the longest
folder that contains it. Folders that no rule names fail, so that a new one needs a decision here.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tracked import tracked

MODEL = {"proto", "analysis/model"}
ANALYSIS = MODEL | {"analysis/passes"}
OS = MODEL | {"daemon/os"}
TARGET = OS | {"daemon/target"}
PYTHON = TARGET | {"daemon/python", "bpf/include"}
INJECT = PYTHON | {"daemon/probe", "daemon/inject"}
COLLECT = INJECT | {"daemon/native", "daemon/collect", "bpf"}
# The store knows only the model; its descriptors are os/'s scope type.
STORE = MODEL | {"daemon/os", "daemon/store"}
SESSION = COLLECT | STORE | ANALYSIS | {"analysis/export", "daemon/session"}

RULES = {
    "bpf": {"bpf"},
    "analysis/model": MODEL,
    "analysis/passes": ANALYSIS,
    "analysis/export": ANALYSIS | {"analysis/export"},
    "daemon/os": OS,
    "daemon/target": TARGET,
    "daemon/python": PYTHON,
    "daemon/native": TARGET | {"daemon/native"},
    "daemon/probe": {"daemon/probe"},
    "daemon/inject": INJECT,
    "daemon/collect": COLLECT,
    "daemon/store": STORE,
    "daemon/session": SESSION,
    "daemon/serve": SESSION | {"daemon/serve"},
    "daemon": {"client/cli"},  # main.cc
    # The commands speak the API only; daemon/serve is its in-process door, analysis/export knows the names of formats.
    "client/cli": ANALYSIS | {"analysis/export", "daemon/os", "daemon/serve", "client/cli"},
    "tests": {"analysis", "bpf", "client", "daemon", "proto", "tests"},
}

# Libraries and system calls that belong to certain folders: (what, as a regular expression over a line, where).
OWNED = [
    (r'#\s*include\s*[<"]rocksdb/', {"daemon/store"}),
    (r'#\s*include\s*([<"]grpc|"pycroscope/v1/\w+\.grpc\.pb\.h")', {"daemon/serve", "client/cli"}),
    (r"\bptrace\(PTRACE_|\bSYS_perf_event_open\b|\bSYS_ptrace\b", {"daemon/os"}),
]
OWNED_ALSO_BY = {"tests"}

SOURCES = ("*.c", "*.cc", "*.h")
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]')


def folder_of(path: str, folders) -> str:
    """The longest of `folders` that contains `path`, or ""."""
    inside = [folder for folder in folders if path.startswith(f"{folder}/")]
    return max(inside, key=len, default="")


def is_ours(include: str) -> bool:
    return include.split("/")[0] in {"analysis", "bpf", "client", "daemon", "proto", "pycroscope", "tests"} and "/" in include


def problems(path: str, text: str) -> list[str]:
    """What is wrong with the file at `path`, one `path:line: sentence` each."""
    rule = folder_of(path, RULES)
    if not rule:
        return [f"{path}:1: no rule of tests/lint/layering.py covers this folder"]
    if rule == "daemon" and path != "daemon/main.cc":
        return [f"{path}:1: a folder of daemon/ without a rule in tests/lint/layering.py"]
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        for pattern, owners in OWNED:
            if re.search(pattern, line) and folder_of(path, owners | OWNED_ALSO_BY) == "":
                found.append(f"{path}:{number}: only {' and '.join(sorted(owners))} may do this: {line.strip()}")
        include = INCLUDE.match(line)
        if include is None or not is_ours(include[1]):
            continue
        included = re.sub(r"^pycroscope/v1/", "proto/pycroscope/v1/", include[1])
        if not folder_of(included, RULES[rule]):
            found.append(f"{path}:{number}: {rule} must not include {include[1]}")
    return found


def main() -> int:
    found = [problem for path in tracked(*SOURCES) for problem in problems(path, Path(path).read_text())]
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
