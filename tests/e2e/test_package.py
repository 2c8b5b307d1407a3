"""The Debian package of the built program, made without installing anything and taken apart."""

from __future__ import annotations

import gzip
import re
import subprocess
from pathlib import Path

import pytest
from program import PROGRAM, daemon

PACKAGE = Path(__file__).parents[2] / "packaging/package"
COMPLETIONS = {
    "bash": "usr/share/bash-completion/completions/pycroscoped",
    "zsh": "usr/share/zsh/vendor-completions/_pycroscoped",
    "fish": "usr/share/fish/vendor_completions.d/pycroscoped.fish",
}
SETTINGS = "etc/pycroscope/pycroscope.yaml"
UNITS = "lib/systemd/system"
# What systemd-analyze may count at most, in tenths of a point.
EXPOSURE = 30


def output(*command) -> str:
    result = subprocess.run([*map(str, command)], capture_output=True, text=True)
    assert result.returncode == 0, f"{command} exited with {result.returncode}\n{result.stdout}{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def package(tmp_path_factory) -> Path:
    made = Path(output(PACKAGE, PROGRAM, tmp_path_factory.mktemp("package")).strip())
    assert made.is_file()
    return made


@pytest.fixture(scope="module")
def tree(package, tmp_path_factory) -> Path:
    """The package's files."""
    folder = tmp_path_factory.mktemp("tree")
    output("dpkg-deb", "-x", package, folder)
    return folder


def help_of(command: str) -> str:
    return output(PROGRAM, *command.split()[1:], "--help")


def all_commands(command: str = "pycroscoped") -> list[str]:
    """A command and those below it: "pycroscoped sessions list"."""
    listing = help_of(command).split("\nOptions:\n")[0]
    names = re.findall(r"^  (\w\S*)  +\S", listing, re.MULTILINE)
    return [command, *(found for name in names for found in all_commands(f"{command} {name}"))]


def options_of_help(command: str) -> set[str]:
    """ "-p, --pid PID", ..."""
    options = help_of(command).split("\nOptions:\n")[1].split("\n\n")[0]
    return set(re.findall(r"^ {2,6}(-\S.*?)(?:  .*)?$", options, re.MULTILINE))


def page_of(tree: Path, command: str) -> str:
    """The source of a manual page without its fonts."""
    path = tree / "usr/share/man/man1" / f"{command.replace(' ', '-')}.1.gz"
    return re.sub(r"\\f.", "", gzip.decompress(path.read_bytes()).decode()).replace("\\-", "-")


def test_its_files(package, tree):
    pages = {f"usr/share/man/man1/{command.replace(' ', '-')}.1.gz" for command in all_commands()}
    assert len(pages) > 10 and "usr/share/man/man1/pycroscoped-sessions-list.1.gz" in pages
    wanted = {
        *("usr/bin/pycroscoped", SETTINGS, "usr/lib/tmpfiles.d/pycroscope.conf", *COMPLETIONS.values(), *pages),
        *(f"{UNITS}/pycroscoped.service", f"{UNITS}/pycroscoped.socket"),
        *(f"usr/share/doc/pycroscope/{name}" for name in ("changelog.gz", "copyright")),
        "usr/share/lintian/overrides/pycroscope",
    }
    lines = [line.split(maxsplit=5) for line in output("dpkg-deb", "-c", package).splitlines()]
    files = {fields[5].removeprefix("./"): fields[0] for fields in lines if fields[0][0] != "d"}
    assert set(files) == wanted
    assert {fields[1] for fields in lines} == {"root/root"}
    modes = {"usr/bin/pycroscoped": "-rwxr-xr-x"}
    assert {name: mode for name, mode in files.items() if mode != modes.get(name, "-rw-r--r--")} == {}


def test_the_program_is_the_built_one_without_debug_information(tree):
    packaged = tree / "usr/bin/pycroscoped"
    described = output("file", packaged)
    assert ", stripped" in described
    assert build_id(described) == build_id(output("file", PROGRAM))
    assert output(packaged, "--version") == output(PROGRAM, "--version")


def build_id(described: str) -> str:
    return re.search(r"BuildID\[sha1\]=(\w+)", described)[1]


@pytest.mark.parametrize("command", all_commands())
def test_page_of(tree, command):
    page = page_of(tree, command)
    assert re.search(rf"^\.SH NAME\n{command.replace(' ', '-')} - \S.*\S$", page, re.MULTILINE), page[:500]
    options = page.split("\n.SH OPTIONS\n")[1].split("\n.SH ")[0]
    found = set(re.findall(r"^\.TP\n(-.*)$", options, re.MULTILINE))
    assert found == options_of_help(command) and "-h, --help" in found
    for part in ("Usage:", "Examples:"):
        assert part not in page


