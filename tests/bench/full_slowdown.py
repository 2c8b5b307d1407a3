"""Target slowdown at depth 30, beside py-spy and Austin on the same target in the same minutes."""

import pytest
from interpreters import wanted
from measure import table, worker
from peers import OURS, PEERS, install
from slowdown import slowdowns

PAIRS = 40
SECONDS = 0.7
LIMITS = {100: 1.01, 1000: 1.025, 10000: 1.15}


@pytest.mark.parametrize("rate", LIMITS)
def test_slowdown(rate, tmp_path):
    install()
    profilers = [OURS, *PEERS]
    with worker(wanted()[0]) as busy:
        result = slowdowns(busy, profilers, rate, PAIRS, SECONDS, tmp_path)
    rows = [[name, interval] for name, interval in result.items()]
    table(f"slowdown at {rate} Hz, {PAIRS} pairs; limit of the upper end {LIMITS[rate]}", ["", "median [95 %]"], rows)
    assert result["pycroscope"].high <= LIMITS[rate]
    # "Never above Austin's": not distinguishably so.
    assert result["pycroscope"].low <= result["austin"].high
