"""The API as a foreign program calls it: messages from its .proto files, calls through grpcio, under any uid."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import select
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from program import read_line

PROTO = Path(__file__).parents[2] / "proto"
SERVICE = "pycroscope.v1.Profiler"
ANSWER_SECONDS = 120


def become(uid: int) -> tuple[str, ...]:
    """What starts a command as that user, who is in no group but its own."""
    ids = (f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--no-new-privs")
    # --pdeathsig is lost when the ids change, so it is set after that.
    return ("setpriv", *ids, "--", "setpriv", "--pdeathsig", "KILL", "--") if uid else ("setpriv", "--pdeathsig", "KILL", "--")


class Api:
    """The service's methods and message classes."""

    def __init__(self, folder: Path):
        output = folder / "service.protoset"
        files = sorted(str(path.relative_to(PROTO)) for path in PROTO.rglob("*.proto"))
        subprocess.run(["protoc", f"-I{PROTO}", "--include_imports", f"--descriptor_set_out={output}", *files], check=True)
        pool = descriptor_pool.DescriptorPool()
        for file in descriptor_pb2.FileDescriptorSet.FromString(output.read_bytes()).file:
            pool.Add(file)
        self._factory = message_factory.MessageFactory(pool)
        self.methods = {method.name: method for method in pool.FindServiceByName(SERVICE).methods}

    def request(self, method: str, **fields) -> Message:
        return self._factory.GetPrototype(self.methods[method].input_type)(**fields)

    def reply(self, method: str, data: bytes) -> Message:
        return self._factory.GetPrototype(self.methods[method].output_type).FromString(data)

    def of_session(self) -> list[str]:
        """The methods that are about one session, or several: their first field names it."""
        return [
            name
            for name, method in self.methods.items()
            if method.input_type.fields and method.input_type.fields[0].name in ("session", "sessions")
        ]


@dataclasses.dataclass
class Call:
    method: str
    requests: Sequence[bytes]
    deadline: float | None = None  # seconds
    cancel: float | None = None  # seconds after which the caller cancels
    read: int | None = None  # messages after which the caller cancels

    def line(self) -> dict:
        path = self.method if self.method.startswith("/") else f"/{SERVICE}/{self.method}"
        return {**dataclasses.asdict(self), "method": path, "requests": [request.hex() for request in self.requests]}


@dataclasses.dataclass
class Answer:
    code: str
    details: str
    exit_code: int | None  # what the service says a command line must exit with
    replies: list[bytes]


class User:
    """A process of one uid that makes calls."""

    def __init__(self, api: Api, uid: int, process: subprocess.Popen):
        self.api, self.uid, self._process = api, uid, process

    def close(self) -> None:
        """Ends the process, and its connection with it."""
        self._process.kill()
        self._process.wait()

    def calls(self, calls: Sequence[Call], at_once: int = 80) -> list[Answer]:
        """So many at once; the service runs 96 of one caller."""
        asked = json.dumps({"at_once": at_once, "calls": [call.line() for call in calls]}).encode() + b"\n"
        while asked:
            asked = asked[self._process.stdin.write(asked) :]
        line = b""
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._process.stdout], [], [], ANSWER_SECONDS)
            assert ready, f"no answer within {ANSWER_SECONDS} s to {[call.method for call in calls][:5]}"
            part = self._process.stdout.read(1 << 16)
            assert part, "the caller has ended"
            line += part
        return [
            Answer(said["code"], said["details"], exit_code(said["exit"]), [bytes.fromhex(reply) for reply in said["replies"]])
            for said in json.loads(line)
        ]

    def ask(self, method: str, *, deadline: float | None = None, read: int | None = None, **fields) -> Answer:
        [answer] = self.calls([Call(method, [self.api.request(method, **fields).SerializeToString()], deadline, read=read)])
        return answer

    def get(self, method: str, **fields) -> list[Message]:
        """The replies of a call that succeeds."""
        answer = self.ask(method, **fields)
        assert answer.code == "OK", (method, fields, answer)
        return [self.api.reply(method, reply) for reply in answer.replies]


def exit_code(detail: str) -> int | None:
    """Of an ErrorDetail: one varint field."""
    data = bytes.fromhex(detail)
    return data[1] if len(data) == 2 and data[0] == 8 else None


@contextlib.contextmanager
def user(api: Api, socket: str, uid: int) -> Iterator[User]:
    script = Path(__file__).parent / "rpc_user.py"
    process = subprocess.Popen(
        [*become(uid), "/usr/bin/python3", str(script), socket],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=0,
        cwd="/",
    )
    try:
        read_line(process.stdout)
        yield User(api, uid, process)
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
