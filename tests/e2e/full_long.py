"""What takes longer than the CI tier allows."""

import pytest
from program import collapsed, impossible, target


@pytest.mark.timeout(900)
def test_a_minute_of_ten_kilohertz_stays_exact(interpreter, program):
    with target(interpreter, "alternate.py") as alternator:
        program.run("attach", "-p", alternator.pid, "-d", "60", "-r", 10_000, "-q")
    stacks = collapsed(program.run("export", "-f", "collapsed", "--weight", "samples", "-o", "-").stdout)
    assert not {stack: why for stack in stacks if (why := impossible(stack, "alternate.py"))}
    loss = program.json("report", "--view", "threads")["loss"]
    assert sum(stacks.values()) == loss["recorded"] > 300_000
    assert loss["lost"] <= 0.01 * (loss["recorded"] + loss["lost"]), loss


@pytest.mark.timeout(900)
def test_hundred_attaches_to_one_target_leave_it_as_it_was(debian, program):
    with target(debian, "alternate.py") as alternator:
        for _ in range(100):
            program.run("attach", "-p", alternator.pid, "-d", "0.05", "-r", 10_000, "-q")
            program.run("dump", "-p", alternator.pid)
        assert alternator.alive() and alternator.state() == "R"
    program.run("sessions", "prune", "--keep", "20")
    assert len(program.json("sessions", "list")["rows"]) == 20
