"""Waiting for a condition that shows only when it is asked for."""

import time

from service import DEADLINE_S


def wait_for(condition, what, deadline_s=DEADLINE_S, interval_s=0.05):
    """Returns the first result of `condition` that is true. `what` is for the failure."""
    end = time.monotonic() + deadline_s
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(interval_s)
    return result
