"""A client that breaks every rule, and users who want what is not theirs: nothing is shown and the service serves on."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
from api import SERVICE, Call, become
from hostile import (
    ALICE,
    BOB,
    NASTY,
    OF_SESSION,
    REFUSALS,
    ROOT,
    SECRET,
    VANDAL,
    Standing,
    Use,
    assert_says_nothing,
    forged,
    named,
    pack,
    plausible,
    service,
    storm_of_calls,
    storm_of_frames,
    text_field,
    text_fields,
    with_text,
)
from http2 import DATA, END_STREAM, PREFACE, Connection, call, calls_per_second, frame, headers, message, settings
from program import read_line, wait_for

pytestmark = pytest.mark.timeout(300)
NOT_THERE = "20200101-000000-abc123"  # an id that no session has


@pytest.fixture(scope="module")
def served(api):
    with service(api) as made:
        yield made


@pytest.fixture
def standing(served):
    """The service, which has to stand after the test as it did before."""
    return Standing(served)


def test_every_method_about_a_session_is_tried(api):
    assert set(OF_SESSION) == set(api.of_session())


@pytest.mark.parametrize("method", OF_SESSION)
def test_no_name_of_somebody_elses_session_opens_it(api, served, method):
    bob = served.users[BOB]
    for owner in (ALICE, ROOT):
        theirs = forged(served.sessions[owner], SECRET[owner])
        calls = [Call(method, [named(api, method, reference)], deadline=20) for reference in theirs.values()]
        for (how, reference), answer in zip(theirs.items(), bob.calls(calls), strict=True):
            # What is not UTF-8 is no message at all.
            assert answer.code == ("INTERNAL" if how == "not UTF-8" else "NOT_FOUND"), (how, answer)
            assert_says_nothing(answer, BOB, served)
            shown = answer.details.replace(reference.decode(errors="replace"), "")
            assert SECRET[owner] not in shown and served.sessions[owner] not in shown, answer


@pytest.mark.parametrize("method", OF_SESSION)
def test_a_refusal_does_not_tell_what_exists_from_what_does_not(api, served, method):
    """Word for word the same sentence."""
    bob = served.users[BOB]
    for exists, does_not in {served.sessions[ALICE]: NOT_THERE, SECRET[ALICE]: "cobalt-of-nobody"}.items():
        one, other = bob.calls([Call(method, [named(api, method, name.encode())]) for name in (exists, does_not)])
        assert one.code == other.code == "NOT_FOUND" and one.exit_code == other.exit_code == 1, (one, other)
        assert one.details.replace(exists, "X") == other.details.replace(does_not, "X")


def test_the_owner_and_root_open_what_others_cannot(api, served):
    """So that the refusals above are not those of a service that refuses everything."""
    for uid in (ALICE, ROOT):
        for reference in (served.sessions[ALICE], SECRET[ALICE], served.sessions[ALICE][:-1]):
            [session] = served.users[uid].get("GetSession", session=reference)
            assert (session.id, session.owner_uid) == (served.sessions[ALICE], ALICE)
            assert served.users[uid].ask("PackSession", session=reference).code == "OK"


def test_latest_is_ones_own(served):
    for uid in (ALICE, BOB):
        for word in ("latest", ""):
            [session] = served.users[uid].get("GetSession", session=word)
            assert session.id == served.sessions[uid]
    assert served.users[VANDAL].ask("GetSession", session="latest").code == "NOT_FOUND"
    for odd in ("LATEST", "latest ", "latest\n", "latest\0", "latest/.", "./latest"):
        assert served.users[BOB].ask("GetSession", session=odd).code == "NOT_FOUND", odd


def test_somebody_elses_recording_cannot_be_stopped_watched_or_deleted(api, served):
    alice, bob = served.users[ALICE], served.users[BOB]
    [live] = alice.get("Attach", pid=served.targets[ALICE], name="quartz-of-alice", detached=True)
    for reference in (live.session.id, "quartz-of-alice"):
        for method in ("StopRecording", "WatchRecording", "DeleteSessions"):
            [answer] = bob.calls([Call(method, [named(api, method, reference.encode())], deadline=20)])
            assert answer.code == "NOT_FOUND", (method, answer)
    bob.get("PruneSessions", keep=1)
    [processes] = bob.get("ListProcesses")
    assert not [process for process in processes.processes if process.recording], "a recording of somebody else is shown"
    [session] = alice.get("GetSession", session=live.session.id)
    assert session.state == 1, "it was ended by somebody else"
    [stopped] = alice.get("StopRecording", session=live.session.id)
    assert stopped.session.samples > 0
    alice.get("DeleteSessions", sessions=[live.session.id])


def test_somebody_elses_process_cannot_be_looked_into(served):
    bob = served.users[BOB]
    for owner in (ALICE, ROOT):
        pid = served.targets[owner]
        assert bob.ask("Attach", pid=pid, detached=True).code == "PERMISSION_DENIED"
        assert bob.ask("Attach", pid=pid, before_exec=True, detached=True).code == "PERMISSION_DENIED"
        assert bob.ask("Dump", pid=pid, locals=True).code == "PERMISSION_DENIED"
    assert bob.ask("Attach", pid=served.pid, detached=True).code == "PERMISSION_DENIED"
    for odd in (0, -1, -(1 << 31), (1 << 31) - 1):
        assert bob.ask("Attach", pid=odd, detached=True).code in REFUSALS, odd
        assert bob.ask("Dump", pid=odd).code in REFUSALS, odd


def test_every_text_of_every_request_may_hold_anything(api, served, standing):
    bob = served.users[BOB]
    count = 0
    for method, descriptor in api.methods.items():
        if descriptor.input_type.name == "Chunk":
            continue
        base = plausible(api, method, served.targets[BOB], served.sessions[BOB]).SerializeToString()
        for path, field in text_fields(descriptor.input_type):
            calls = [Call(method, [with_text(base, path, field, content)], deadline=20) for content in NASTY.values()]
            for how, answer in zip(NASTY, bob.calls(calls), strict=True):
                assert answer.code in REFUSALS | {"OK", "INTERNAL"}, (method, field.name, how, answer)
                assert answer.code != "INTERNAL" or how in ("not UTF-8", "surrogate", "overlong"), (
                    method,
                    field.name,
                    how,
                    answer,
                )
                assert_says_nothing(answer, BOB, served)
                count += 1
    assert count > 300
    standing.check(rss_growth_kb=96 << 10)


def test_a_core_file_is_opened_with_the_callers_rights_and_never_waited_for(served):
    bob = served.users[BOB]
    with tempfile.TemporaryDirectory(prefix="pyc-core-") as folder:
        os.chmod(folder, 0o777)
        pipe = f"{folder}/pipe"
        os.mkfifo(pipe)
        os.chmod(pipe, 0o666)
        private = Path(folder) / "private"
        private.write_text("secret")
        private.chmod(0o600)
        os.symlink(private, f"{folder}/link")
        for path in ("/etc/shadow", str(private), f"{folder}/link", f"/proc/{served.pid}/mem", f"/proc/{served.pid}/environ"):
            answer = bob.ask("Dump", core=path, deadline=20)
            assert answer.code == "PERMISSION_DENIED" and "secret" not in answer.details, (path, answer)
        store = served.folder / served.sessions[ALICE] / "session.pb"
        assert bob.ask("Dump", core=str(store), deadline=20).code == "PERMISSION_DENIED"
        for path in (pipe, "/dev/zero", "/dev/stdin", "/", folder, "nowhere", "/proc/self/fd/0", "/proc/kmsg"):
            answer = bob.ask("Dump", core=path, deadline=20)
            assert answer.code in REFUSALS, (path, answer)


def test_bent_requests(api, served, standing):
    seen = storm_of_calls(served, api, 480, seed=5)
    print(f"\n{seen}")
    # Some are no messages, some are refused for what they say, and some are harmless.
    refused = sum(seen.get(code, 0) for code in REFUSALS)
    assert seen["OK"] > 20 and refused > 20 and seen["INTERNAL"] > 20, seen
    standing.check(rss_growth_kb=128 << 10)


def test_broken_frames(served, standing):
    greetings = storm_of_frames(served, 250, seed=7, seconds=0.3)
    assert greetings > 10, "nobody else was served"
    standing.check(rss_growth_kb=128 << 10)


def test_chunks_of_a_session_out_of_order(api, served, standing):
    bob = served.users[BOB]
    chunks = pack(bob, served.sessions[BOB])
    assert len(chunks) >= 4
    wrong = {
        "backwards": chunks[::-1],
        "one missing": chunks[:2] + chunks[3:],
        "one twice": chunks[:2] + chunks[1:],
        "cut": chunks[:-1],
        "more behind": [*chunks, chunks[0]],
        "none": [],
        "only empty ones": [text_field(1, b"")] * 100,
        "another kind of message": [api.request("GetView", session="x").SerializeToString()],
    }
    for how, answer in zip(
        wrong, bob.calls([Call("UnpackSession", sent, deadline=20) for sent in wrong.values()]), strict=True
    ):
        assert answer.code in ("DATA_LOSS", "INTERNAL"), (how, answer)
    # In order, with nothing between them that matters, it is a session again.
    [answer] = bob.calls([Call("UnpackSession", [text_field(1, b""), *chunks, text_field(1, b"")])])
    assert answer.code == "OK", answer
    copy = api.reply("UnpackSession", answer.replies[0])
    assert copy.owner_uid == BOB
    bob.get("DeleteSessions", sessions=[copy.id])
    with Connection(served.socket) as door:
        # After the end of its own side the caller says more.
        door.socket.sendall(
            headers(1, "UnpackSession") + frame(DATA, END_STREAM, 1, message(chunks[0])) + frame(DATA, 0, 1, message(chunks[1]))
        )
        with contextlib.suppress(AssertionError, StopIteration, OSError):
            door.statuses(1)
    [listing] = bob.get("ListSessions")
    assert [session.id for session in listing.sessions] == [served.sessions[BOB]]
    assert not [path for path in served.folder.iterdir() if path.name.startswith(".")], "half a session was left"
    standing.check(rss_growth_kb=64 << 10)


def test_deadlines_of_a_millisecond_and_sudden_cancels(api, served, standing):
    bob = served.users[BOB]
    base = {
        method: plausible(api, method, served.targets[BOB], served.sessions[BOB]).SerializeToString()
        for method in api.methods
        if method != "UnpackSession"
    }
    late = bob.calls([Call(method, [request], deadline=0.001) for method, request in base.items() for _ in range(5)])
    assert sum(answer.code == "DEADLINE_EXCEEDED" for answer in late) > len(late) // 2
    for delay in (0, 0.001, 0.005, 0.02, 0.1):
        bob.calls([Call(method, [request], cancel=delay) for method, request in base.items()])
    # A recording ends with its caller.
    wait_for(lambda: all(session.state != 1 for session in bob.get("ListSessions")[0].sessions))
    standing.check(rss_growth_kb=96 << 10)


def test_callers_who_stop_reading_hold_nobody_up(api, served, standing):
    """Answers without room to be sent, as many as one caller may ask for, on connections that stay."""
    root = served.users[ROOT]
    requests = {
        "Export": api.request("Export", session=served.sessions[ROOT], format="json", weight="samples"),
        "ListEvents": api.request("ListEvents", session=served.sessions[ROOT]),
        "GetView": api.request("GetView", session=served.sessions[ROOT], kind=5),
        "Attach": api.request("Attach", pid=served.targets[ROOT], name="unread"),
    }
    with contextlib.ExitStack() as doors:
        for _ in range(8):
            door = doors.enter_context(socket.socket(socket.AF_UNIX))
            door.connect(served.socket)
            # No window: not a byte of an answer may be sent.
            door.sendall(PREFACE + settings(window=0))
            for number, (method, request) in enumerate(list(requests.items())[: 4 if _ == 0 else 3]):
                door.sendall(call(2 * number + 1, method, request.SerializeToString()))
        for uid in (ALICE, BOB, ROOT):
            [view] = served.users[uid].get("GetView", session=served.sessions[uid], kind=1, deadline=20)
            assert view.header.total_samples > 0
    # With its caller the recording ends.
    wait_for(lambda: all(session.state != 1 for session in root.get("ListSessions")[0].sessions))
    extra = [session.id for session in root.get("ListSessions")[0].sessions if session.name == "unread"]
    assert len(extra) == 1
    root.get("DeleteSessions", sessions=extra)
    standing.check(rss_growth_kb=96 << 10)


def test_many_calls_are_answered_one_by_one(served, standing):
    rate = calls_per_second(served.socket, "GetVersion", 5000)
    print(f"\n{rate:.0f} calls/s")
    standing.check(rss_growth_kb=64 << 10)


@pytest.mark.parametrize("size", [5_000, 10_240, 1 << 20])
def test_a_name_of_any_length_is_refused_as_what_it_is(api, served, size):
    """A sentence that repeats it whole is too long for a header: gRPC then says something else, without an exit code."""
    bob = served.users[BOB]
    base = plausible(api, "Attach", served.targets[BOB], "").SerializeToString()
    long = b"x" * size
    calls = {
        method: Call(method, [named(api, method, long)]) for method in ("GetSession", "DeleteSessions", "GetView", "Export")
    }
    calls["Attach"] = Call("Attach", [base + text_field(2, long)])
    for method, sent in calls.items():
        [answer] = bob.calls([sent])
        assert answer.code in REFUSALS and answer.exit_code in (1, 2), (method, answer)


def test_requests_that_are_no_messages_do_not_fill_the_log(served):
    """Whoever can call could fill a disk otherwise."""
    before = served.errors.stat().st_size
    answers = served.users[BOB].calls([Call("GetSession", [text_field(1, b"\xff" * 100)]) for _ in range(500)])
    assert {answer.code for answer in answers} == {"INTERNAL"}
    assert served.errors.stat().st_size - before < 16 << 10, served.errors.read_text(errors="replace")[-600:]


NAMESPACES = """
import os, socket, sys, ctypes
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWUSER = 0x10000000
for _ in range(int(sys.argv[2])):
    ready, go = os.pipe()
    if os.fork() == 0:
        # Stays, so that no other namespace gets its number.
        if libc.unshare(CLONE_NEWUSER) != 0:
            os.write(go, b"n")
        else:
            with socket.socket(socket.AF_UNIX) as door:
                door.connect(sys.argv[1])
                door.sendall(bytes.fromhex(sys.argv[3]))
                door.recv(1)
            os.write(go, b"y")
        os.close(go)
        sys.stdin.read()
        os._exit(0)
    os.close(go)
    if os.read(ready, 1) != b"y":
        print("none", flush=True)
        sys.exit()
    os.close(ready)
