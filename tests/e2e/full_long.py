"""What takes longer than the CI tier allows."""

import contextlib
import select
import socket
import time

import pytest
from program import collapsed, daemon, impossible, target
from test_exact import record


@pytest.mark.timeout(900)
def test_a_minute_of_ten_kilohertz_stays_exact(interpreter, program):
    with target(interpreter, "alternate.py") as alternator:
        program.run("attach", "-p", alternator.pid, "-d", "60", "-r", 10_000, "-q", "--max-cpu", 100)
    stacks = collapsed(program.run("export", "-f", "collapsed", "--weight", "samples", "-o", "-").stdout)
    assert not {stack: why for stack in stacks if (why := impossible(stack, "alternate.py"))}
    loss = program.json("report", "--view", "threads")["loss"]
    assert sum(stacks.values()) == loss["recorded"] > 300_000
    assert loss["lost"] <= 0.01 * (loss["recorded"] + loss["lost"]), loss


@pytest.mark.timeout(1800)
def test_samples_by_reads_are_exact_but_for_one_in_ten_thousand(debian, program):
    with target(debian, "alternate.py") as alternator:
        stacks, loss = record(program, alternator.pid, 20_000, "reads", attempts=60, seconds=20)
    count = sum(weight for stack, weight in stacks.items() if impossible(stack, "alternate.py"))
    total = sum(stacks.values())
    print(f"{count} impossible of {total}: {count / total:.1e}; lost {loss['lost'] / (loss['lost'] + loss['recorded']):.0%}")
    assert count <= total / 10_000


@pytest.mark.timeout(900)
def test_hundred_attaches_to_one_target_leave_it_as_it_was(debian, program):
    with target(debian, "alternate.py") as alternator:
        for _ in range(100):
            program.run("attach", "-p", alternator.pid, "-d", "0.05", "-r", 10_000, "-q")
            program.run("dump", "-p", alternator.pid)
        assert alternator.alive() and alternator.state() == "R"
    program.run("sessions", "prune", "--keep", "20")
    assert len(program.json("sessions", "list")["rows"]) == 20


SETTINGS, PING, ACK = 4, 6, 1


class Http2Peer:
    """A client that has greeted the daemon and asks for nothing."""

    def __init__(self, path: str, answers_pings: bool):
        self.answers_pings = answers_pings
        self.pings = 0
        self.closed = False
        self.received = b""
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, SETTINGS, 0, 0, 0, 0, 0)))

    def read(self) -> None:
        data = self.socket.recv(65536)
        self.closed = not data
        self.received += data
        while len(self.received) >= 9:
            size = int.from_bytes(self.received[:3], "big")
            kind, flags = self.received[3], self.received[4]
            payload, self.received = self.received[9 : 9 + size], self.received[9 + size :]
            if flags & ACK or kind not in (SETTINGS, PING):
                continue
            self.pings += kind == PING
            if kind == SETTINGS:
                self.answer(SETTINGS, b"")
            elif self.answers_pings:
                self.answer(PING, payload)

    def answer(self, kind: int, payload: bytes) -> None:
        self.socket.sendall(bytes((0, 0, len(payload), kind, ACK, 0, 0, 0, 0)) + payload)


@pytest.mark.timeout(180)
def test_peer_that_answers_no_ping_is_dropped_and_one_that_does_stays(store):
    with daemon(store) as client, contextlib.ExitStack() as sockets:
        silent, lively = peers = [Http2Peer(client.common[1], answers_pings=answers) for answers in (False, True)]
        for peer in peers:
            sockets.enter_context(peer.socket)
        start = time.monotonic()
        while not silent.closed:
            assert time.monotonic() < start + 90, "a peer that answers no ping holds its connection for ever"
            ready, _, _ = select.select([peer.socket for peer in peers], [], [], 1)
            for peer in peers:
                if peer.socket in ready:
                    peer.read()
        assert silent.pings > 0 and time.monotonic() > start + 20, "dropped without having been asked"
        assert not lively.closed and lively.pings > 0
