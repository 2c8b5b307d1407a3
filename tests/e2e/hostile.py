"""What the hostile suites share: a service with sessions worth stealing, forged requests, and what must not change."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import itertools
import os
import random
import shlex
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from api import Answer, Api, Call, User, become, user
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from http2 import BROKEN, attack, garbled
from program import Program, daemon, running, wait_for

# Those whose first field names a session.
OF_SESSION = (
    *("StopRecording", "WatchRecording", "GetSession", "DeleteSessions", "PackSession", "ShareSession", "SnapshotSession"),
    *("GetView", "ListEvents", "GetSource", "Export"),
)
ROOT, ALICE, BOB, VANDAL = 0, 61011, 61012, 61013
SECRET = {ROOT: "basalt-of-root", ALICE: "cobalt-of-alice", BOB: "dolomite-of-bob"}
# The function that a target of theirs runs has the name of their secret.
SPIN = "def {}():\n    print('ready', flush=True)\n    while True: pass\n{}()"
# What an answer may say of a request that is wrong: never that the service itself is at a loss.
REFUSALS = {"NOT_FOUND", "PERMISSION_DENIED", "INVALID_ARGUMENT", "FAILED_PRECONDITION"}
# An identity that nobody uses any more is forgotten after half a minute.
SETTLE_SECONDS = 75


@dataclasses.dataclass
class Service:
    """A root's daemon with a session of each user, and a process of each that calls it."""

    program: Program
    errors: Path  # what the daemon says on stderr
    users: dict[int, User]
    sessions: dict[int, str]  # uid → id
    targets: dict[int, int]  # uid → pid

    @property
    def pid(self) -> int:
        return self.program.daemon.pid

    @property
    def socket(self) -> str:
        return self.program.common[1]

    @property
    def folder(self) -> Path:
        return self.program.store / "sessions"


@contextlib.contextmanager
def service(api: Api) -> Iterator[Service]:
    with tempfile.TemporaryDirectory(prefix="pyc-hostile-") as folder, contextlib.ExitStack() as stack:
        os.chmod(folder, 0o755)
        errors = Path(folder) / "stderr"
        # A pipe that nobody empties would hold up a daemon that has much to say.
        prefix = ("sh", "-c", f'exec "$@" 2>{shlex.quote(str(errors))}', "sh")
        program = stack.enter_context(daemon(Path(folder) / "store", prefix=prefix))
        made = Service(program, errors, {}, {}, {})
        for uid in (ROOT, ALICE, BOB, VANDAL):
            # In a file: command lines are everybody's to read.
            script = Path(folder) / f"{uid}.py"
            script.write_text(SPIN.format(*[function(uid)] * 2))
            made.targets[uid] = stack.enter_context(running([*become(uid), "/usr/bin/python3", str(script)])).pid
            made.users[uid] = stack.enter_context(user(api, made.socket, uid))
            if uid in SECRET:
                made.sessions[uid] = record(made.users[uid], made.targets[uid], SECRET[uid])
        yield made


def function(uid: int) -> str:
    return SECRET.get(uid, "nothing-to-hide").replace("-", "_")


def record(who: User, pid: int, name: str, seconds: float = 0.5) -> str:
    """The id of a session that this makes."""
    config = {"duration": duration(seconds), "rate_hz": 1000}
    [*_, last] = who.get("Attach", pid=pid, name=name, config=config)
    assert last.finished and last.session.samples > 0, last
    return last.session.id


def duration(seconds: float) -> dict[str, int]:
    return {"seconds": int(seconds), "nanos": int(seconds % 1 * 1e9)}


def digest(folder: Path) -> str:
    """Of the names and contents of all files below."""
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        found.update(str(path.relative_to(folder)).encode() + b"\0")
        if path.is_file():
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


@dataclasses.dataclass
class Use:
    """What the daemon has of what can run out."""

    descriptors: int
    threads: int
    rss_kb: int

    @classmethod
    def of(cls, pid: int) -> Use:
        status = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        return cls(len(os.listdir(f"/proc/{pid}/fd")), int(status["Threads"]), int(status["VmRSS"].split()[0]))


