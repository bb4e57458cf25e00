"""Waits for a condition by polling."""

import time

from service import DEADLINE_S


def wait_for(condition, what, deadline_s=DEADLINE_S, interval_s=0.05):
    """Returns the first true result of `condition`. `what` is for the error message."""
    end = time.monotonic() + deadline_s
    while not (result := condition()):
        assert time.monotonic() < end, f"not within {deadline_s} s: {what}"
        time.sleep(interval_s)
    return result
