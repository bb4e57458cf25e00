"""The program under test: its queues, its process, its log, its command line."""

import contextlib
import dataclasses
import http.client
import os
import pathlib
import re
import signal
import subprocess
import threading
import uuid

PROGRAM = os.environ.get(
    "INVENTORY_SERVICE",
    str(pathlib.Path(__file__).resolve().parents[2] / "build/release/inventory-service"),
)
DEADLINE_S = 60


def environment(**variables):
    """The test's environment without variables that configure the program, plus `variables`."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name in ("HOME", "LANG", "PATH", "TMPDIR", "INVENTORY_TEST_FOLDER")
        or name.endswith("SAN_OPTIONS")
    }
    return kept | variables


@dataclasses.dataclass(frozen=True)
class Queues:
    """The names of the service's queues; the defaults are those of the contract."""

    order: str = "order_validate"
    item: str = "inventory_new_item"
    order_response: str = "order_validate_response"
    item_response: str = "inventory_new_item_response"
    cancel: str = "order_cancel"
    adjust: str = "inventory_adjust"
    confirm: str = "order_confirm"
    expiry: str = "order_validate.expiry"

    @staticmethod
    def fresh():
        prefix = uuid.uuid4().hex[:12]
        return Queues(*(f"{prefix}.{field.default}" for field in dataclasses.fields(Queues)))

    @property
    def order_dead(self):
        return f"{self.order}.dlq"

    @property
    def item_dead(self):
        return f"{self.item}.dlq"

    def settings(self):
        """By setting: order-response-queue for the member order_response."""
        named = dataclasses.asdict(self).items()
        return {f"{member.replace('_', '-')}-queue": name for member, name in named}

    def options(self):
        return [f"--{setting}={name}" for setting, name in self.settings().items()]

    def variables(self):
        named = self.settings().items()
        return {f"INVENTORY_{setting.replace('-', '_').upper()}": name for setting, name in named}

    @property
    def requests(self):
        """The request queues, one for each kind, by member."""
        named = dataclasses.asdict(self).items()
        return {member: name for member, name in named if not member.endswith("_response")}


class Service:
    """One `inventory-service serve`. `with` starts it unless it was started, waits until it is ready,
    and stops it at the end."""

    started = []  # for the report of a failed test

    def __init__(self, amqp_url, database_url, queues, options=(), program=PROGRAM):
        # It must not outlive the tests, however they end.
        tied = ["setpriv", "--pdeathsig", "KILL"]
        self.command = [*tied, program, "serve", *queues.options(), *options]
        self.environment = environment(
            AMQP_URL=amqp_url, DATABASE_URL=database_url, INVENTORY_HTTP_LISTEN="127.0.0.1:0"
        )
        self.process = None
        self.lines = []
        self.news = threading.Condition()

    def start(self):
        self.process = subprocess.Popen(
            self.command,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.reader = threading.Thread(target=self._read_log, daemon=True)
        self.reader.start()
        Service.started.append(self)
        return self

    def wait_for_log(self, text, times=1):
        """Waits until the log has `times` lines that contain `text`."""
        with self.news:
            assert self.news.wait_for(
                lambda: self._count(text) >= times or self.ended, timeout=DEADLINE_S
            ), f"no {text!r} in the log within {DEADLINE_S} s"
            assert self._count(text) >= times, f"ended before {text!r} was in the log"

    def wait_ready(self):
        self.wait_for_log("ready: consuming")
        return self

    def stop(self, by=signal.SIGTERM):
        """Asks it to end and returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        status = self.process.wait(timeout=DEADLINE_S)
        self.reader.join(timeout=DEADLINE_S)
        return status

    @property
    def http_port(self):
        self.wait_for_log("http: listening on http://127.0.0.1:")
        line = next(line for line in self.lines if "http: listening on" in line)
        return int(re.search(r"http://127\.0\.0\.1:(\d+)/", line)[1])

    def get(self, target, timeout_s=DEADLINE_S):
        """The status and the text of a page."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http_port, timeout=timeout_s)
        with contextlib.closing(connection):
            connection.request("GET", target)
            response = connection.getresponse()
            return response.status, response.read().decode()

    def metrics(self):
        """Values by series: {'inventory_replays_total{queue="q"}': 0.0, ...}."""
        status, text = self.get("/metrics")
        assert status == 200
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}

    @property
    def log(self):
        return "".join(self.lines)

    @contextlib.contextmanager
    def running(self):
        """Runs it during the block, ready or not, and stops it at the end."""
        self.start()
        try:
            yield
        finally:
            self.__exit__()

    def __enter__(self):
        try:
            return (self if self.process else self.start()).wait_ready()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        try:
            self.stop()
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    ended = False

    def _count(self, text):
        return sum(text in line for line in self.lines)

    def _read_log(self):
        for line in self.process.stdout:
            with self.news:
                self.lines.append(line)
                self.news.notify_all()
        with self.news:
            self.ended = True
            self.news.notify_all()


class Router(Service):
    """One `inventory-service route` for this number of partitions. It has no database."""

    def __init__(self, amqp_url, queues, partitions, options=()):
        super().__init__(amqp_url, "", queues, [f"--partition=all/{partitions}", *options])
        self.command[self.command.index("serve")] = "route"
        del self.environment["DATABASE_URL"]

    def wait_ready(self):
        self.wait_for_log("ready: routing")
        return self


def run(*arguments, **variables):
    """Runs the program to its end: `run("add", "--quantity", "1", AMQP_URL=...)`."""
    return subprocess.run(
        [PROGRAM, *arguments],
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
