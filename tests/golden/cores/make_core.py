#!/usr/bin/python3
"""make_core.py NAME INTERPRETER: makes NAME.core.xz and NAME.json, for test_golden_cores.py, of a program on INTERPRETER.

The core file holds only the pages that `dump --core --locals` reads, those of the interpreter's own files too, so that it is
small and needs no file of this machine; of them, only the blocks that make a difference are kept, the rest is zero. Needs gdb
and strace, and some minutes; PYCROSCOPED names the program that reads.
"""

from __future__ import annotations

import collections
import json
import lzma
import os
import re
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

FOLDER = Path(__file__).parent
PROGRAM = FOLDER.parent.parent / "targets/waiting_threads.py"
PAGE = 4096
BLOCK = 512
PT_LOAD, PT_NOTE = 1, 4
PHDR = struct.Struct("<IIQQQQQQ")
KEPT_NOTES = {1, 3, 6, 0x46494C45}  # NT_PRSTATUS NT_PRPSINFO NT_AUXV NT_FILE
READ = re.compile(rb"pread64\(\d+<(.*)>, .*, (\d+), (\d+)\) = \d+$", re.M)

Segment = collections.namedtuple("Segment", "type flags offset address file_size")


def segments(core: bytes) -> list[Segment]:
    offset, count = struct.unpack_from("<Q", core, 32)[0], struct.unpack_from("<H", core, 56)[0]
    headers = (PHDR.unpack_from(core, offset + i * PHDR.size) for i in range(count))
    return [Segment(h[0], h[1], h[2], h[3], h[5]) for h in headers]


def notes(core: bytes) -> dict[int, list[bytes]]:
    """The notes that are kept, whole, by type."""
    found = collections.defaultdict(list)
    [segment] = [s for s in segments(core) if s.type == PT_NOTE]
    at = segment.offset
    while at < segment.offset + segment.file_size:
        name_size, size, kind = struct.unpack_from("<III", core, at)
        end = at + 12 + (name_size + 3 & ~3) + (size + 3 & ~3)
        if kind in KEPT_NOTES:
            found[kind].append(core[at:end])
        at = end
    return found


def mapped_files(note: bytes) -> list[tuple[int, int, int, str]]:
    """(begin, end, offset, path) of each mapping of NT_FILE."""
    count, page = struct.unpack_from("<QQ", note, 20)
    ranges = [struct.unpack_from("<QQQ", note, 36 + 24 * i) for i in range(count)]
    paths = note[36 + 24 * count :].split(b"\0")
    return [(begin, end, offset * page, path.decode()) for (begin, end, offset), path in zip(ranges, paths, strict=False)]


def pages_read(core_file: Path, core: bytes) -> dict[int, bytes]:
    """The pages of the process, by address, that a dump of the core file reads."""
    with tempfile.NamedTemporaryFile() as log:
        dump(core_file, "strace", "-f", "-y", "-s", "0", "-e", "trace=pread64", "-o", log.name)
        reads = [(path.decode(), int(size), int(offset)) for path, size, offset in READ.findall(Path(log.name).read_bytes())]
    files = mapped_files(notes(core)[0x46494C45][0])
    pages = {}
    for path, size, offset in reads:
        if path == str(core_file):
            places = [(s.address, s.offset, s.offset + s.file_size) for s in segments(core) if s.type == PT_LOAD]
            content = core
        else:
            places = [(begin, start, start + end - begin) for begin, end, start, name in files if name == path]
            content = Path(path).read_bytes()
        for address, begin, end in places:
            if not begin <= offset < end:
                continue
            first = address + (offset - begin) & -PAGE
            for page in range(first, address + (offset - begin) + size, PAGE):
                start = begin + page - address
                pages[page] = content[start : start + PAGE].ljust(PAGE, b"\0")
            break
    return pages


def small_core(core: bytes, pages: dict[int, bytes]) -> bytes:
    flags = {}
    for segment in segments(core):
        for page in range(segment.address, segment.address + segment.file_size, PAGE):
            flags[page] = segment.flags
    kept = notes(core)
    note = b"".join(kept[3] + kept[1] + kept[6] + kept[0x46494C45])
    runs: list[list[int]] = []
    for page in sorted(pages):
        if runs and runs[-1][-1] + PAGE == page and flags.get(runs[-1][-1], 4) == flags.get(page, 4):
            runs[-1].append(page)
        else:
            runs.append([page])
    header = core[:32] + struct.pack("<QQIHHHHHH", 64, 0, 0, 64, PHDR.size, len(runs) + 1, 64, 0, 0)
    at = 64 + PHDR.size * (len(runs) + 1)
    table = [PHDR.pack(PT_NOTE, 4, at, 0, 0, len(note), 0, 1)]
    at += len(note)
    for run in runs:
        size = len(run) * PAGE
        table.append(PHDR.pack(PT_LOAD, flags.get(run[0], 4), at, run[0], 0, size, size, 1))
        at += size
    return header + b"".join(table) + note + b"".join(pages[page] for run in runs for page in run)


def without_idle_blocks(core: bytes, says_the_same) -> bytes:
    """The core file with zeros wherever these leave what it says as it is."""
    begin = min(s.offset for s in segments(core) if s.type == PT_LOAD)
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


def dump(core: Path, *prefix: str) -> dict:
    """Empty when it is refused."""
    command = [*prefix, os.environ["PYCROSCOPED"], "dump", "--core", str(core), "--locals", "--json"]
    with tempfile.TemporaryDirectory() as store:
        return json.loads(subprocess.run([*command, "--store", store], capture_output=True).stdout or "{}")


def make_full_core(interpreter: str, folder: Path) -> Path:
    # A clean environment: pages hold what happens to stand beside what is read.
    with subprocess.Popen(
        [interpreter, "-I", "-S", "-c", PROGRAM.read_text()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={"LANG": "C.UTF-8"},
        cwd="/",
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(1)
        subprocess.run(["gcore", "-o", folder / "core", str(process.pid)], check=True, capture_output=True)
        process.kill()
    return folder / f"core.{process.pid}"


def main() -> None:
    name, interpreter = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        full = make_full_core(interpreter, Path(folder))
        content = full.read_bytes()
        expected = dump(full)
        small = Path(folder) / "small"

        def says_the_same(core: bytes) -> bool:
            small.write_bytes(core)
            return dump(small) == expected

        core = small_core(content, pages_read(full, content))
        assert expected and says_the_same(core), "the small core file says something else"
        core = without_idle_blocks(core, says_the_same)
        packed = lzma.compress(core, preset=9 | lzma.PRESET_EXTREME)
    (FOLDER / f"{name}.core.xz").write_bytes(packed)
    (FOLDER / f"{name}.json").write_text(json.dumps(expected, indent=1, ensure_ascii=False) + "\n")
    print(f"{name}: CPython {expected['python']}, {len(packed)} bytes")


if __name__ == "__main__":
    main()
