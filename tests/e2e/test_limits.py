"""The profiler stays within what it may use, and says what that costs."""

import pytest
from program import target

RATE = 5000


@pytest.mark.parametrize("mode", ["cpu", "wall"])
def test_the_rate_drops_and_the_report_says_so(debian, program, sampler, mode):
    with target(debian, "waiting.py", "contended") as spinner:
        result = program.run("attach", "-p", spinner.pid, "-d", "6", "-r", RATE, "--mode", mode, "--sampler", sampler,
                             "--max-cpu", "0.1%")  # fmt: skip
    assert "--max-cpu 0.1%" in result.stdout, result.stdout
    session = program.json("sessions", "show", "latest")
    assert session["lowest_rate_hz"] < RATE / 2
    report = program.json("report", "--view", "threads")
    loss = report["loss"]
    assert loss["by_reason"]["self_limit"] > loss["recorded"], loss
    # What was left out stands nowhere, but what was recorded stands for it.
    counted_ns = sum(row["on_cpu_ns"] + row["off_cpu_ns"] if mode == "wall" else row["on_cpu_ns"] for row in report["rows"])
    other_ns = sum(n for reason, n in loss["by_reason"].items() if reason != "self_limit") * 1e9 / RATE
    happened_ns = (loss["recorded"] + loss["lost"]) * 1e9 / RATE
    assert counted_ns + other_ns == pytest.approx(happened_ns, rel=0.1), (report["rows"], loss)


def test_without_enough_memory_the_recording_ends_and_is_kept(debian, program):
    with target(debian, "burn_70_20_10.py") as burner:
        program.run("attach", "-p", burner.pid, "-d", "60", "-r", "1", "--max-memory", "1MB", "-q")
        assert burner.alive()
    session = program.json("sessions", "show", "latest")
    assert (session["state"], session["end_reason"]) == ("complete", "limit")
    assert 1 <= session["duration_ns"] / 1e9 < 30


def test_by_default_it_is_left_alone(debian, program):
    with target(debian, "burn_70_20_10.py") as burner:
        program.run("attach", "-p", burner.pid, "-d", "3", "-r", "100", "-q")
    assert program.json("sessions", "show", "latest")["lowest_rate_hz"] is None


@pytest.mark.parametrize("option", [("--max-cpu", "0"), ("--max-cpu", "lots"), ("--max-memory", "-1")])
def test_nonsense_is_a_usage_error(debian, program, option):
    with target(debian, "burn_70_20_10.py") as burner:
        program.refuses("attach", "-p", burner.pid, "-d", "1", *option, code=2)
