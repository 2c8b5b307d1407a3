"""Runs a program and writes what it does, call by call or line by line, for tests/unit/support/recorded_trace.h.

record_trace.py OUTPUT calls|lines MAX_EVENTS SCRIPT [ARGUMENTS...]
"""

import array
import runpy
import struct
import sys
import threading
import time

CALL, RETURN, LINE = 0, 1, 8


class Recorder:
    def __init__(self, limit: int, lines: bool):
        self.functions: dict = {}
        self.times, self.rest = array.array("Q"), array.array("I")
        self.limit, self.lines = limit, lines

    def add(self, kind: int, frame) -> None:
        if len(self.times) >= self.limit:
            return
        number = self.functions.setdefault(frame.f_code, len(self.functions))
        self.times.append(time.perf_counter_ns())
        self.rest.extend((threading.get_native_id(), kind << 28 | number, frame.f_lineno or 0))

    def profile(self, frame, event, _argument) -> None:
        if event in ("call", "return"):
            self.add(CALL if event == "call" else RETURN, frame)

    def trace(self, frame, event, _argument):
        if event in ("call", "return", "line"):
            self.add({"call": CALL, "return": RETURN, "line": LINE}[event], frame)
        return self.trace

    def start(self) -> None:
        hook, at = (sys.settrace, threading.settrace) if self.lines else (sys.setprofile, threading.setprofile)
        hook_function = self.trace if self.lines else self.profile
        at(hook_function)
        hook(hook_function)

    def stop(self) -> None:
        for hook in (sys.settrace, sys.setprofile, threading.settrace, threading.setprofile):
            hook(None)

    def write(self, path: str) -> None:
        with open(path, "wb") as out:
            out.write(b"pyctrace1\n" + struct.pack("<I", len(self.functions)))
            for code in self.functions:
                for text in (getattr(code, "co_qualname", code.co_name), code.co_filename):
                    data = text.encode(errors="replace")
                    out.write(struct.pack("<I", len(data)) + data)
                out.write(struct.pack("<I", code.co_firstlineno))
            for i, when in enumerate(self.times):
                out.write(struct.pack("<QIII", when - self.times[0], *self.rest[3 * i : 3 * i + 3]))


def main() -> None:
    output, kind, limit, script, *arguments = sys.argv[1:]
    recorder = Recorder(int(limit), kind == "lines")
    sys.argv = [script, *arguments]
    recorder.start()
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit:
        pass
    finally:
        recorder.stop()
    recorder.write(output)


main()
