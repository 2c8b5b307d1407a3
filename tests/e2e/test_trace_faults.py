"""Complete tracing of programs that do what is awkward for it: they do it as without, and what is recorded and lost is all."""

import contextlib
import ctypes
import json
import os
import signal
import struct
import time

import pytest
from program import read_line, target, wait_for

LIBC = ctypes.CDLL(None, use_errno=True)
# One for each kind of hooks, and one without a GIL; full_trace_faults.py has them all.
INTERPRETERS = ("debian-3.11", "trixie-3.13", "free-threaded-3.13")
SCRIPT = "trace_faults.py"
WITHOUT_MONITORING = ("3.8", "3.9", "3.10", "3.11")


def first_round(traced):
    """How often it called work() before it was traced, and what else it says of that."""
    return json.loads(traced.ready.split(maxsplit=1)[1])


def one_round(traced):
    traced.say("go")
    said = answer(traced)
    wait_for(lambda: traced.state() == "S")  # for the next line, which ends what it does in this round
    return said


def answer(traced):
    return json.loads(read_line(traced.process.stdout).removeprefix("done "))


def report(program, session="latest"):
    return program.json("report", session, "--view", "functions")


def calls_of(rows, function="work") -> int:
    return sum(row["calls"] or 0 for row in rows if row["function"] == function and (row["file"] or "").endswith(SCRIPT))


def happened(shown) -> int:
    return shown["loss"]["recorded"] + shown["loss"]["lost"]


def traced_twice(traceable, program, what: str, collectors: str = "call"):
    """The reports of two rounds, in both of which it did and got what it does and gets untraced."""
    with target(traceable, SCRIPT, what) as traced:
        shown = []
        for _ in range(2):
            with program.recording(traced.pid, "--trace", collectors, "-q"):
                did = one_round(traced)
            assert did == first_round(traced)
            shown.append(report(program))
            if shown[-1]["loss"]["lost"] == 0:
                assert calls_of(shown[-1]["rows"]) == did[0]
        assert one_round(traced) == first_round(traced)
    return shown


AWKWARD = [
    "busy",
    "many_threads",
    "forks",
    "processes",
    "recursion",
    "unwinding",
    "surrogates",
    "signals",
    "timer",
    "generators",
    "with_settrace",
    "with_setprofile",
    "with_cprofile",
    "with_monitoring",
    "with_tracemalloc",
    "subinterpreters",
]
# How long they wait for each other, or who comes when, is not the same each time.
NOT_THE_SAME_TWICE = {"many_threads", "processes", "timer"}


@pytest.mark.parametrize("what", AWKWARD)
def test_it_goes_as_without(traceable, program, what):
    if what == "with_monitoring" and traceable.version in WITHOUT_MONITORING:
        pytest.skip("has no sys.monitoring")
    first, second = traced_twice(traceable, program, what)
    assert first["loss"]["lost"] == second["loss"]["lost"] == 0
    if what not in NOT_THE_SAME_TWICE:
        assert happened(first) == happened(second)
    if what == "surrogates":
        assert r"\udcff<\ud800😀>" in {row["function"] for row in first["rows"] if row["file"] == r"/\udc80.py"}


@pytest.mark.parametrize("what", AWKWARD)
def test_it_goes_as_without_when_all_is_recorded(traceable, program, what):
    if what == "with_monitoring" and traceable.version in WITHOUT_MONITORING:
        pytest.skip("has no sys.monitoring")
    traced_twice(traceable, program, what, "all")


def test_exceptions_are_told_with_all_frames_that_they_leave(traceable, program):
    with target(traceable, SCRIPT, "unwinding") as traced, program.recording(traced.pid, "--trace", "exception", "-q"):
        _, depths = one_round(traced)
    rows = program.json("report", "--view", "exceptions")["rows"]
    (row,) = (row for row in rows if row["function"] == "descend")
    assert (row["type"], row["caught_function"]) == ("KeyError", "unwinding")
    assert (row["raised"], row["frames_unwound"]) == (len(depths), sum(depths) - len(depths))


