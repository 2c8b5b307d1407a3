"""With --subprocesses, what a process starts is recorded with it."""

import subprocess

import pytest
from program import target


def child_samples(program) -> dict[int, int]:
    """Samples in child_work() by pid."""
    rows = program.json("report", "--view", "threads", "--function", "child_work")["rows"]
    counts: dict[int, int] = {}
    for row in rows:
        counts[row["pid"]] = counts.get(row["pid"], 0) + row["samples"]
    return counts


def record_children(program, interpreter, count: int, how: str, *options: str) -> int:
    """Returns the parent's pid."""
    with target(interpreter, "many_children.py", str(count), how) as parent:
        recorder = subprocess.Popen(
            program.command("attach", "-p", parent.pid, "-s", "-r", 1000, "-q", "--ready-fd", "1", *options),
            env=program.environment(),
            stdout=subprocess.PIPE,
        )
        assert recorder.stdout.readline().startswith(b"ready")
        parent.say("go")
        assert recorder.wait(120) == 0
        recorder.stdout.close()
        return parent.pid


@pytest.mark.parametrize("how", ["fork", "spawn", "exec"])
def test_children_are_recorded(interpreter, program, how):
    parent = record_children(program, interpreter, 20, how)
    counts = child_samples(program)
    counts.pop(parent, None)
    assert len(counts) == 20, counts
    # Ticks that came late are lost to whoever ran, and counted.
    lost = program.json("report", "--view", "threads")["loss"]["lost"]
    assert sum(count >= 30 for count in counts.values()) + lost // 20 >= 19, (counts, lost)


def test_without_it_only_the_process_itself(debian, program):
    with target(debian, "many_children.py", "3", "fork") as parent:
        recorder = subprocess.Popen(
            program.command("attach", "-p", parent.pid, "-r", 1000, "-q", "--ready-fd", "1"),
            env=program.environment(),
            stdout=subprocess.PIPE,
        )
        assert recorder.stdout.readline().startswith(b"ready")
        parent.say("go")
        assert recorder.wait(60) == 0
        recorder.stdout.close()
    assert {row["pid"] for row in program.json("report", "--view", "threads")["rows"]} == {parent.pid}


def test_the_export_names_the_processes(debian, program):
    parent = record_children(program, debian, 2, "exec")
    text = program.run("export", "-f", "collapsed", "-s", "-o", "-").stdout
    roots = {line.split(";")[0] for line in text.splitlines()}
    assert any(root.startswith(f"process {parent}: ") for root in roots)
    assert sum(" -c " in root for root in roots) >= 2, roots
