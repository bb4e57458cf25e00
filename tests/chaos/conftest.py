"""CHAOS_SEED: the first seed. CHAOS_MINUTES: how long each scenario continues with further seeds;
if it is not set, a scenario runs one."""

import collections
import os
import time

import pytest

FIRST_SEED = int(os.environ.get("CHAOS_SEED", "1"))
MINUTES = float(os.environ.get("CHAOS_MINUTES", "0"))

totals = {}  # figures by scenario


class Rounds:
    """The seeds of a scenario, while there is time; adds up their figures."""

    def __init__(self, node, seconds):
        self.node = node
        self.end = time.monotonic() + seconds

    def __iter__(self):
        seed = FIRST_SEED
        yield seed
        while time.monotonic() < self.end:
            seed += 1
            yield seed

    def add(self, figures):
        self.node.user_properties.append(("figures", dict(figures)))


@pytest.fixture
def rounds(request):
    return Rounds(request.node, 60 * MINUTES / request.session.testscollected)


def pytest_runtest_logreport(report):
    """Also called for reports from worker processes (pytest-xdist)."""
    if report.when == "call":
        for name, figures in report.user_properties:
            if name == "figures":
                test = report.nodeid.rsplit("::", 1)[-1]
                totals.setdefault(test, collections.Counter()).update(figures)


def pytest_terminal_summary(terminalreporter):
    everything = collections.Counter()
    for name, figures in totals.items():
        everything.update(figures)
    rows = sorted(everything, key=lambda row: (row[0] == "=", "fault" in row, "sent" in row, row))
    if not rows:
        return
    terminalreporter.section("figures")
    names = [*totals, "all"]
    width = max(map(len, rows))
    heads = [name.removeprefix("test_") for name in names]
    terminalreporter.line(" " * width + "".join(f"  {head:>12}" for head in heads))
    for row in rows:
        values = [*(figures[row] for figures in totals.values()), everything[row]]
        cells = "".join(f"  {value:>{max(12, len(head))}}" for value, head in zip(values, heads))
        terminalreporter.line(f"{row:<{width}}{cells}")