class Standing:
    """How a service stood before a storm, to be compared with how it stands afterwards."""

    def __init__(self, served: Service):
        self.served = served
        self.tidy()
        self.greet()
        time.sleep(1)
        self.before = Use.of(served.pid)
        self.digests = {uid: digest(served.folder / session) for uid, session in served.sessions.items()}

    def greet(self) -> None:
        for uid, caller in self.served.users.items():
            [listing] = caller.get("ListSessions")
            names = {session.name for session in listing.sessions}
            secrets = set(SECRET.values()) if uid == ROOT else {SECRET[uid]} if uid in SECRET else set()
            assert names & set(SECRET.values()) == secrets, (uid, names)

    def tidy(self) -> None:
        """Ends and deletes what is there beside the sessions that were made to be kept."""
        for uid, caller in self.served.users.items():
            if uid == ROOT:
                continue
            # What cancelled calls did may take a moment to end, and no more is done for a caller with too many of them.
            wait_for(lambda caller=caller: caller.ask("ListSessions").code == "OK", 20)
            stop_all(caller)
            wait_for(lambda caller=caller, uid=uid: self.delete_others(caller, self.served.sessions.get(uid)), 20)

    @staticmethod
    def delete_others(caller: User, kept: str | None) -> bool:
        """Whether all sessions but that one are gone: an attach that is cancelled takes its own back meanwhile."""
        [listing] = caller.get("ListSessions")
        extra = [session.id for session in listing.sessions if session.id != kept]
        return not extra or caller.ask("DeleteSessions", sessions=extra).code == "OK"

    def check(self, rss_growth_kb: int) -> Use:
        """The daemon lives, serves, holds no more than before, and has kept what it was given."""
        served = self.served
        assert served.program.daemon.poll() is None, served.errors.read_text()[-2000:]
        self.tidy()
        self.greet()
        # Tear-down of connections is not waited for by anybody, so it is waited for here.
        with contextlib.suppress(AssertionError):
            wait_for(lambda: self.settled(Use.of(served.pid)), SETTLE_SECONDS)
        now = Use.of(served.pid)
        print(f"\nbefore {self.before}\nafter  {now}")
        assert self.settled(now), f"left behind: {self.before} → {now}"
        # Arenas of malloc and the pools of gRPC keep what they had at the peak, so some growth is no leak.
        assert now.rss_kb - self.before.rss_kb <= rss_growth_kb, f"memory: {self.before} → {now}"
        for uid, session in served.sessions.items():
            assert digest(served.folder / session) == self.digests[uid], f"the session of {uid} has changed"
            [view] = served.users[uid].get("GetView", session=session, kind=1)
            assert view.header.total_samples > 0
        said = served.errors.read_text(errors="replace")
        for word in ("terminate called", "Check failed", "Assertion", "Sanitizer", "SIGSEGV", "free():", "corrupted"):
            assert word not in said, said[-2000:]
        return now

    def settled(self, now: Use) -> bool:
        # One identity more or less being released, and the poller that gRPC adds under load.
        return now.descriptors <= self.before.descriptors + 8 and now.threads <= self.before.threads + 8


def pack(who: User, session: str, pieces: int = 8) -> list[bytes]:
    """The messages that unpack it again."""
    data = b"".join(chunk.data for chunk in who.get("PackSession", session=session))
    size = len(data) // pieces + 1
    return [text_field(1, data[at : at + size]) for at in range(0, len(data), size)]


def stop_all(who: User) -> None:
    """Ends what a storm has left recording."""
    [listing] = who.get("ListSessions")
    for session in listing.sessions:
        if session.state == 1:
            who.ask("StopRecording", session=session.id)


# --- forged names ---

