"""How small and how fast the event log is, for made-up and for real programs, beside VizTracer's file of the same calls.

Prints the figures beside the limits; judges sizes and ratios only, since rates are the machine's."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from measure import table
from peers import TRACERS, install_tracers

BENCH = os.environ["PYCROSCOPE_BENCH_EVENT_LOG"]
DRAIN = os.environ["PYCROSCOPE_BENCH_EVENT_DRAIN"]
PACES = (1_000_000, 2_000_000, 5_000_000, 10_000_000, 15_000_000, 20_000_000, 0)
RECORD = Path(__file__).parent.parent / "targets/record_trace.py"
BIG_EVENTS = int(os.environ.get("PYCROSCOPE_BENCH_EVENTS", "1000000000"))
MIX = Path(__file__).parent.parent / "targets/library_mix.py"


def bench(*words: str) -> dict:
    return json.loads(subprocess.run([BENCH, *words], check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="module", autouse=True)
def tracers_installed():
    install_tracers()


def texts(rows: list) -> list[list[str]]:
    return [[f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in row] for row in rows]


def rows_of(name: str, figures: dict) -> list:
    return [
        (f"{name}: bytes an event", figures["bytes_per_event"], "1.5"),
        (f"{name}: encoded, M/s", figures["encode_per_s"] / 1e6, "30"),
        (f"{name}: encoded, added up and stored, M/s", figures["encode_add_up_store_per_s"] / 1e6, "20"),
        (f"{name}: read again, M/s", figures["scan_per_s"] / 1e6, "80"),
    ]


def test_rates_and_sizes(tmp_path):
    rows = rows_of("made up", made_up := bench("rates"))
    assert made_up["bytes_per_event"] <= 1.5
    for kind in ("calls", "lines"):
        recorded = tmp_path / kind
        subprocess.run([sys.executable, RECORD, recorded, kind, "5000000", MIX], check=True, stdout=subprocess.DEVNULL)
        figures = bench("rates", str(recorded))
        rows += rows_of(f"library mix, {kind}", figures)
        assert figures["bytes_per_event"] <= 1.5, kind
    rows.append(("library mix, VizTracer's JSON: bytes an event", viztracer_bytes(tmp_path), ""))
    table("the event log: sizes, and rates of one core", ["", "ours", "limit"], texts(rows))


def test_what_two_writers_lose():
    """They have one core, and all of the daemon the other."""
    output = subprocess.run([DRAIN, "4", *map(str, PACES)], check=True, capture_output=True, text=True).stdout
    rows = [
        (
            f"{figures['pace'] / 1e6:.0f}" if figures["pace"] else "as fast as they can",
            figures["happened_per_s"] / 1e6,
            figures["recorded_per_s"] / 1e6,
            f"{100 * figures['lost_share']:.1f} %",
            figures["daemon_ns_per_event"],
        )
        for figures in json.loads(output)
    ]
    header = ["pace of a writer, M/s", "happened, M/s", "recorded, M/s", "lost", "daemon, ns an event"]
    table("two writers with one core, all of the daemon with another", header, texts(rows))


def viztracer_bytes(tmp_path: Path) -> float:
    """Of its file for the same program, an event being a call or a return: it has one entry for both."""
    output = tmp_path / "viztracer.json"
    options = ["--tracer_entries", "2000000", "--ignore_c_function", "-o", str(output)]
    subprocess.run([TRACERS / "bin/viztracer", *options, MIX], check=True, stdout=subprocess.DEVNULL)
    entries = sum(entry["ph"] == "X" for entry in json.loads(output.read_text())["traceEvents"])
    return output.stat().st_size / (2 * entries)


def test_a_session_of_many_events(tmp_path):
    figures = bench("session", str(tmp_path / "store"), str(BIG_EVENTS))
    rows = [
        ("events", figures["events"], ""),
        ("bytes an event on disk", figures["bytes"] / figures["events"], "1.5"),
        ("RSS while recording, MB more", figures["rss_growth"] / 1e6, "500"),
        ("CPU, ns an event", figures["cpu_s"] / figures["events"] * 1e9, ""),
        ("opening, s", figures["open_s"], "0.2"),
        ("first answer of any view, s", figures["first_view_s"], "1"),
        ("any zoom, s", figures["zoom_s"], "0.2"),
        ("a page of raw events anywhere, s", figures["page_s"], "0.05"),
    ]
    table("a session of many events", ["", "ours", "limit"], texts(rows))
    assert figures["rss_growth"] < 500e6
    assert figures["bytes"] / figures["events"] <= 1.5
