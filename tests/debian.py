"""Packages of Debian releases other than this machine's, from its own mirrors, without installing anything."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SOURCES = [Path("/etc/apt/sources.list"), *sorted(Path("/etc/apt/sources.list.d").glob("*"))]


class Missing(Exception):
    """What was asked for cannot be had; the text says why."""


def mirrors() -> list[tuple[str, str]]:
    """(URI, options in brackets or "") of each source of this machine's own Debian release."""
    found = []
    for file in SOURCES:
        text = file.read_text() if file.is_file() else ""
        if file.suffix == ".sources":
            for stanza in re.split(r"\n\s*\n", text):
                fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.+)$", stanza, re.M))
                if "bookworm" in fields.get("Suites", "").split() and "deb" in fields.get("Types", ""):
                    keyring = fields.get("Signed-By", "")
                    options = f"[signed-by={keyring}]" if keyring.startswith("/") else ""
                    found += [(uri, options) for uri in fields["URIs"].split()]
        elif file.suffix == ".list" or file.name == "sources.list":
            found += [
                (uri, (options or "").strip())
                for options, uri in re.findall(r"^deb\s+(\[[^\]]*\]\s+)?(\S+)\s+bookworm\s", text, re.M)
            ]
    if not found:
        raise Missing("no source of bookworm stands in /etc/apt, so there is no mirror to take packages from")
    return found


def run(command: list, what: str, **options) -> None:
    """Runs a command to its end; Missing with what it said when it fails."""
    result = subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
    )
    if result.returncode != 0:
        raise Missing(f"{result.stdout[-4000:]}\n{what} failed, see above")


class Apt:
    """apt-get on a state of its own that knows of no installed package, so that every dependency is fetched."""

    def __init__(self, folder: Path, suite: str):
        self.folder = folder
        self.suite = suite
        for part in ("state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        lines = [f"{kind} {options} {uri} {suite} main\n" for uri, options in mirrors() for kind in ("deb", "deb-src")]
        (folder / "sources.list").write_text("".join(lines))
        self.get("update")

    def get(self, *arguments: str) -> None:
        options = {
            "Dir::State": self.folder / "state",
            "Dir::State::status": self.folder / "status",
            "Dir::Cache": self.folder / "cache",
            "Dir::Etc::SourceList": self.folder / "sources.list",
            "Dir::Etc::SourceParts": "-",
            "APT::Architecture": "amd64",
            "APT::Sandbox::User": "root",
            "APT::Install-Recommends": "false",
        }
        what = f"apt-get {' '.join(arguments)} from {self.suite}"
        command = ["apt-get", "-q", *(f"-o{key}={value}" for key, value in options.items()), *arguments]
        run(command, f"{what} (where a signature could not be verified, upgrade debian-archive-keyring)", cwd=self.folder)


@contextmanager
def apt(folder: Path, suite: str) -> Iterator[Apt]:
    """An Apt whose files are in `folder` while it is used."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield Apt(folder, suite)
    finally:
        shutil.rmtree(folder)


def fetch_tree(tree: Path, suite: str, package: str) -> None:
    """Unpacks `package` of `suite` with all that it needs into `tree`, which programs can then be run in by chroot."""
    if (tree / "complete").exists():
        return
    shutil.rmtree(tree, ignore_errors=True)
    with apt(tree / "apt", suite) as source:
        source.get("install", "-y", "--download-only", package)
        # Packages of a merged /usr expect these links to be there.
        for name in ("bin", "sbin", "lib", "lib64"):
            (tree / "usr" / name).mkdir(parents=True, exist_ok=True)
            (tree / name).symlink_to(f"usr/{name}")
        for file in (source.folder / "cache/archives").glob("*.deb"):
            # dpkg -x would put a directory in the place of such a link; tar keeps it.
            archive = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", file], stdout=subprocess.PIPE)
            subprocess.run(["tar", "-x", "--keep-directory-symlink", "-C", tree], stdin=archive.stdout, check=True)
            if archive.wait() != 0:
                raise Missing(f"{file.name} could not be unpacked")
    (tree / "complete").touch()


def bootstrap(tree: Path, suite: str, packages: list[str]) -> None:
    """Makes `tree` a small system of `suite` with `packages`, unless it is one already."""
    complete = tree / "complete"
    wanted = "\n".join(sorted(packages))
    if complete.exists() and complete.read_text() == wanted:
        return
    shutil.rmtree(tree, ignore_errors=True)
    sources = [f"deb {options} {uri} {suite} main" for uri, options in mirrors()]
    command = ["mmdebstrap", "--quiet", "--variant=apt", f"--include={','.join(packages)}", suite, tree, *sources]
    run(command, f"mmdebstrap of {suite}")
    complete.write_text(wanted)


def build_python(prefix: Path, suite: str, package: str, *configure: str) -> None:
    """Builds `package`'s source of `suite`, without Debian's patches or optimisations, and installs it to `prefix`."""
    if (prefix / "complete").exists():
        return
    shutil.rmtree(prefix, ignore_errors=True)
    with apt(prefix / "build", suite) as source:
        source.get("source", "--download-only", package)
        (archive,) = source.folder.glob("*.orig.tar.[gx]z")
        tree = source.folder / "source"
        tree.mkdir()
        run(["tar", "-xf", archive, "--strip-components=1", "-C", tree], f"unpacking {archive.name}")
        options = [f"--prefix={prefix}", "--without-ensurepip", "--disable-test-modules", *configure]
        run(["./configure", "-q", *options], f"./configure of {package}", cwd=tree)
        run(["nice", "make", "-s"], f"building {package}", cwd=tree)
        run(["make", "-s", "install"], f"installing {package}", cwd=tree)
    (prefix / "complete").touch()
