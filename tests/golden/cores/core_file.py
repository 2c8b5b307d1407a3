"""ELF core files of x86-64, as far as make_core.py reads and writes them: core(5), linux/fs/binfmt_elf.c."""

from __future__ import annotations

import itertools
import struct
from typing import NamedTuple

PAGE = 4096
PT_LOAD, PT_NOTE = 1, 4
NT_PRSTATUS, NT_PRPSINFO, NT_AUXV, NT_FILE = 1, 3, 6, 0x46494C45
AT_PHDR = 3
HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
PHDR = struct.Struct("<IIQQQQQQ")
# elf_prstatus: pr_pid, and user_regs_struct; elf_prpsinfo: pr_pid, pr_fname.
PRSTATUS = struct.Struct("<32xi76x216s8x")
PRPSINFO = struct.Struct("<24xi12x16s80x")
# What of user_regs_struct is kept: rax, rdi, orig_rax, rip, rsp, fs_base. The rest is nobody's business.
KEPT_REGISTERS = (10, 14, 15, 16, 19, 21)


class Segment(NamedTuple):
    """One page."""

    address: int
    flags: int
    content: bytes


def program_table(core: bytes) -> list[tuple]:
    header = HEADER.unpack_from(core)
    return [PHDR.unpack_from(core, header[5] + i * PHDR.size) for i in range(header[10])]


def read(core: bytes) -> list[tuple[Segment, int]]:
    """Each page, and where in the file it is."""
    pages = []
    for kind, flags, at, address, _, size, _, _ in program_table(core):
        for skip in range(0, size if kind == PT_LOAD else 0, PAGE):
            pages.append((Segment(address + skip, flags, core[at + skip : at + skip + PAGE]), at + skip))
    return pages


def raw_notes(core: bytes) -> bytes:
    [(_, _, at, _, _, size, _, _)] = [header for header in program_table(core) if header[0] == PT_NOTE]
    return core[at : at + size]


def registers(core: bytes) -> dict[int, bytes]:
    """Of each thread."""
    content, found, at = raw_notes(core), {}, 0
    while at < len(content):
        name_size, size, kind = struct.unpack_from("<III", content, at)
        begin = at + 12 + (name_size + 3 & ~3)
        if kind == NT_PRSTATUS:
            tid, values = PRSTATUS.unpack_from(content, begin)
            found[tid] = values
        at = begin + (size + 3 & ~3)
    return found


def stack_pages(values: bytes) -> range:
    """Addresses in the stack of a thread that is not the main one, by its registers: glibc keeps its descriptor above it."""
    [stack_pointer] = struct.unpack_from("<Q", values, 19 * 8)
    [thread_pointer] = struct.unpack_from("<Q", values, 21 * 8)
    return range(stack_pointer & -PAGE, thread_pointer, PAGE)


def program_headers(auxiliary_vector: bytes) -> int:
    return dict(struct.iter_unpack("<QQ", auxiliary_vector))[AT_PHDR]


def notes(pid: int, program: str, threads: dict[int, bytes], headers: int, files: list[tuple[int, int, int, str]]) -> bytes:
    """`headers`: AT_PHDR. `files`: begin, end, offset, path."""
    found = note(NT_PRPSINFO, PRPSINFO.pack(pid, program.encode()))
    for tid in sorted(threads, key=lambda tid: (tid != pid, tid)):
        kept = [value if i in KEPT_REGISTERS else 0 for i, value in enumerate(struct.unpack("<27Q", threads[tid]))]
        found += note(NT_PRSTATUS, PRSTATUS.pack(tid, struct.pack("<27Q", *kept)))
    found += note(NT_AUXV, struct.pack("<4Q", AT_PHDR, headers, 0, 0))
    ranges = b"".join(struct.pack("<3Q", begin, end, offset // PAGE) for begin, end, offset, _ in files)
    paths = b"".join(path.encode() + b"\0" for *_, path in files)
    return found + note(NT_FILE, struct.pack("<2Q", len(files), PAGE) + ranges + paths)


def note(kind: int, content: bytes) -> bytes:
    return struct.pack("<III8s", 5, len(content), kind, b"CORE") + content + bytes(-len(content) % 4)


def write(pages: list[Segment], note_bytes: bytes) -> bytes:
    """The file; its pages are aligned in it."""
    runs: list[list[Segment]] = []
    for page in pages:
        if runs and runs[-1][-1].address + PAGE == page.address and runs[-1][-1].flags == page.flags:
            runs[-1].append(page)
        else:
            runs.append([page])
    table_end = HEADER.size + PHDR.size * (len(runs) + 1)
    table = [PHDR.pack(PT_NOTE, 4, table_end, 0, 0, len(note_bytes), 0, 4)]
    at = begin = -(-(table_end + len(note_bytes)) // PAGE) * PAGE
    for run in runs:
        size = len(run) * PAGE
        table.append(PHDR.pack(PT_LOAD, run[0].flags, at, run[0].address, 0, size, size, PAGE))
        at += size
    identity = b"\x7fELF\2\1\1"
    header = HEADER.pack(identity, 4, 62, 1, 0, HEADER.size, 0, 0, HEADER.size, PHDR.size, len(runs) + 1, 0, 0, 0)
    head = (header + b"".join(table) + note_bytes).ljust(begin, b"\0")
    return head + b"".join(page.content for page in itertools.chain.from_iterable(runs))
