"""Exports as foreign readers see them, and the JSON that scripts rely on."""

import gzip
import json
import re
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from foreign import ChromeTrace, GeckoProfile, HtmlPage
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from interpreters import wanted
from program import Program, collapsed, python_frames, target

VIEWS = {
    "functions": "function file line samples calls self_ns total_ns self_cpu_ns total_cpu_ns alloc_bytes",
    "lines": "file line function samples hits self_ns total_ns self_cpu_ns allocations alloc_bytes",
    "callers": "function file line other_function other_file other_line calls samples total_ns",
    "callees": "function file line other_function other_file other_line calls samples total_ns",
    "tree": "id parent function file line calls samples self_ns total_ns",
    "threads": "pid tid name samples on_cpu_ns off_cpu_ns gil_held_ns gil_wait_ns",
}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A store with one session of the burner, which no test changes."""
    store = tmp_path_factory.mktemp("recorded") / "store"
    program = Program(store, "--store", str(store))
    with target(wanted()[0], "burn_70_20_10.py") as burner:
        program.run("attach", "-p", burner.pid, "-d", "2", "-r", 1000, "-q", "--name", "burner")
    return program


def export(program, file: Path, format_name: str, *arguments) -> Path:
    program.run("export", "-f", format_name, "-o", file, "-q", *arguments)
    return file


def test_every_row_of_collapsed_has_the_documented_shape(recorded, tmp_path):
    text = export(recorded, tmp_path / "out", "collapsed").read_text()
    frame = r"[^;\n]+ \([^;\n]*:\d+\)"
    for row in text.splitlines():
        assert re.fullmatch(rf"({frame}(;{frame})*|\[no Python\] \([^;]*\)) \d+", row), row
    assert list(text.splitlines()) == sorted(text.splitlines()) or len(set(text.splitlines())) == len(text.splitlines())


def test_no_lines_merges_the_lines_of_a_function(recorded, tmp_path):
    with_lines = collapsed(export(recorded, tmp_path / "a", "collapsed").read_text())
    without = collapsed(export(recorded, tmp_path / "b", "collapsed", "--no-lines").read_text())
    assert sum(with_lines.values()) == sum(without.values())
    assert len({stack[-1] for stack in python_frames(without)}) == len({stack[-1].function for stack in python_frames(without)})


def test_processes_and_threads_lead_the_stack(recorded, tmp_path):
    stacks = collapsed(export(recorded, tmp_path / "a", "collapsed", "-s", "-t").read_text())
    for stack in stacks:
        assert re.match(r"process \d+: ", stack[0].function), stack
        assert stack[1].function and not stack[1].function.startswith("<module>"), stack


def test_speedscope_holds_the_same_weights(recorded, tmp_path):
    document = json.loads(export(recorded, tmp_path / "out.json", "speedscope").read_text())
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    frames = document["shared"]["frames"]
    assert {"burn_70", "burn_20", "burn_10", "main"} <= {frame["name"] for frame in frames}
    total = 0
    for profile in document["profiles"]:
        assert profile["type"] == "sampled"
        assert len(profile["samples"]) == len(profile["weights"])
        assert profile["endValue"] - profile["startValue"] >= sum(profile["weights"]) * 0.999
        for stack in profile["samples"]:
            assert all(0 <= index < len(frames) for index in stack)
        scale = {"nanoseconds": 1, "microseconds": 1e3, "milliseconds": 1e6, "seconds": 1e9}[profile["unit"]]
        total += sum(profile["weights"]) * scale
    expected = sum(collapsed(export(recorded, tmp_path / "out", "collapsed", "--weight", "cpu-time").read_text()).values())
    assert total == pytest.approx(expected, rel=0.001)


def pprof_profile_class():
    """The part of profile.proto that is compared, by its field numbers."""
    file = descriptor_pb2.FileDescriptorProto(name="profile.proto", package="perftools.profiles", syntax="proto3")
    fields = {
        "ValueType": [("type", 1, "i"), ("unit", 2, "i")],
        "Label": [("key", 1, "i"), ("str", 2, "i"), ("num", 3, "i")],
        "Sample": [("location_id", 1, "U"), ("value", 2, "I"), ("label", 3, "*Label")],
        "Line": [("function_id", 1, "u"), ("line", 2, "i")],
        "Location": [("id", 1, "u"), ("mapping_id", 2, "u"), ("address", 3, "u"), ("line", 4, "*Line")],
        "Function": [("id", 1, "u"), ("name", 2, "i"), ("system_name", 3, "i"), ("filename", 4, "i"), ("start_line", 5, "i")],
        "Profile": [("sample_type", 1, "*ValueType"), ("sample", 2, "*Sample"), ("location", 4, "*Location"),
                    ("function", 5, "*Function"), ("string_table", 6, "S"), ("time_nanos", 9, "i"),
                    ("duration_nanos", 10, "i"), ("period_type", 11, ".ValueType"), ("period", 12, "i")],
    }  # fmt: skip
    types = {"i": 3, "u": 4, "s": 9}
    for name, members in fields.items():
        message = file.message_type.add(name=name)
        for field, number, kind in members:
            added = message.field.add(name=field, number=number, label=3 if kind[0] in "*IUS" else 1)
            if kind[0] in "*.":
                added.type, added.type_name = 11, f".perftools.profiles.{kind[1:]}"
            else:
                added.type = types[kind.lower()]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.MessageFactory(pool).GetPrototype(pool.FindMessageTypeByName("perftools.profiles.Profile"))


def test_pprof_holds_the_same_weights(recorded, tmp_path):
    data = export(recorded, tmp_path / "out.pb.gz", "pprof").read_bytes()
    profile = pprof_profile_class()()
    profile.ParseFromString(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)
    text = profile.string_table
    assert text[0] == ""
    functions = {function.id: function for function in profile.function}
    locations = {location.id: location for location in profile.location}
    names = {text[function.name] for function in functions.values()}
    assert {"burn_70", "burn_20", "burn_10", "main"} <= names
    kinds = [(text[kind.type], text[kind.unit]) for kind in profile.sample_type]
    [time_index] = [index for index, (_, unit) in enumerate(kinds) if unit == "nanoseconds"][:1]
    total = 0
    for sample in profile.sample:
        assert len(sample.value) == len(kinds)
        total += sample.value[time_index]
        for location in sample.location_id:
            assert locations[location].line[0].function_id in functions
        if len(sample.location_id) > 1:
            root = locations[sample.location_id[-1]].line[0]
            assert text[functions[root.function_id].name] in ("<module>", "main")
    expected = sum(collapsed(export(recorded, tmp_path / "out", "collapsed", "--weight", "cpu-time").read_text()).values())
    assert total == pytest.approx(expected, rel=0.001)


def test_go_tool_pprof_reads_it(recorded, tmp_path):
    file = export(recorded, tmp_path / "out.pb.gz", "pprof")
    try:
        result = subprocess.run(["go", "tool", "pprof", "-top", str(file)], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no go here: pprof files are read by the test above only")
    assert result.returncode == 0, result.stderr
    assert re.search(r"^\s.* burn_70$|burn_70", result.stdout, re.M), result.stdout


def test_chrometrace_nests_and_holds_the_same_weights(recorded, tmp_path):
    trace = ChromeTrace(json.loads(export(recorded, tmp_path / "out.json", "chrometrace").read_text()))
    assert {"burn_70", "burn_20", "burn_10", "main"} <= trace.functions()
    report = recorded.json("report", "--view", "threads")
    assert trace.sum("samples") == report["loss"]["recorded"]
    assert trace.sum("cpu_ns") == sum(row["on_cpu_ns"] for row in report["rows"])
    for (pid, tid), events in trace.threads.items():
        assert (pid, tid) in {(row["pid"], row["tid"]) for row in report["rows"]}
        assert max(event["end"] for event in events) <= report["to_ns"]


def test_gecko_holds_the_same_weights(recorded, tmp_path):
    profile = GeckoProfile(json.loads(export(recorded, tmp_path / "out.json", "gecko").read_text()))
    assert {"burn_70", "burn_20", "burn_10", "main"} <= profile.functions()
    rows = recorded.json("report", "--view", "threads")["rows"]
    assert profile.sum() * 1e6 == pytest.approx(sum(row["on_cpu_ns"] for row in rows), abs=0.5)
    assert [(int(thread["pid"]), thread["tid"]) for thread in profile.threads] == [(row["pid"], row["tid"]) for row in rows]
    counted = GeckoProfile(json.loads(export(recorded, tmp_path / "n.json", "gecko", "--weight", "samples").read_text()))
    assert counted.sum() == sum(row["samples"] for row in rows)


def test_html_is_one_page_with_the_same_weights(recorded, tmp_path):
    file = export(recorded, tmp_path / "out.html", "html")
    page = HtmlPage(file.read_text())
    rows = recorded.json("report", "--view", "functions")["rows"]
    assert [row[2] for row in page.rows[1:]] == [row["function"] for row in rows]
    assert [figures[:2] for figures in page.figures[1:]] == [[row["self_cpu_ns"], row["total_cpu_ns"]] for row in rows]
    whole = sum(row["on_cpu_ns"] for row in recorded.json("report", "--view", "threads")["rows"])
    assert page.frames[0][:3] == (0, whole, 0)
    assert page.elements["svg"] == page.elements["table"] == 1


@pytest.mark.parametrize("arguments", [[], ["-s", "-t"], ["--no-lines"], ["--function", "burn_70"], ["--to", "1s"]], ids=str)
def test_samples_agree_in_all_formats(recorded, tmp_path, arguments):
    def read(format_name, *more):
        return export(recorded, tmp_path / format_name, format_name, *arguments, *more).read_text()

    wanted_filter = [argument for argument in arguments if argument not in ("-s", "-t", "--no-lines")]
    rows = recorded.json("report", "--view", "threads", *wanted_filter)["rows"]
    expected = sum(row["samples"] for row in rows)
    speedscope = json.loads(read("speedscope", "--weight", "samples"))
    pprof = pprof_profile_class()()
    pprof.ParseFromString(gzip.decompress(export(recorded, tmp_path / "pprof", "pprof", *arguments).read_bytes()))
    svg = re.search(r'data-p="0,(\d+),0"', read("svg", "--weight", "samples"))
    assert {
        "collapsed": sum(collapsed(read("collapsed")).values()),
        "speedscope": sum(sum(profile["weights"]) for profile in speedscope["profiles"]),
        "pprof": sum(sample.value[0] for sample in pprof.sample),
        "chrometrace": ChromeTrace(json.loads(read("chrometrace"))).sum("samples"),
        "gecko": GeckoProfile(json.loads(read("gecko", "--weight", "samples"))).sum(),
        "json": len(json.loads(read("json"))["samples"]),
        "svg": int(svg[1]),
        "html": HtmlPage(read("html", "--weight", "samples")).frames[0][1],
    } == dict.fromkeys(["collapsed", "speedscope", "pprof", "chrometrace", "gecko", "json", "svg", "html"], expected)


def test_grouping_stands_before_the_frames_and_in_columns(recorded, tmp_path):
    [thread] = recorded.json("report", "--view", "threads")["rows"]
    rows = recorded.json("report", "--group-by", "process,thread")["rows"]
    assert {(row["pid"], row["tid"], row["thread"]) for row in rows} == {(thread["pid"], thread["tid"], thread["name"])}
    assert "pid" not in recorded.json("report")["rows"][0], "one process needs no column"
    stacks = collapsed(export(recorded, tmp_path / "a", "collapsed", "--group-by", "task,process").read_text())
    groups = {(stack[0].function, stack[1].function.split(":")[0]) for stack in stacks}
    assert groups == {("[no task]", f"process {thread['pid']}")}
    tree = recorded.json("report", "--view", "tree", "-s")["rows"]
    assert tree[1]["function"].startswith(f"process {thread['pid']}: ") and tree[1]["pid"] == thread["pid"]
    table = recorded.run("report", "-t").stdout
    assert re.search(r"^THREAD +SELF +TOTAL", table, re.M), table


def test_labels_filter(recorded):
    [thread] = recorded.json("report", "--view", "threads")["rows"]
    assert recorded.json("report", "--label", f"process={thread['pid']}", "--view", "threads")["rows"] == [thread]
    assert recorded.json("report", "--label", "process=1", "--view", "threads")["rows"] == []
    assert recorded.json("report", "--label", "task=none")["rows"] == []


@pytest.mark.parametrize(
    "arguments",
    [["--group-by", "nobody"], ["--group-by", "task,task"], ["--label", "task"], ["--label", "a=1", "--label", "a=2"]],
)
def test_nonsense_groups_and_labels_are_usage_errors(recorded, arguments):
    recorded.refuses("report", *arguments, code=2)


def test_svg_is_well_formed_and_names_the_functions(recorded, tmp_path):
    file = export(recorded, tmp_path / "out.svg", "svg")
    root = ElementTree.parse(file).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    text = "".join(root.itertext())
    assert all(name in text for name in ("burn_70", "burn_20", "burn_10"))
    assert not re.search(r'(src|href)="https?:', file.read_text()), "the graph fetches something"


def test_json_export_is_json_and_says_its_losses(recorded, tmp_path):
    document = json.loads(export(recorded, tmp_path / "out.json", "json").read_text())
    assert "loss" in json.dumps(document)


def test_attach_exports_what_export_does(debian, program, tmp_path):
    output = tmp_path / "attached"
    with target(debian, "burn_70_20_10.py") as burner:
        program.run("attach", "-p", burner.pid, "-d", "1", "-r", 1000, "-q", "-f", "collapsed", "-o", output)
    assert export(program, tmp_path / "exported", "collapsed").read_text() == output.read_text() != ""


@pytest.mark.parametrize("view", VIEWS)
def test_views_have_the_documented_keys(recorded, view):
    arguments = ["--function", "main"] if view in ("callers", "callees") else []
    report = recorded.json("report", "burner", "--view", view, *arguments)
    expected = ["view", "session", "rows", "total_rows", "exact", "from_ns", "to_ns", "loss"]
    assert set(expected) <= set(report)
    assert report["view"] == view
    assert {"recorded", "lost", "by_reason", "truncated", "discarded"} <= set(report["loss"])
    assert report["rows"] and report["total_rows"] == len(report["rows"])
    for row in report["rows"]:
        assert set(VIEWS[view].split()) <= set(row), row
    if "calls" in VIEWS[view]:
        assert all(row["calls"] is None for row in report["rows"]), "a sampled session cannot know calls"


def test_limit_sort_and_filters(recorded):
    by_self = recorded.json("report", "--view", "functions", "--sort", "self_cpu_ns")["rows"]
    times = [row["self_cpu_ns"] for row in by_self]
    assert times == sorted(times, reverse=True)
    assert all(row["self_ns"] is None for row in by_self), "a session of CPU time cannot know wall time"
    limited = recorded.json("report", "--view", "functions", "--limit", "2")
    assert len(limited["rows"]) == 2 and limited["total_rows"] == len(by_self)
    only = recorded.json("report", "--view", "functions", "--function", "^burn_7")["rows"]
    assert [row["function"] for row in only] == ["burn_70"]
    first = recorded.json("report", "--view", "threads", "--from", "0", "--to", "1s")["rows"]
    whole = recorded.json("report", "--view", "threads")["rows"]
    assert 0 < sum(row["samples"] for row in first) < sum(row["samples"] for row in whole)


def test_tree_is_a_tree_and_its_sums_hold(recorded):
    rows = {row["id"]: row for row in recorded.json("report", "--view", "tree")["rows"]}
    children = {}
    for row in rows.values():
        if row["parent"] in rows and row["parent"] != row["id"]:
            children.setdefault(row["parent"], []).append(row)
    whole = recorded.json("report", "--view", "threads")["loss"]["recorded"]
    assert sum(row["samples"] for row in rows.values() if row["parent"] not in rows) == whole
    for row in rows.values():
        assert row["samples"] >= sum(child["samples"] for child in children.get(row["id"], [])), row


def test_unknown_weight_is_a_usage_error(recorded):
    recorded.refuses("export", "-f", "collapsed", "--weight", "nonsense", "-o", "-", code=2)


def test_sessions_list_has_the_documented_keys(recorded):
    [row] = recorded.json("sessions", "list")["rows"]
    assert set(
        ["id", "name", "state", "pid", "command", "python", "started_at", "duration_ns", "events", "samples", "bytes", "lost"]
    ) <= set(row)
    assert row["name"] == "burner" and row["python"].startswith("3.11")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", row["started_at"])