@pytest.mark.parametrize("collectors", ["call", "all"])
def test_a_hundred_thousand_code_objects(traceable, program, collectors):
    with target(traceable, SCRIPT, "code_objects") as traced:
        with program.recording(traced.pid, "--trace", collectors, "-q"):
            assert one_round(traced) == first_round(traced)
        shown = report(program)
    (made,) = (row["calls"] for row in shown["rows"] if row["function"] == "made")
    assert made <= 100_001
    assert made == 100_001 or shown["loss"]["lost"] > 0


def test_threads_without_end_are_recorded_or_counted(traceable, program):
    """A thousand in a tenth of a second, which is more than can be recorded, and fewer slowly."""
    with target(traceable, SCRIPT, "slow_short_threads") as traced, program.recording(traced.pid, "--trace", "call", "-q"):
        did, _ = one_round(traced)
    slowly = report(program)
    assert slowly["loss"]["lost"] == 0
    assert calls_of(slowly["rows"]) == did
    with target(traceable, SCRIPT, "short_threads") as traced, program.recording(traced.pid, "--trace", "call", "-q"):
        did, _ = one_round(traced)
    quickly = report(program)
    work = calls_of(quickly["rows"])
    assert work <= did
    # work() begins and ends.
    assert 2 * (did - work) <= quickly["loss"]["lost"]


@pytest.mark.parametrize("collectors", ["call", "line", "instruction", "call,c-call,line,instruction"])
def test_what_a_recorder_that_stands_still_cannot_take_is_counted(traceable, program, collectors):
    with target(traceable, SCRIPT, "burst") as traced:
        sums = []
        for stands_still in (False, True, True):
            with program.recording(traced.pid, "--trace", collectors, "-q") as recording:
                time.sleep(0.1)
                if stands_still:
                    recording.process.send_signal(signal.SIGSTOP)
                assert one_round(traced) == first_round(traced)
                recording.process.send_signal(signal.SIGCONT)
            shown = report(program)
            sums.append(happened(shown))
            if stands_still:
                assert shown["loss"]["by_reason"].keys() == {"ring_full"}, shown["loss"]
            if "call" in collectors and not shown["loss"]["lost"]:
                assert calls_of(shown["rows"]) == first_round(traced)[0]
        assert len(set(sums)) == 1, sums
        assert sums[0] >= first_round(traced)[0]


@pytest.mark.parametrize("how, code", [("abort", -signal.SIGABRT), ("_exit", 3), ("kill", -signal.SIGKILL), ("exit", 5)])
@pytest.mark.parametrize("collectors", ["call", "all"])
def test_what_was_recorded_until_the_end_is_kept(traceable, program, how, code, collectors):
    with target(traceable, SCRIPT, f"ends-{how}") as traced:
        with program.recording(traced.pid, "--trace", collectors, "-q") as recording:
            traced.say("go")
            assert traced.process.wait(timeout=30) == code
            recording.end(sent=None)
        done = answer(traced)[0] if how == "exit" else 100
    assert program.json("sessions", "show")["end_reason"] == "target exited"
    shown = report(program)
    assert shown["loss"]["lost"] == 0
    assert calls_of(shown["rows"]) == done


def test_what_a_process_becomes_is_left_alone(traceable, program):
    with target(traceable, SCRIPT, "ends-exec") as traced:
        with program.recording(traced.pid, "--trace", "call", "-q") as recording:
            traced.say("go")
            assert read_line(traced.process.stdout).startswith("ready [200, ")
            recording.end()
        assert one_round(traced)[0] == 200
    assert calls_of(report(program)["rows"]) == 100


def test_a_target_frees_itself_of_all_hooks_when_its_recorder_was_killed(traceable, program):
    with target(traceable, SCRIPT, "hooks") as traced:
        with program.recording(traced.pid, "--trace", "all", "-q") as recording:
            expected = [] if traceable.version in WITHOUT_MONITORING else ["pycroscope"]
            assert one_round(traced) == [200, [expected, 1]]
            recording.process.kill()
            recording.end(code=-signal.SIGKILL, sent=None)
        time.sleep(1.5)
        one_round(traced)
        assert one_round(traced) == first_round(traced)
        with program.recording(traced.pid, "--trace", "all", "-q"):
            one_round(traced)
        assert one_round(traced) == first_round(traced)


PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH = 0x4206, 0x4207, 17


@contextlib.contextmanager
def debugged(pid: int):
    """This thread is its debugger meanwhile."""
    assert LIBC.ptrace(PTRACE_SEIZE, pid, None, None) == 0
    try:
        yield
    finally:
        LIBC.ptrace(PTRACE_INTERRUPT, pid, None, None)
        wait_for(lambda: LIBC.ptrace(PTRACE_DETACH, pid, None, None) == 0)


def test_a_target_with_a_debugger_is_refused(traceable, program):
    with target(traceable, SCRIPT, "busy") as traced:
        with debugged(traced.pid):
            sentence = program.refuses("attach", "-p", traced.pid, "--trace", "call", code=1)
            assert "already traced by process" in sentence
            assert one_round(traced) == first_round(traced)
        with program.recording(traced.pid, "--trace", "call", "-q"):
            assert one_round(traced) == first_round(traced)
        assert calls_of(report(program)["rows"]) == 200


def test_a_target_that_is_stopped_stays_so(traceable, program):
    with target(traceable, SCRIPT, "busy") as traced:
        traced.process.send_signal(signal.SIGSTOP)
        wait_for(lambda: traced.state() == "T")
        program.run("attach", "-p", traced.pid, "--trace", "call", "-d", "0.1", "-q", code=None)
        assert traced.state() == "T"
        traced.process.send_signal(signal.SIGCONT)
        # What was to begin in it meanwhile does not any more.
        wait_for(lambda: len(os.listdir(f"/proc/{traced.pid}/task")) == 1)
        with program.recording(traced.pid, "--trace", "call", "-q"):
            assert one_round(traced) == first_round(traced)
        assert calls_of(report(program)["rows"]) == 200


MPROTECT, MEMFD_CREATE = 10, 319
DENY, TRAP, KILL = 0x00050001, 0x00030000, 0x80000000
EXECUTABLE = 4  # of mprotect's third argument


def forbid(number: int, action: int, third_argument: int | None = None) -> None:
    """By a seccomp filter of this process: a system call, or it where a bit is set in its third argument."""

    def word_at(offset):
        return struct.pack("HBBI", 0x20, 0, 0, offset)

    def unless(code, value, skipped):
        return struct.pack("HBBI", code, 0, skipped, value)

    def answer(value):
        return struct.pack("HBBI", 0x06, 0, 0, value)

    is_equal, has_bits, allow = 0x15, 0x45, 0x7FFF0000
    rest = answer(action) if third_argument is None else word_at(32) + unless(has_bits, third_argument, 1) + answer(action)
    program = word_at(0) + unless(is_equal, number, len(rest) // 8) + rest + answer(allow)
    text = ctypes.create_string_buffer(program)
    whole = struct.pack("HxxxxxxQ", len(program) // 8, ctypes.addressof(text))
    no_new_privileges, set_seccomp, filters = 38, 22, 2
    assert LIBC.prctl(no_new_privileges, 1, 0, 0, 0) == 0
    assert LIBC.prctl(set_seccomp, filters, ctypes.c_char_p(whole)) == 0


@pytest.mark.parametrize(
    "forbidden",
    [
        (MEMFD_CREATE, DENY),
        (MPROTECT, DENY, EXECUTABLE),
        (MEMFD_CREATE, TRAP),
        pytest.param((MEMFD_CREATE, KILL), marks=pytest.mark.xfail(strict=True, reason="the filter kills it for our call")),
    ],
    ids=["no-memfd", "no-executable-memory", "trap", "kill"],
)
def test_a_target_whose_filter_forbids_it_is_refused(traceable, program, forbidden):
    with target(traceable, SCRIPT, "busy", preexec_fn=lambda: forbid(*forbidden)) as traced:
        code = 4 if forbidden[1] == TRAP else 1
        program.refuses("attach", "-p", traced.pid, "--trace", "call", "-q", code=code)
        assert one_round(traced) == first_round(traced)


def test_a_root_without_proc_does_not_matter(traceable, program):
    if traceable.root is None:
        pytest.skip("runs in the machine's own root")
    assert not (traceable.root / "proc/self").exists()
    traced_twice(traceable, program, "busy", "all")