print("ready", flush=True)
sys.stdin.read()
"""


def test_user_namespaces_do_not_multiply_what_one_user_may_have(served, standing):
    """Each is another identity, and anybody may make thousands."""
    command = [*become(VANDAL), "/usr/bin/python3", "-c", NAMESPACES, served.socket, "300", PREFACE.hex()]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, cwd="/")
    try:
        if read_line(process.stdout) != "ready\n":
            pytest.skip("a user without rights may make no namespaces here")
        now = Use.of(served.pid)
        print(f"\n{standing.before} → {now}")
        assert now.threads <= standing.before.threads + 64, f"{standing.before} → {now}"
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()
    standing.check(rss_growth_kb=64 << 10)


def test_after_all_that_a_recording_is_as_good_as_any(served):
    """What the daemon has not given back to the system is not this recorder's to save."""
    for uid in (ALICE, BOB):
        config = {"rate_hz": 100, "duration": {"seconds": 3}}
        [*_, last] = served.users[uid].get("Attach", pid=served.targets[uid], config=config)
        assert last.session.lowest_rate_hz == 0 and last.session.end_reason == "duration", (last.session, Use.of(served.pid))
        served.users[uid].get("DeleteSessions", sessions=[last.session.id])


def test_unknown_methods(served):
    names = ["/x", f"/{SERVICE}/Nonsense", f"/{SERVICE}/attach", f"/{SERVICE}.v2/Attach", f"/{SERVICE}/", "/" + "x" * 4000]
    answers = served.users[BOB].calls([Call(name, [b""], deadline=20) for name in names])
    assert {answer.code for answer in answers} == {"UNIMPLEMENTED"}
