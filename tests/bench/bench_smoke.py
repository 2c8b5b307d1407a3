"""The benches run: a few short slices of our own program. Their figures mean little and are not judged."""

from interpreters import wanted
from measure import bootstrap, cpu_seconds, rss_mb, table, worker
from peers import OURS
from slowdown import slowdowns


def test_slowdown_can_be_measured(tmp_path):
    with worker(wanted()[0]) as busy:
        result = slowdowns(busy, [OURS], rate=100, pairs=3, seconds=0.2, folder=tmp_path)
        with OURS.recording(busy.pid, 100, tmp_path) as recorder:
            assert cpu_seconds(recorder.pid) > 0 and rss_mb(recorder.pid) > 0
    table("slowdown at 100 Hz (smoke)", ["pycroscope"], [[result["pycroscope"]]])
    assert 0.2 < result["pycroscope"].middle < 5


def test_interval_holds_its_median():
    interval = bootstrap([1.0, 1.1, 1.2, 1.3, 9.0])
    assert interval.low <= interval.middle == 1.2 <= interval.high
