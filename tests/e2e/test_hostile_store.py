"""A session's folder belongs to its user, who may put anything there if the store lets users in; what reads it is root."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from api import Call, become
from hostile import ALICE, BOB, REFUSALS, ROOT, assert_says_nothing, named, put_in, record, release
from program import running

READING = ("GetView", "ListEvents", "Export", "PackSession", "GetSource")


def link_folder(mine: Path, theirs: Path) -> None:
    mine.rename(f"{mine}.old")
    mine.symlink_to(theirs)


def link_files(mine: Path, theirs: Path, names: list[str]) -> None:
    for path in list(mine.iterdir()):
        path.unlink()
    for name in names:
        (mine / name).symlink_to(theirs / name)


@pytest.mark.parametrize("how", ["folder", "files"])
def test_links_to_somebody_elses_session_are_not_followed(api, served, how):
    bob = served.users[BOB]
    theirs = served.folder / served.sessions[ALICE] / "db"
    session = record(bob, served.targets[BOB], "linked")
    mine = served.folder / session / "db"
    # Bob cannot list her folder, but the names in it are the same in every session.
    names = [path.name for path in theirs.iterdir()]
    if not put_in(served, session, lambda: link_folder(mine, theirs) if how == "folder" else link_files(mine, theirs, names)):
        return
    for method in READING:
        [answer] = bob.calls([Call(method, [named(api, method, session.encode())], deadline=20)])
        assert_says_nothing(answer, BOB, served)
        assert answer.code in REFUSALS | {"DATA_LOSS"}, (method, answer)
    bob.get("DeleteSessions", sessions=[session])
    assert sorted(path.name for path in theirs.iterdir()) == sorted(names), "what the links led to was deleted"


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(served):
    """Whoever opens a pipe waits for a writer: such a call cannot even be cancelled."""
    bob = served.users[BOB]
    session = record(bob, served.targets[BOB], "piped")
    current = served.folder / session / "db" / "CURRENT"
    put_in(served, session, lambda: (current.unlink(), os.mkfifo(current)))
    try:
        answer = bob.ask("GetView", session=session, kind=1, deadline=10)
        assert answer.code in REFUSALS | {"DATA_LOSS"} or not current.is_fifo(), answer
    finally:
        release(current)
    bob.get("DeleteSessions", sessions=[session])


HOLD = """
import fcntl, os, sys
lock = os.open(sys.argv[1], os.O_RDONLY)
fcntl.flock(lock, fcntl.LOCK_EX)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_lock_that_its_owner_holds_keeps_no_session_from_being_pruned(served):
    """A recorder holds that lock; who could hold it for ever would keep what is older than it, of others too."""
    root = served.users[ROOT]
    lock = served.folder / served.sessions[BOB] / "lock"
    with contextlib.ExitStack() as stack:
        if put_in(served, served.sessions[BOB], lambda: lock.open().close()):
            stack.enter_context(running([*become(BOB), "/usr/bin/python3", "-c", HOLD, str(lock)], cwd="/"))
        root.get("PruneSessions", keep=0)
        assert not root.get("ListSessions")[0].sessions


def test_folders_in_a_session_deeper_than_any_of_ours_are_deleted_too(served):
    deep = served.folder / served.sessions[BOB] / "x" / Path(*["x"] * 20)
    put_in(served, served.sessions[BOB], lambda: deep.mkdir(parents=True))
    served.users[BOB].get("DeleteSessions", sessions=[served.sessions[BOB]])
    assert len(list(served.folder.iterdir())) == 2, "something of it was left"


def test_a_session_made_of_garbage_is_refused(api, served):
    """Not a crash, and not a promise that it is as large as its files say."""
    bob = served.users[BOB]
    session = record(bob, served.targets[BOB], "garbage")
    database = served.folder / session / "db"
    garble(database)
    for method in READING:
        [answer] = bob.calls([Call(method, [named(api, method, session.encode())], deadline=20)])
        assert answer.code in REFUSALS | {"DATA_LOSS"}, (method, answer)
    (database.parent / "session.pb").write_bytes(b"\xff" * 1000)
    assert bob.ask("GetSession", session=session).code == "DATA_LOSS"
    [listing] = bob.get("ListSessions")
    assert [other.id for other in listing.sessions] == [served.sessions[BOB]] and len(listing.problems) == 1
    [others] = served.users[ALICE].get("ListSessions")
    assert not others.problems, "what one user broke is shown to another"
    bob.get("DeleteSessions", sessions=[session])


def garble(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(bytes(byte ^ 0x5A for byte in path.read_bytes()))
