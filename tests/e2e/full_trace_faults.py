"""What test_trace_faults.py does on a few interpreters, on all of them."""

from test_trace_faults import *  # noqa: F403

INTERPRETERS = None
