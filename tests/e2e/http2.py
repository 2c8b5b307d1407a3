"""HTTP/2 by hand, right and wrong: frames, gRPC's framing in them, and connections that break the rules at every level."""

from __future__ import annotations

import random
import socket
import struct
import time
from collections.abc import Callable, Iterator

import hpack

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
GREETING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
WIDEST = (1 << 31) - 1


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"", size: int | None = None) -> bytes:
    """`size`: what the frame says of its payload, where that is not the truth."""
    return struct.pack(">I", len(payload) if size is None else size)[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(**pairs: int) -> bytes:
    numbers = {"table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "headers": 6}
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", numbers[key], value) for key, value in pairs.items()))


PREFACE = GREETING + settings()


def literal(key: str | bytes, value: str | bytes) -> bytes:
    """A header that no table remembers, RFC 7541 6.2.2."""
    texts = [text.encode() if isinstance(text, str) else text for text in (key, value)]
    return b"\0" + b"".join(integer(len(text), 7) + text for text in texts)


def integer(value: int, bits: int) -> bytes:
    """RFC 7541 5.1."""
    limit = (1 << bits) - 1
    if value < limit:
        return bytes([value])
    value -= limit
    out = [limit]
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes([*out, value])


def header_block(method: str, **more: str) -> bytes:
    pairs = {
        ":method": "POST",
        ":scheme": "http",
        ":path": method if method.startswith("/") else f"/pycroscope.v1.Profiler/{method}",
        ":authority": "localhost",
        "content-type": "application/grpc",
        "te": "trailers",
        **{key.replace("_", "-"): value for key, value in more.items()},
    }
    return b"".join(literal(key, value) for key, value in pairs.items())


def headers(stream: int, method: str, flags: int = END_HEADERS, **more: str) -> bytes:
    return frame(HEADERS, flags, stream, header_block(method, **more))


def message(data: bytes, compressed: int = 0, size: int | None = None) -> bytes:
    """gRPC's prefix and the message."""
    return struct.pack(">BI", compressed, len(data) if size is None else size) + data


def call(stream: int, method: str, data: bytes = b"") -> bytes:
    return headers(stream, method) + frame(DATA, END_STREAM, stream, message(data))


class Connection:
    """A connection that reads frames and answers those that want an answer."""

    def __init__(self, path: str, greet: bytes = PREFACE, seconds: float = 20):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(seconds)
        self.socket.connect(path)
        self.socket.sendall(greet)
        self.decoder = hpack.Decoder(max_header_list_size=1 << 20)
        self.received = b""

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_) -> None:
        self.socket.close()

    def frames(self) -> Iterator[tuple[int, int, int, bytes]]:
        """(kind, flags, stream, payload), until the other side closes."""
        while True:
            while len(self.received) >= 9 + int.from_bytes(self.received[:3], "big"):
                size = int.from_bytes(self.received[:3], "big")
                kind, flags, stream = struct.unpack(">BBI", self.received[3:9])
                payload, self.received = self.received[9 : 9 + size], self.received[9 + size :]
                if kind in (SETTINGS, PING) and not flags & ACK:
                    self.socket.sendall(frame(kind, ACK, 0, payload if kind == PING else b""))
                if kind == DATA and payload:
                    self.socket.sendall(frame(WINDOW_UPDATE, payload=struct.pack(">I", len(payload))))
                yield kind, flags, stream, payload
            data = self.socket.recv(1 << 18)
            if not data:
                return
            self.received += data

    def statuses(self, count: int) -> dict[int, int]:
        """The gRPC status of each stream, until `count` of them are known."""
        found: dict[int, int] = {}
        for kind, _, stream, payload in self.frames():
            if kind == HEADERS:
                fields = dict(self.decoder.decode(payload))
                if "grpc-status" in fields:
                    found[stream] = int(fields["grpc-status"])
                    if len(found) == count:
                        return found
            assert kind not in (RST_STREAM, GOAWAY), (kind, payload)
        raise AssertionError(f"closed after {len(found)} of {count} answers")


def drain(door: socket.socket, seconds: float) -> bytes:
    """Reads until the other side closes, for at most so long; what came last."""
    deadline = time.monotonic() + seconds
    data = b""
    try:
        while (left := deadline - time.monotonic()) > 0:
            door.settimeout(left)
            more = door.recv(1 << 16)
            if not more:
                break
            data = more
    except OSError:
        pass  # a timeout, or a reset
    return data


def window(stream: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def reset(stream: int) -> bytes:
    return frame(RST_STREAM, 0, stream, struct.pack(">I", 8))


def many_streams(make: Callable[[int], bytes], count: int = 500) -> bytes:
    return b"".join(make(2 * number + 1) for number in range(count))


LIST = "ListSessions"
UNPACK = "UnpackSession"
OPENED = PREFACE + headers(1, LIST)
UNENDED = PREFACE + headers(1, LIST, flags=0)


def raw(block: bytes) -> bytes:
    return PREFACE + frame(HEADERS, END_HEADERS, 1, block)


def end(data: bytes) -> bytes:
    return frame(DATA, END_STREAM, 1, data)


def remembered(stream: int) -> bytes:
    """Headers of which the last, of 4 kB, is to be remembered."""
    return frame(HEADERS, END_HEADERS | END_STREAM, stream, header_block(LIST) + b"\x40\x04name\x7f\xa1\x1e" + b"v" * 4000)


# What a connection says, from its first byte on. Each breaks one rule; those of floods keep them all, too often.
BROKEN: dict[str, bytes] = {
    "nothing": b"",
    "half a greeting": GREETING[:11],
    "greeting of HTTP/1": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "greeting of TLS": bytes.fromhex("160301020001") + bytes(512),
    "greeting in lower case": GREETING.lower(),
    "greeting alone": GREETING,
    "no settings first": GREETING + call(1, LIST),
    "settings of five bytes": GREETING + frame(SETTINGS, payload=bytes(5)),
    "settings on a stream": GREETING + frame(SETTINGS, stream=1),
    "settings acknowledged with content": PREFACE + frame(SETTINGS, ACK, 0, bytes(6)),
    "settings never sent acknowledged": PREFACE + frame(SETTINGS, ACK) * 100,
    "settings with a window too wide": GREETING + settings(window=1 << 31),
    "settings with frames too small": GREETING + settings(frame=1),
    "settings with frames too large": GREETING + settings(frame=WIDEST),
    "settings with a table without end": GREETING + settings(table=0xFFFFFFFF) + call(1, LIST),
    "settings with no room for headers": GREETING + settings(headers=0) + call(1, LIST),
    "settings that let nothing through": GREETING + settings(window=0) + call(1, LIST),
    "settings flood": PREFACE + settings(window=65535) * 20000,
    "settings that move the window": PREFACE + call(1, LIST) + (settings(window=0) + settings(window=WIDEST)) * 500,
    "frame larger than allowed": PREFACE + frame(DATA, 0, 1, bytes(1 << 20)),
    "frame cut short": PREFACE + frame(HEADERS, END_HEADERS, 1, b"abc", size=16000),
    "frame of an unknown kind": PREFACE + frame(200, 255, WIDEST, bytes(1000)) + call(1, LIST),
    "reserved bit set": PREFACE + frame(SETTINGS, 0, 1 << 31),
    "data before headers": PREFACE + end(message(b"")),
    "data on stream 0": PREFACE + frame(DATA, END_STREAM, 0, message(b"")),
    "data after the end": PREFACE + call(1, LIST) + end(message(b"")) * 100,
    "data all padding": OPENED + frame(DATA, PADDED, 1, b"\xff" + bytes(255)) * 1000,
    "padding longer than its frame": OPENED + frame(DATA, PADDED, 1, b"\xff" + bytes(10)),
    "empty data flood": OPENED + frame(DATA, 0, 1) * 20000,
    "more data than the window": PREFACE + headers(1, UNPACK) + frame(DATA, 0, 1, bytes(16000)) * 40,
    "headers of an even stream": PREFACE + headers(2, LIST),
    "headers on stream 0": PREFACE + headers(0, LIST),
    "headers of an older stream": PREFACE + call(7, LIST) + call(3, LIST),
    "headers twice": PREFACE + headers(1, LIST) * 2,
    "headers of the last stream": PREFACE + call(WIDEST, LIST) + call(1, LIST),
    "headers that depend on themselves": PREFACE + frame(HEADERS, END_HEADERS | 0x20, 1, b"\0\0\0\1\0" + header_block(LIST)),
    "headers never ended": UNENDED + call(3, LIST),
    "headers of nothing but bits": raw(b"\xff" * 1000),
    "headers with an index of no table": raw(b"\xfe"),
    "headers with an index without end": raw(b"\xff" + b"\xff" * 16),
    "headers with a table too large": raw(b"\x3f\xe1\xff\xff\x03" + header_block(LIST)),
    "headers with a string without end": raw(b"\0\x7f\xff\xff\xff\x7f"),
    "headers with bad Huffman": raw(b"\0\x84\xff\xff\xff\xff\x84\xff\xff\xff\xff"),
    "headers of a megabyte": UNENDED + frame(CONTINUATION, 0, 1, literal("x", "y" * 16000)) * 64,
    "headers without a path": PREFACE + frame(HEADERS, END_HEADERS | END_STREAM, 1, literal(":method", "POST")),
    "headers with two paths": raw(literal(":path", "/x") + header_block(LIST)),
    "headers of a GET": raw(literal(":method", "GET") + literal(":path", "/")),
    "headers with a zero in them": raw(header_block(LIST) + literal("a\0b", "c\0\r\n")),
    "headers with capitals": raw(header_block(LIST) + literal("Upper", "x")),
    "headers of another kind of content": PREFACE + headers(1, LIST, content_type="text/html") + end(message(b"")),
    "headers remembered and evicted": PREFACE + many_streams(remembered, 20),
    "continuation first": PREFACE + frame(CONTINUATION, END_HEADERS, 1, header_block(LIST)),
    "continuation of another stream": UNENDED + frame(CONTINUATION, END_HEADERS, 3, b""),
    "continuation flood": UNENDED + frame(CONTINUATION, 0, 1) * 50000,
    "continuation flood with content": UNENDED + frame(CONTINUATION, 0, 1, literal("a", "b" * 100)) * 20000,
    "promise of a push": PREFACE + frame(PUSH_PROMISE, END_HEADERS, 1, struct.pack(">I", 2) + header_block(LIST)),
    "priority flood": PREFACE + many_streams(lambda n: frame(PRIORITY, 0, n, bytes(5)), 10000),
    "reset of nothing": PREFACE + reset(1) + reset(99),
    "reset on stream 0": PREFACE + reset(0),
    "reset of three bytes": OPENED + frame(RST_STREAM, 0, 1, bytes(3)),
    "rapid reset": PREFACE + many_streams(lambda n: call(n, LIST) + reset(n), 2000),
    "rapid reset of what takes long": PREFACE + many_streams(lambda n: call(n, "ListProcesses") + reset(n), 500),
    "more streams than allowed": PREFACE + many_streams(lambda n: headers(n, UNPACK), 400),
    "window by nothing": OPENED + window(1, 0),
    "window of the connection by nothing": PREFACE + window(0, 0),
    "window too wide": OPENED + window(1, WIDEST) * 2,
    "window of the connection too wide": PREFACE + window(0, WIDEST) * 2,
    "window flood": OPENED + window(1, 1) * 50000,
    "window of three bytes": PREFACE + frame(WINDOW_UPDATE, 0, 0, bytes(3)),
    "ping flood": PREFACE + frame(PING, payload=bytes(8)) * 20000,
    "ping of seven bytes": PREFACE + frame(PING, payload=bytes(7)),
    "ping never sent acknowledged": PREFACE + frame(PING, ACK, 0, bytes(8)) * 1000,
    "goodbye first": PREFACE + frame(GOAWAY, payload=bytes(8)) + call(1, LIST),
    "goodbye of three bytes": PREFACE + frame(GOAWAY, payload=bytes(3)),
    "message longer than it says": OPENED + end(message(b"abc", size=1)),
    "message shorter than it says": OPENED + end(message(b"abc", size=1000)),
    "message of four gigabytes": OPENED + end(message(b"abc", size=0xFFFFFFFF)),
    "message cut in its prefix": OPENED + end(b"\0\0"),
    "message compressed somehow": OPENED + end(message(b"abc", compressed=1)),
    "message compressed as it says": PREFACE + headers(1, LIST, grpc_encoding="gzip") + end(message(b"abc", compressed=1)),
    "message with an unknown flag": OPENED + end(message(b"", compressed=0x82)),
    "message in an unknown encoding": PREFACE + headers(1, LIST, grpc_encoding="x") + end(message(b"")),
    "two messages for a call of one": OPENED + end(message(b"") * 2),
    "no message for a call of one": PREFACE + headers(1, LIST, flags=END_HEADERS | END_STREAM),
    "unknown method": PREFACE + call(1, "Nonsense") + call(3, "/grpc.reflection.v9.X/Y") + call(5, "/" + "x" * 8000),
    "deadline that is none": PREFACE + headers(1, LIST, grpc_timeout="soon") + end(message(b"")),
    "deadline of a billion hours": PREFACE + headers(1, LIST, grpc_timeout="99999999999H") + end(message(b"")),
}  # fmt: skip


def garbled(data: bytes, chance: random.Random) -> bytes:
    """The same with some of it changed: bits, pieces twice or not at all, an end too early."""
    out = bytearray(data[: 1 << 16])
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(out)) if out else 0
        match chance.randrange(4):
            case 0 if out:
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                out[at:at] = out[at : at + chance.randrange(64)]
            case 2:
                del out[at : at + chance.randrange(64)]
            case _:
                out[at:at] = chance.randbytes(chance.randrange(32))
    return bytes(out[: chance.randrange(len(out) + 1)]) if chance.randrange(4) == 0 else bytes(out)


def attack(path: str, data: bytes, seconds: float, close: bool = True) -> bytes:
    """Sends it on a connection of its own, and yields what came last; `close`: says that nothing more follows."""
    with socket.socket(socket.AF_UNIX) as door:
        door.settimeout(seconds)
        door.connect(path)
        try:
            door.sendall(data)
            if close:
                door.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has been shut out already, or has stopped being read
        return drain(door, seconds)


def calls_per_second(path: str, method: str, count: int, at_once: int = 80) -> float:
    """Makes `count` calls over one connection, so many at once; each has to be answered with OK."""
    request = message(b"")
    block = header_block(method)
    with Connection(path) as door:
        begin = time.monotonic()
        started = answered = 0
        frames = door.frames()
        while answered < count:
            burst = min(at_once - (started - answered), count - started)
            if burst >= at_once // 2 or (burst > 0 and started + burst == count):
                door.socket.sendall(
                    b"".join(
                        frame(HEADERS, END_HEADERS, stream, block) + frame(DATA, END_STREAM, stream, request)
                        for stream in range(2 * started + 1, 2 * (started + burst) + 1, 2)
                    )
                )
                started += burst
            kind, flags, stream, payload = next(frames)
            if kind == HEADERS:
                # The decoder has to see all of them: they share a table.
                fields = dict(door.decoder.decode(payload))
                if flags & END_STREAM:
                    assert fields["grpc-status"] == "0", (stream, fields)
                    answered += 1
            assert kind not in (RST_STREAM, GOAWAY), (kind, stream, payload)
        return count / (time.monotonic() - begin)