NASTY = {
    "empty": b"",
    "upwards": b"../" * 8 + b"etc/passwd",
    "absolute": b"/etc/passwd",
    "here": b".",
    "parent": b"..",
    "zero": b"a\0b",
    "newline": b"a\nb",
    "long": b"x" * 2000,
    "format": b"%s%n{}{0}%99999999d",
    "not UTF-8": b"\xff\xfe\x80",
    "surrogate": b"\xed\xa0\x80",
    "overlong": b"\xc0\xae\xc0\xae\xc0\xaf",
    "wide": "\U0010ffff\u202e\u0000\u200b".encode(),
    "glob": b"*",
    "option": b"--store=/tmp",
    "Latest": b"Latest",
    "latest with a space": b" latest",
    "latest with a newline": b"latest\n",
    "latest with a zero": b"latest\0",
}


def forged(session: str, name: str) -> dict[str, bytes]:
    """References to somebody else's session."""
    return {
        "id": session.encode(),
        "name": name.encode(),
        "beginning": session[:-1].encode(),
        "half of it": session[:-4].encode(),
        "in capitals": session.upper().encode(),
        "with a slash": f"{session}/".encode(),
        "from here": f"./{session}".encode(),
        "from above": f"../sessions/{session}".encode(),
        "its database": f"{session}/db".encode(),
        "with a zero": session.encode() + b"\0",
        "with a zero and more": session.encode() + b"\0x",
        "with a newline": session.encode() + b"\n",
        "being made": f".new-{session}".encode(),
        "being deleted": f".trash-{session}".encode(),
        "through latest": f"latest/../{session}".encode(),
        "not UTF-8": session.encode() + b"\xff",
    }


def text_field(number: int, content: bytes) -> bytes:
    """A field as any bytes at all, where the library would insist on UTF-8."""
    size, out = len(content), b""
    while size >= 128:
        out += bytes([size & 127 | 128])
        size >>= 7
    return bytes([number << 3 | 2]) + out + bytes([size]) + content


def named(api: Api, method: str, reference: bytes) -> bytes:
    """A request about a session named so."""
    field = api.methods[method].input_type.fields[0]
    more = {
        "Export": {"format": "collapsed", "weight": "samples"},
        "GetView": {"kind": 1},
        "GetSource": {"content_hash": bytes(32)},
    }
    return text_field(field.number, reference) + api.request(method, **more.get(method, {})).SerializeToString()


# --- requests that are made to fit ---


def plausible(api: Api, method: str, pid: int, session: str) -> Message:
    """A request that means something: the base for what is to be broken."""
    fields = {
        "Attach": {"pid": pid, "name": "plausible", "config": {"duration": duration(0.05), "rate_hz": 100, "sampler": "ebpf"}},
        "Dump": {"pid": pid},
        "GetView": {"session": session, "kind": 5, "filter": {"threads": ["1"], "function_regex": "a.*", "file_glob": "*.py"}},
        "ListEvents": {"session": session, "cursor": "0.0", "page_size": 10},
        "Export": {"session": session, "format": "collapsed", "weight": "samples"},
        "PruneSessions": {"keep": 1000, "max_bytes": 1 << 40},
        "DeleteSessions": {"sessions": ["nothing-of-the-kind"]},
        "GetSource": {"session": session, "content_hash": bytes(32)},
        "Diagnose": {"pid": pid},
    }.get(method)
    if fields is None:
        fields = {"session": session} if method in OF_SESSION else {}
    return api.request(method, **fields)


def text_fields(message: Descriptor, depth: int = 3) -> Iterator[tuple[list[FieldDescriptor], FieldDescriptor]]:
    """Every string field of a message, with the fields that lead to it."""
    for field in message.fields:
        if field.type == field.TYPE_STRING:
            yield [], field
        elif field.type == field.TYPE_MESSAGE and depth:
            for path, inner in text_fields(field.message_type, depth - 1):
                yield [field, *path], inner


def with_text(base: bytes, path: list[FieldDescriptor], field: FieldDescriptor, content: bytes) -> bytes:
    """The request with that field said once more; the last one counts, and messages are merged."""
    data = text_field(field.number, content)
    for outer in reversed(path):
        data = text_field(outer.number, data)
    return base + data


def bent(data: bytes, chance: random.Random) -> bytes:
    """A bit of it flipped, which is mostly a message still; or more of it, which mostly is none."""
    if not data or chance.randrange(3) == 0:
        return garbled(data, chance)
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(7)]) + data[at + 1 :]


