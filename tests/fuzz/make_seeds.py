#!/usr/bin/python3
"""make_seeds.py FOLDER: writes one valid input for each fuzzer whose format is hard to guess, as FOLDER/NAME/seed."""

import pathlib
import struct
import sys

# _Py_DebugOffsets of 3.13.0 on 64-bit Linux, after its cookie.
DEBUG_OFFSETS = [
    0x030D00F0, 0, 283320, 608, 632, 194968, 7272, 7264, 7344, 7400, 7656, 7640, 7648, 16, 7752, 0, 7768, 7760, 304, 0,
    8, 16, 72, 152, 160, 232, 32, 80, 8, 0, 56, 72, 70, 208, 112, 120, 128, 136, 68, 52, 96, 104, 200, 16, 8, 416, 24, 88,
    168, 32, 24, 16, 40, 24, 16, 48, 32, 40, 24, 16, 32, 16, 24, 40, 16, 32, 64, 32, 16, 40, 240, 200,
]  # fmt: skip


def code_object() -> bytes:
    """One of 3.11 at 0 whose names are a str at 512 and whose line table is a bytes at 1024."""
    memory = bytearray(2048)
    struct.pack_into("<i", memory, 72, 7)
    struct.pack_into("<4Q", memory, 112, 0x10200, 0x10200, 0x10200, 0x10400)
    struct.pack_into("<qqI", memory, 512 + 16, 4, -1, 0b1100100)
    memory[512 + 48 : 512 + 52] = b"name"
    table = bytes([0x80, 0, 0xE1, 0, 0, 0xF8, 0xE8, 3, 0xF7, 0x7E, 1, 0, 0, 0])
    struct.pack_into("<Q", memory, 1024 + 16, len(table))
    memory[1024 + 32 : 1024 + 32 + len(table)] = table
    return bytes(memory)


def frames() -> bytes:
    """A runtime of 3.11 at 0 with one interpreter, one thread and two frames."""
    memory = bytearray(2048)
    struct.pack_into("<Q", memory, 40, 0x10100)
    struct.pack_into("<Q", memory, 256 + 16, 0x10200)
    struct.pack_into("<Q", memory, 512 + 56, 0x10400)
    struct.pack_into("<Q", memory, 1024 + 8, 0x10500)
    struct.pack_into("<Q", memory, 1280 + 48, 0x10600)
    return bytes(memory)


def core_file() -> bytes:
    """One with a thread and a page of /bin/true, which is mapped at 0x10000."""
    auxv = struct.pack("<4Q", 3, 0x10040, 0, 0)
    files = struct.pack("<5Q", 1, 4096, 0x10000, 0x14000, 0) + b"/bin/true\0"
    notes = b""
    for kind, content in (1, bytes(336)), (3, bytes(136)), (6, auxv), (0x46494C45, files):
        notes += struct.pack("<III", 5, len(content), kind) + b"CORE\0\0\0\0" + content + bytes(-len(content) % 4)
    header = b"\x7fELF\2\1\1" + bytes(9) + struct.pack("<HHIQQQIHHHHHH", 4, 62, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0)
    at = 64 + 2 * 56
    table = struct.pack("<IIQQQQQQ", 4, 4, at, 0, 0, len(notes), 0, 1)
    table += struct.pack("<IIQQQQQQ", 1, 5, at + len(notes), 0x10000, 0, 4096, 0x4000, 1)
    return header + table + notes + pathlib.Path("/bin/true").read_bytes()[:4096]


SEEDS = {
    "elf_image": pathlib.Path("/bin/true").read_bytes()[:65536],
    "layout": b"xdebugpy" + struct.pack(f"<{len(DEBUG_OFFSETS)}Q", *DEBUG_OFFSETS),
    "maps": pathlib.Path("/proc/self/maps").read_bytes()[:4096],
    "code_object": code_object(),
    "frames": frames(),
    "core_file": core_file(),
}

for name, content in SEEDS.items():
    folder = pathlib.Path(sys.argv[1]) / f"{name}_fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "seed").write_bytes(content)
