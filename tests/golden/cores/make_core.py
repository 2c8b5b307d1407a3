#!/usr/bin/python3
"""make_core.py NAME INTERPRETER: makes NAME.core.gz and NAME.json, for test_golden_cores.py, of program.py on INTERPRETER.

INTERPRETER: a name of tests/interpreters.py, or a path. Of the process's memory, that of mapped files too, the core file keeps
what `dump --core --locals` reads: so it is small, no other file is needed to read it, and nothing of this machine is in it.
Needs root and strace, and some minutes; PYCROSCOPED names the program that reads.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import core_file
from core_file import PAGE, Segment

FOLDER = Path(__file__).parent
sys.path.append(str(FOLDER.parent.parent))

from interpreters import Interpreter, version_of, wanted  # noqa: E402

# Of linux/ptrace.h and linux/wait.h.
PTRACE_GETREGS, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 12, 17, 0x4206, 0x4207
WALL = 0x40000000
PROGRAM = FOLDER / "program.py"
BLOCK = 128
# Where the mapped files are said to have been: no machine has them there, so none can be read by chance.
NOWHERE = "/golden"
READ = re.compile(rb"pread64\(\d+<(.*)>, .*, (\d+), (\d+)\) = \d+$", re.M)
WAITING = ["waiting"] * 4
MAPPING = re.compile(r"(\w+)-(\w+) r(.)(.). (\w+) \S+ (\d+) *(.*)")


@dataclasses.dataclass(frozen=True)
class Mapping:
    begin: int
    end: int
    flags: int  # PF_R, PF_W, PF_X
    offset: int
    path: str


def find_interpreter(name: str) -> Interpreter:
    known = {interpreter.name: interpreter for interpreter in wanted()}
    return known.get(name) or Interpreter(name, version_of(name), name)


@contextlib.contextmanager
def running(interpreter: Interpreter) -> Iterator[subprocess.Popen]:
    """The program in a mount namespace where it is /srv/golden.py, and an interpreter from elsewhere than /usr in /opt."""
    root = str(interpreter.root or "")
    executable = Path(interpreter.executable)
    mounts = f"mkdir -p '{root}/srv' && mount -t tmpfs none '{root}/srv' && cp '{PROGRAM}' '{root}/srv/golden.py'"
    if not executable.is_relative_to("/usr"):
        mounts += f" && mount --bind '{executable.resolve().parent.parent}' /opt"
        executable = Path("/opt/bin") / executable.resolve().name
    command = f"{mounts} && cd / && exec chroot '{root or '/'}' {executable} -I -S -B /srv/golden.py"
    # At the same addresses each time, and with an environment of nobody.
    with subprocess.Popen(
        ["setarch", "-R", "unshare", "--mount", "sh", "-c", command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"},
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def dump(*arguments: str | Path, prefix: tuple[str, ...] = ()) -> dict:
    """Empty when it is refused, or when something was missing."""
    command = [*prefix, os.environ["PYCROSCOPED"], "dump", "--locals", "--json", *map(str, arguments)]
    with tempfile.TemporaryDirectory() as store:
        result = subprocess.run([*command, "--store", store], capture_output=True)
    return {} if result.stderr else json.loads(result.stdout)


def stop_where_all_is_seen(pid: int) -> dict:
    """Stops the process when four threads wait and two run, or one of them while the other waits for the GIL."""
    while True:
        os.kill(pid, signal.SIGSTOP)
        seen = dump("-p", str(pid))
        threads = seen.get("threads", ())
        states = sorted(thread["state"] for thread in threads)
        holders = sum(thread["holds_gil"] for thread in threads)
        depths = [len(thread["frames"]) for thread in threads if thread["name"] == "MainThread"]
        if (states, holders) in ((["gil", "running", *WAITING], 1), (["running", "running", *WAITING], 0)) and depths == [22]:
            return {**seen, "stopped_ns": None}
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.02)


def mappings_of(pid: int, root: str) -> list[Mapping]:
    """Those that can be read."""
    found = []
    for match in MAPPING.finditer(Path(f"/proc/{pid}/maps").read_text()):
        begin, end, write, execute, offset, inode, path = match.groups()
        flags = 4 | 2 * (write == "w") | (execute == "x")
        name = NOWHERE + path.removeprefix(root) if int(inode) else path
        found.append(Mapping(int(begin, 16), int(end, 16), flags, int(offset, 16), name))
    return [mapping for mapping in found if mapping.path not in ("[vvar]", "[vvar_vclock]", "[vsyscall]")]


def registers_of(tid: int) -> bytes:
    """user_regs_struct of a thread."""
    registers = ctypes.create_string_buffer(216)
    ptrace(PTRACE_SEIZE, tid)
    ptrace(PTRACE_INTERRUPT, tid)
    os.waitpid(tid, WALL)
    ptrace(PTRACE_GETREGS, tid, registers)
    ptrace(PTRACE_DETACH, tid)
    return registers.raw


def ptrace(request: int, tid: int, data: ctypes.Array | None = None) -> None:
    arguments = ctypes.c_long(request), ctypes.c_long(tid), None, data
    if ctypes.CDLL(None, use_errno=True).ptrace(*arguments) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


def full_core(pid: int, mappings: list[Mapping]) -> bytes:
    segments = []
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for mapping in mappings:
            for address in range(mapping.begin, mapping.end, PAGE):
                with contextlib.suppress(OSError):  # the guard pages of glibc's stacks are part of them
                    segments.append(Segment(address, mapping.flags, os.pread(memory.fileno(), PAGE, address)))
    program = Path(f"/proc/{pid}/comm").read_text().strip()
    files = [(m.begin, m.end, m.offset, m.path) for m in mappings if m.path.startswith("/")]
    registers = {int(tid): registers_of(int(tid)) for tid in os.listdir(f"/proc/{pid}/task")}
    headers = core_file.program_headers(Path(f"/proc/{pid}/auxv").read_bytes())
    return core_file.write(segments, core_file.notes(pid, program, registers, headers, files))


def with_read_pages(core: Path) -> bytes:
    """The core file with those pages only that a dump of it reads."""
    with tempfile.NamedTemporaryFile() as log:
        dump("--core", core, prefix=("strace", "-f", "-y", "-s0", "-etrace=pread64", "-o", log.name))
        reads = [(int(at), int(size)) for path, size, at in READ.findall(Path(log.name).read_bytes()) if path == bytes(core)]
    content = core.read_bytes()
    wanted = {page for at, size in reads for page in range(at // PAGE, (at + size - 1) // PAGE + 1)}
    kept = [segment for segment, at in core_file.read(content) if at // PAGE in wanted]
    return core_file.write(kept, core_file.raw_notes(content))


def without_idle_blocks(core: bytes, says_the_same: Callable[[bytes], bool]) -> bytes:
    """The core file with zeros wherever these leave what it says as it is."""
    begin = core_file.read(core)[0][1]
    ranges = [(at, min(at + 64 * BLOCK, len(core))) for at in range(begin, len(core), 64 * BLOCK)]
    while ranges:
        first, end = ranges.pop()
        without = core[:first] + bytes(end - first) + core[end:]
        if without == core:
            continue
        if says_the_same(without):
            core = without
        elif end - first > BLOCK:
            middle = first + (end - first) // BLOCK // 2 * BLOCK
            ranges += [(first, middle), (middle, end)]
    return core


def without_texts_of_this_machine(core: bytes, interpreter: Interpreter) -> bytes:
    places = (Path.home(), FOLDER, interpreter.root or "/usr", interpreter.executable)
    words = {f"/{Path(place).parts[1]}/" for place in places} - {"/usr/"}
    for word in words:
        core = re.sub(rb"[ -~]*" + re.escape(word.encode()) + rb"[ -~]*", lambda match: bytes(len(match[0])), core)
    return core


def main() -> None:
    name, interpreter = sys.argv[1], find_interpreter(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        core_path = Path(folder) / "core"
        with running(interpreter) as process:
            expected = stop_where_all_is_seen(process.pid)
            mappings = mappings_of(process.pid, str(interpreter.root or ""))
            core_path.write_bytes(full_core(process.pid, mappings))
        assert dump("--core", core_path) == expected, "the core file says something else than the process"

        def says_the_same(core: bytes) -> bool:
            core_path.write_bytes(core)
            return dump("--core", core_path) == expected

        core = with_read_pages(core_path)
        assert says_the_same(core), "the small core file says something else"
        core = without_texts_of_this_machine(without_idle_blocks(core, says_the_same), interpreter)
        assert says_the_same(core), "what it says needs a text of this machine"
    packed = gzip.compress(core, 9, mtime=0)
    (FOLDER / f"{name}.core.gz").write_bytes(packed)
    (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    print(f"{name}: CPython {expected['python']}, {len(packed)} bytes")


if __name__ == "__main__":
    main()
