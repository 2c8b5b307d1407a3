#!/usr/bin/python3
"""The Python interpreters that tests run targets on.

`interpreters.py fetch` brings those that Debian 12 does not have: they are unpacked into a cache folder outside the tree and
run in a chroot, without installing anything. `interpreters.py list` says what is there and what is missing.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pycroscope-tests"
TRIXIE = CACHE / "trixie-python3.13"
SOURCES = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]


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


def wanted() -> list[Interpreter]:
    """All that tests should run on, there or not."""
    found = [
        Interpreter("debian-3.11", "3.11", "/usr/bin/python3.11"),
        Interpreter("embed-3.11", "3.11", os.environ.get("PYCROSCOPE_TEST_EMBED", "embed")),
        Interpreter("trixie-3.13", "3.13", "/usr/bin/python3.13", TRIXIE),
    ]
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


def debian_mirrors() -> list[tuple[str, str]]:
    """(URI, options in brackets or "") of each source of this machine's own Debian release."""
    mirrors = []
    for file in SOURCES:
        text = file.read_text() if file.is_file() else ""
        if file.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.+)$", stanza, re.M))
                if "bookworm" in fields.get("Suites", "").split() and "deb" in fields.get("Types", ""):
                    keyring = fields.get("Signed-By", "")
                    options = f"[signed-by={keyring}]" if keyring.startswith("/") else ""
                    mirrors += [(uri, options) for uri in fields["URIs"].split()]
        elif file.suffix == ".list" or file.name == "sources.list":
            mirrors += [
                (uri, (options or "").strip())
                for options, uri in re.findall(r"^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+bookworm\s", text, re.M)
            ]
    return mirrors


def apt(state: Path, *arguments: str) -> None:
    """apt-get on a state of its own that knows of no installed package, so that every dependency is fetched."""
    options = {
        "Dir::State": state / "state",
        "Dir::State::status": state / "status",
        "Dir::Cache": state / "cache",
        "Dir::Etc::SourceList": state / "sources.list",
        "Dir::Etc::SourceParts": "-",
        "APT::Architecture": "amd64",
        "APT::Sandbox::User": "root",
        "APT::Install-Recommends": "false",
    }
    command = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items()), *arguments]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if result.returncode != 0:
        sys.exit(
            f"{result.stdout}\ninterpreters.py: apt-get could not bring Python 3.13 from trixie, see above; where a signature "
            "could not be verified, upgrade debian-archive-keyring."
        )


def fetch_trixie() -> None:
    if (TRIXIE / "complete").exists():
        return
    mirrors = debian_mirrors()
    if not mirrors:
        sys.exit("interpreters.py: No source of bookworm stands in /etc/apt, so there is no mirror to take trixie from.")
    shutil.rmtree(TRIXIE, ignore_errors=True)
    state = TRIXIE / "apt"
    for folder in ("state/lists/partial", "cache/archives/partial"):
        (state / folder).mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text("".join(f"deb {options} {uri} trixie main\n" for uri, options in mirrors))
    apt(state, "update")
    apt(state, "install", "-y", "--download-only", "python3.13")
    # Packages of a merged /usr expect these links to be there.
    for name in ("bin", "sbin", "lib", "lib64"):
        (TRIXIE / "usr" / name).mkdir(parents=True, exist_ok=True)
        (TRIXIE / name).symlink_to(f"usr/{name}")
    for package in (state / "cache/archives").glob("*.deb"):
        # dpkg -x would put a directory in the place of such a link; tar keeps it.
        archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", TRIXIE], stdin=archive.stdout, check=True)
        if archive.wait() != 0:
            sys.exit(f"interpreters.py: {package.name} could not be unpacked.")
    shutil.rmtree(state)
    (TRIXIE / "complete").touch()


def main() -> None:
    if sys.argv[1:] == ["fetch"]:
        fetch_trixie()
    elif sys.argv[1:] != ["list"]:
        sys.exit(f"usage: {sys.argv[0]} fetch|list")
    for interpreter in wanted():
        print(f"{interpreter.name}: {'there' if is_there(interpreter) else 'MISSING'}")


if __name__ == "__main__":
    main()
