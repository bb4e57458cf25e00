"""What the service tells systemd (sd_notify(3)), to a socket that the test owns."""

import contextlib
import pathlib
import signal
import socket
import time

import pytest

from database import Sqlite
from service import DEADLINE_S, Service
from waiting import wait_for


class Manager:
    """The other end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.path = str(path)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.told = []

    def wait_for(self, text):
        """Receives up to the first message that holds `text`, and returns it."""
        end = time.monotonic() + DEADLINE_S
        while True:
            self.socket.settimeout(max(end - time.monotonic(), 0.01))
            self.told.append(self.socket.recv(4096).decode())
            if text in self.told[-1]:
                return self.told[-1]

    def drain(self):
        self.socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self.socket.recv(4096)


@pytest.fixture
def manager(tmp_path):
    made = Manager(tmp_path / "notify")
    yield made
    made.socket.close()


def watched(service, manager, watchdog_us=200_000):
    service.environment["NOTIFY_SOCKET"] = manager.path
    service.environment["WATCHDOG_USEC"] = str(watchdog_us)
    return service


def test_it_is_ready_without_a_broker_and_says_what_it_waits_for(folder, queues, manager):
    nowhere = "amqp://guest:guest@127.0.0.1:1/"
    service = watched(Service(nowhere, Sqlite(folder).url, queues), manager)
    try:
        service.start()
        manager.wait_for("READY=1")
        assert "the broker is not ready" in manager.wait_for(f"STATUS={queues.order}: the broker")
    finally:
        assert service.stop() == 0


def test_it_is_ready_without_a_database_and_says_what_it_waits_for(broker, queues, manager):
    nowhere = "postgresql://u:s3cret@127.0.0.1:1/inventory"
    service = watched(Service(broker.url, nowhere, queues), manager)
    try:
        service.start()
        manager.wait_for("READY=1")
        status = manager.wait_for("STATUS=waiting for the database: ")
        assert "127.0.0.1" in status and "s3cret" not in status
    finally:
        assert service.stop() == 0


def test_it_says_that_it_consumes_and_that_it_stops(broker, folder, queues, manager):
    with watched(Service(broker.url, Sqlite(folder).url, queues), manager) as service:
        manager.wait_for(f"STATUS=consuming {queues.order}; consuming {queues.item}")
        assert service.stop() == 0
        assert manager.wait_for("STOPPING=1") == "STOPPING=1\nEXTEND_TIMEOUT_USEC=30000000"


def is_stopped(process):
    return "\nState:\tT" in pathlib.Path(f"/proc/{process}/status").read_text()


def test_a_process_that_hangs_feeds_no_watchdog(broker, folder, queues, manager):
    with watched(Service(broker.url, Sqlite(folder).url, queues), manager) as service:
        for _ in range(3):
            manager.wait_for("WATCHDOG=1")
        service.process.send_signal(signal.SIGSTOP)
        try:
            wait_for(lambda: is_stopped(service.process.pid), "the process is stopped")
            manager.drain()
            manager.socket.settimeout(1)
            with pytest.raises(TimeoutError):
                manager.socket.recv(4096)
        finally:
            service.process.send_signal(signal.SIGCONT)
        manager.wait_for("WATCHDOG=1")
