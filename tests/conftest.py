"""What every test with real servers needs; the modules are in support/."""

import os
import pathlib
import shutil
import tempfile

import pytest

from service import Service


@pytest.fixture(scope="session")
def folder():
    path = pathlib.Path(
        tempfile.mkdtemp(prefix="tests.", dir=os.environ.get("INVENTORY_TEST_FOLDER"))
    )
    path.chmod(0o755)  # PostgreSQL is another user
    yield path
    shutil.rmtree(path)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        for number, service in enumerate(Service.started):
            state = service.process.poll()
            title = f"inventory-service {number}, " + (
                "running" if state is None else f"ended with {state}"
            )
            report.sections.append((title, "".join(service.lines[-60:])))
    if call.when == "teardown":
        Service.started = [s for s in Service.started if s.process.poll() is None]


class Failures:
    """Says at once what failed: pytest does so at the end, which a run that is ended has not."""

    def __init__(self, config):
        self.config = config

    def pytest_runtest_logreport(self, report):
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            said = crash.message.split("\n")[0] if crash else report.longreprtext.split("\n")[-1]
            line = f"{report.nodeid} failed ({report.when}): {said}"
            terminal = self.config.pluginmanager.get_plugin("terminalreporter")
            terminal.write("\n" + line[:400] + "\n", flush=True)


def pytest_configure(config):
    if not hasattr(config, "workerinput"):  # the process that has the terminal
        config.pluginmanager.register(Failures(config))