def storm_of_calls(served: Service, api: Api, count: int, seed: int) -> dict[str, int]:
    """Bent requests of every method by a user who has nothing to lose; how often each status was the answer."""
    chance = random.Random(seed)
    vandal = served.users[VANDAL]
    session = record(vandal, served.targets[VANDAL], "expendable")
    bases = {
        method: plausible(api, method, served.targets[VANDAL], session).SerializeToString()
        for method in api.methods
        if method != "UnpackSession"
    }
    packed = pack(vandal, session)
    seen: dict[str, int] = {}
    done = 0
    while done < count:
        calls = []
        for method in itertools.islice(itertools.cycle(chance.sample(list(api.methods), len(api.methods))), 80):
            call = Call(method, [], deadline=chance.choice([0.001, 0.05, 5, 5, 5]))
            if method == "UnpackSession":
                chunks = chance.sample(packed, len(packed)) if chance.randrange(2) else list(packed)
                call.requests = [garbled(chunk, chance) if chance.randrange(3) == 0 else chunk for chunk in chunks]
            else:
                call.requests = [bent(bases[method], chance) for _ in range(chance.choice([1, 1, 1, 1, 1, 1, 0, 2]))]
            if chance.randrange(4) == 0:
                call.cancel = chance.random() * 0.1
            calls.append(call)
        for answer in vandal.calls(calls):
            seen[answer.code] = seen.get(answer.code, 0) + 1
            assert_says_nothing(answer, VANDAL, served)
        done += len(calls)
        stop_all(vandal)
    return seen


def assert_says_nothing(answer: Answer, uid: int, served: Service) -> None:
    """No answer to a user holds what is of somebody else, unless the user has said it."""
    for other, secret in SECRET.items():
        if other == uid:
            continue
        for word in (secret, function(other), served.sessions[other]):
            assert not [reply for reply in answer.replies if word.encode() in reply], (word, answer)


def storm_of_frames(served: Service, count: int, seed: int, seconds: float = 2) -> int:
    """Each way to break the rules once, then garbled ones, by one user, while others are served; how often these were."""
    storm = fork_as(VANDAL, lambda: send_frames(served.socket, count, seed, seconds))
    greetings = 0
    while (ended := os.waitpid(storm, os.WNOHANG)) == (0, 0):
        for uid in (ALICE, BOB):
            [session] = served.users[uid].get("GetSession", session="latest")
            assert session.id == served.sessions[uid]
        greetings += 1
        time.sleep(0.05)
    assert os.waitstatus_to_exitcode(ended[1]) == 0, "the storm itself has failed"
    assert served.program.daemon.poll() is None, served.errors.read_text()[-2000:]
    return greetings


def send_frames(path: str, count: int, seed: int, seconds: float) -> None:
    chance = random.Random(seed)
    names = list(BROKEN)
    for number in range(count):
        data = BROKEN[names[number % len(names)]]
        attack(path, garbled(data, chance) if number >= len(names) else data, seconds)


def fork_as(uid: int, act: Callable[[], object]) -> int:
    """Does something in a child of that user, whose pid this is; it exits with 0 if that went well."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            act()
            os._exit(0)
        except BaseException as error:
            print(repr(error), flush=True)
        finally:
            os._exit(1)
    return child


def put_in(served: Service, session: str, act: Callable[[], object]) -> bool:
    """Has Bob do something in his session's folder; false where the store does not let him in, which is the best answer."""
    reached = os.waitstatus_to_exitcode(os.waitpid(fork_as(BOB, lambda: os.stat(served.folder / session / "db")), 0)[1]) == 0
    if reached:
        assert os.waitstatus_to_exitcode(os.waitpid(fork_as(BOB, act), 0)[1]) == 0
    return reached


def release(pipe: Path) -> None:
    """Lets go whoever waits there, so that the service can end."""
    if not pipe.is_fifo():
        return
    writer = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    pipe.unlink()
    time.sleep(0.5)
    os.close(writer)