def test_control_fields(package):
    fields = dict(line.split(": ", 1) for line in output("dpkg-deb", "-f", package).splitlines() if re.match(r"\S+: ", line))
    version, architecture = output(PROGRAM, "--version").split()[1], output("dpkg", "--print-architecture").strip()
    assert (fields["Package"], fields["Version"], fields["Architecture"]) == ("pycroscope", version, architecture)
    assert package.name == f"pycroscope_{version}_{architecture}.deb"
    libraries = re.findall(r"^\s*NEEDED\s+(\S+)", output("objdump", "-p", PROGRAM), re.MULTILINE)
    loaded = dict(re.findall(r"^\s*(\S+) => (\S+)", output("ldd", PROGRAM), re.MULTILINE))
    owners = {owner_of(loaded.get(library, library)) for library in libraries if library in loaded}
    depends = {name for name in re.split(r", | \| ", re.sub(r" \(.*?\)", "", fields["Depends"]))}
    assert owners and {owner for owner in owners if not any(name.startswith(owner) for name in depends)} == set()


def owner_of(library: str) -> str:
    """The package that a library belongs to, which dpkg may know by its place before /usr was merged."""
    places = (Path(library), Path(library).resolve(), Path("/lib") / Path(library).resolve().relative_to("/usr/lib"))
    found = [subprocess.run(["dpkg", "-S", place], capture_output=True, text=True).stdout for place in places]
    return next(filter(None, found)).split(":")[0]


def test_settings(package, tree, store):
    assert output("dpkg-deb", "-I", package, "conffiles").split() == [f"/{SETTINGS}"]
    settings = (tree / SETTINGS).read_text()
    assert [line for line in settings.splitlines() if line and line[0] != "#"] == [], "everything is commented out"
    with daemon(store, "--config", tree / SETTINGS) as client:
        client.run("sessions", "list")


def test_every_setting_is_one_of_the_service(tree, store, tmp_path):
    settings = re.sub(r"^#(?=[a-z-]+: )", "", (tree / SETTINGS).read_text(), flags=re.MULTILINE)
    keys = set(re.findall(r"^([a-z-]+): ", settings, re.MULTILINE))
    assert {"store", "keep", "max-sessions-per-user", "log-level"} <= keys
    assert {f"--{key}" for key in keys} <= {word for option in options_of_help("pycroscoped serve") for word in option.split()}
    used = tmp_path / "used.yaml"
    used.write_text(settings)
    with daemon(store, "--config", used) as client:
        client.run("sessions", "list")


def test_the_socket_is_where_commands_look(tree):
    [listening] = re.findall(r"^ListenStream=(.*)$", (tree / UNITS / "pycroscoped.socket").read_text(), re.MULTILINE)
    assert f"--socket PATH Where to listen (default: {listening})" in " ".join(help_of("pycroscoped serve").split())


def test_units(tree, tmp_path):
    """As they are, but for the program's path: it is not installed."""
    for name in ("pycroscoped.service", "pycroscoped.socket"):
        text = (tree / UNITS / name).read_text()
        (tmp_path / name).write_text(text.replace("/usr/bin/pycroscoped", str(tree / "usr/bin/pycroscoped")))
    verify = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())], capture_output=True, text=True
    )
    assert verify.returncode == 0
    assert [line for line in verify.stderr.splitlines() if "pycroscoped" in line] == []
    output(*("systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}"), tmp_path / "pycroscoped.service")


@pytest.mark.parametrize("shell", COMPLETIONS)
def test_completions(tree, shell):
    script = tree / COMPLETIONS[shell]
    assert script.read_text() == output(PROGRAM, "completion", shell)
    output(shell, "-n", script)


def test_lintian(package):
    said = output("lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", package)
    assert [line for line in said.splitlines() if line.startswith(("E:", "W:"))] == []


def test_arguments_that_make_no_sense(tmp_path):
    refused = subprocess.run([PACKAGE, PROGRAM], capture_output=True, text=True)
    assert refused.returncode == 2 and refused.stderr.startswith("usage: "), refused
    missing = subprocess.run([PACKAGE, tmp_path / "missing", tmp_path], capture_output=True, text=True)
    assert missing.returncode != 0 and list(tmp_path.iterdir()) == [], missing
