"""Targets in namespaces of their own, seen from outside, and the program inside of one."""

import subprocess

import pytest
from interpreters import Interpreter
from program import Program, collapsed, running, target, wait_for

# --kill-child: unshare stands between us and what it starts.
NEW_PIDS = ("unshare", "--pid", "--mount-proc", "--fork", "--kill-child")


def need(unshare: tuple[str, ...]) -> None:
    """Skips where nobody may make such namespaces: in a chroot, in some containers."""
    result = subprocess.run([*unshare, "true"], capture_output=True, text=True)
    if result.returncode != 0:
        pytest.skip(f"cannot make namespaces here: {result.stderr.strip()}")


def child_of(pid: int) -> int:
    def find() -> int:
        found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
        return int(found[0]) if found else 0

    return wait_for(find)


def burner_inside(debian: Interpreter, unshare: tuple[str, ...], script: str):
    return running([*unshare, *debian.command(script)])


@pytest.fixture
def script(tmp_path):
    path = tmp_path / "burn.py"
    path.write_text("def burn():\n    while True:\n        pass\nprint('ready', flush=True)\nburn()\n")
    return str(path)


@pytest.mark.parametrize("unshare", [NEW_PIDS, ("unshare", "--user", "--map-root-user", *NEW_PIDS[1:])])
@pytest.mark.parametrize("mode", ["cpu", "wall"])
def test_a_target_in_its_own_pid_namespace(debian, program, sampler, script, unshare, mode):
    need(unshare)
    with burner_inside(debian, unshare, script) as outer:
        pid = child_of(outer.pid)
        program.run("attach", "-p", pid, "-d", "1", "-r", 500, "-q", "--sampler", sampler, "--mode", mode)
    session = program.json("sessions", "show", "latest")
    assert (session["pid"], session["namespace_pid"]) == (pid, 1)
    stacks = collapsed(program.run("export", "-f", "collapsed", "-o", "-").stdout)
    assert {stack[-1].function for stack in stacks} == {"burn"}


@pytest.mark.parametrize("mode", ["cpu", "wall", "gil"])
def test_the_program_inside_a_pid_namespace(store, sampler, script, mode):
    """Both it and its target know ids of that namespace only."""
    need(NEW_PIDS)
    inside = f"""
        /usr/bin/python3.11 {script} > {script}.ready & target=$!
        until grep -q ready {script}.ready; do sleep 0.01; done
        "$@" attach -p $target -d 1 -r 500 -q --sampler {sampler} --mode {mode}
        code=$?
        echo $target
        kill -KILL $target
        exit $code
    """
    shell = Program(store, prefix=(*NEW_PIDS, "sh", "-c", inside, "sh"))
    target_pid = int(shell.run().stdout)
    program = Program(store)
    session = program.json("sessions", "show", "latest")
    assert session["pid"] == target_pid < 100
    assert session["config"]["sampler"] == sampler
    stacks = collapsed(program.run("export", "-f", "collapsed", "-o", "-").stdout)
    assert sum(stacks.values()) > 0
    assert {stack[-1].function for stack in stacks} == {"burn"}


def test_children_are_followed_inside_a_pid_namespace(store, tmp_path):
    need(NEW_PIDS)
    script = tmp_path / "forks.py"
    script.write_text(
        "import os\ndef child():\n    for _ in range(3_000_000): pass\n"
        "for _ in range(5):\n    pid = os.fork()\n    if pid == 0:\n        child()\n"
        "        os._exit(0)\n    os.waitpid(pid, 0)\n"
    )
    shell = Program(store, prefix=NEW_PIDS)
    shell.run("run", "-s", "-r", 1000, "-q", "--", "/usr/bin/python3.11", script)
    rows = Program(store).json("report", "--view", "threads")["rows"]
    assert len({row["pid"] for row in rows if row["samples"] > 0}) == 6, rows


def test_the_control_group_is_recorded(debian, program):
    with target(debian, "burn_70_20_10.py") as burner:
        program.run("attach", "-p", burner.pid, "-d", "1", "-q")
        with open(f"/proc/{burner.pid}/cgroup", encoding="utf-8") as file:
            groups = dict(line.rstrip("\n").split(":", 1) for line in file)
    assert program.json("sessions", "show", "latest")["cgroup"] == (groups.get("0", ":")[1:] or None)
