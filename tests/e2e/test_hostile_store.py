"""A session's folder belongs to its user, who may put anything there; what reads it is root."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from api import Api, Call
from hostile import ALICE, BOB, REFUSALS, as_user, assert_says_nothing, named, record, release, service

READING = ("GetView", "ListEvents", "Export", "PackSession", "GetSource")


@pytest.fixture(scope="module")
def api(tmp_path_factory) -> Api:
    return Api(tmp_path_factory.mktemp("api"))


@pytest.fixture
def served(api):
    with service(api) as made:
        yield made


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
    as_user(BOB, lambda: link_folder(mine, theirs) if how == "folder" else link_files(mine, theirs, names))
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
    as_user(BOB, lambda: (current.unlink(), os.mkfifo(current)))
    try:
        answer = bob.ask("GetView", session=session, kind=1, deadline=10)
        assert answer.code in REFUSALS | {"DATA_LOSS"}, answer
    finally:
        release(current)
    bob.get("DeleteSessions", sessions=[session])


def test_a_session_made_of_garbage_is_refused(api, served):
    """Not a crash, and not a promise that it is as large as its files say."""
    bob = served.users[BOB]
    session = record(bob, served.targets[BOB], "garbage")
    database = served.folder / session / "db"
    as_user(BOB, lambda: garble(database))
    for method in READING:
        [answer] = bob.calls([Call(method, [named(api, method, session.encode())], deadline=20)])
        assert answer.code in REFUSALS | {"DATA_LOSS"}, (method, answer)
    as_user(BOB, lambda: (database.parent / "session.pb").write_bytes(b"\xff" * 1000))
    assert bob.ask("GetSession", session=session).code == "DATA_LOSS"
    [listing] = bob.get("ListSessions")
    assert [other.id for other in listing.sessions] == [served.sessions[BOB]] and len(listing.problems) == 1
    [others] = served.users[ALICE].get("ListSessions")
    assert not others.problems, "what one user broke is shown to another"
    bob.get("DeleteSessions", sessions=[session])


def garble(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(bytes(byte ^ 0x5A for byte in path.read_bytes()))
