"""The private servers, the programs that are measured, and the processor time and memory they use."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import time

import psycopg2

SCRIPTS = pathlib.Path(__file__).resolve().parents[1] / "scripts"
TICKS = os.sysconf("SC_CLK_TCK")
STOCK = 1_000_000_000_000
DEADLINE_S = 60
LAST_ANSWERS_S = 300  # longer than bench-load waits for missing answers


class Failed(Exception):
    pass


def processor_s(pid):
    """Processor time of a process and of its children that have ended; 0 once it is gone."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return 0.0
    fields = stat.rsplit(")", 1)[1].split()
    return sum(int(field) for field in fields[11:15]) / TICKS


def children(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def resident_mib(pid, what="VmRSS"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what + ":"):
            return round(int(line.split()[1]) / 1024, 1)
    raise Failed(f"process {pid} has no {what}")


def busy_s():
    """Processor time of all processes of the machine."""
    fields = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _, _, irq, softirq, steal = (int(field) for field in fields[:8])
    return (user + nice + system + irq + softirq + steal) / TICKS


class Server:
    """A server of scripts/private-*."""

    def __init__(self, kind, folder):
        self.kind, self.folder = kind, folder
        try:
            self.url = self._run("start", "0", str(os.getpid())).strip()
        except BaseException:  # after an interrupt it may be running
            self.stop()
            raise
        self.pid = int((folder / f"{kind}.pid").read_text().split()[0])

    def stop(self):
        self._run("stop")

    def evaluate(self, expression):
        """Evaluates Erlang in the broker."""
        return self._run("eval", expression)

    def _run(self, action, *arguments):
        done = subprocess.run(
            [SCRIPTS / f"private-{self.kind}", action, self.folder, *arguments],
            capture_output=True, text=True, timeout=120,
        )
        if done.returncode != 0:
            raise Failed(f"private-{self.kind} {action}: {done.stderr}")
        return done.stdout


class Servers:
    """RabbitMQ and PostgreSQL for one run of the experiments, and fresh queues and databases."""

    def __init__(self, folder, options, results):
        self.folder, self.results = folder, results
        self.programs, self.is_quick = options.programs, options.quick
        self.count = self.seed = 0

    def __enter__(self):
        self.rabbitmq = Server("rabbitmq", self.folder / "rabbitmq")
        try:
            self.postgres = Server("postgres", self.folder / "postgres")
            with self.cursor() as cursor:
                # Debian's default of 1 GB is for small servers: see docs/performance.md.
                cursor.execute("ALTER SYSTEM SET max_wal_size = '4GB'")
                cursor.execute("SELECT pg_reload_conf()")
        except BaseException:
            self.rabbitmq.stop()
            raise
        return self

    def __exit__(self, *_):
        self.rabbitmq.stop()
        self.postgres.stop()

    def next_seed(self):
        """The seed of a load; each has new order ids."""
        self.seed += 1
        return self.seed

    def fresh_name(self):
        self.count += 1
        return f"bench{self.count}"

    # Databases

    @contextlib.contextmanager
    def cursor(self, database="postgres"):
        with contextlib.closing(psycopg2.connect(self.database_url(database))) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor

    def database_url(self, name):
        return self.postgres.url.rsplit("/", 1)[0] + "/" + name

    def make_database(self, name, products, ledger_rows=0, age="0"):
        """Creates a migrated database with that many products, and orders of that age."""
        with self.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        self.migrate(self.database_url(name))
        with self.cursor(name) as cursor:
            cursor.execute(
                f"INSERT INTO inventory (quantity, description, created_at)"
                f" SELECT {STOCK}, 'item ' || n, now() FROM generate_series(1, {products}) AS n;"
                f"INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)"
                f" SELECT id, 'opening', 'opening', quantity, quantity FROM inventory"
            )
            if ledger_rows > 0:
                # Creates the key at the end, several times faster than row by row.
                cursor.execute(
                    f"SET maintenance_work_mem = '1GB';"
                    f"ALTER TABLE inventory_ledger DROP CONSTRAINT inventory_ledger_pkey;"
                    f"INSERT INTO inventory_ledger"
                    f" (product_id, identity, outcome, quantity, delta, decided_at)"
                    f" SELECT 1 + n % {products}, 's' || gen_random_uuid(), 'accepted', 1, -1,"
                    f" now() - interval '{age}'"
                    f" FROM generate_series(1, {ledger_rows}) AS n;"
                    f"ALTER TABLE inventory_ledger ADD PRIMARY KEY (product_id, identity)"
                )
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
        return self.database_url(name)

    def make_partitions(self, name, products, count):
        """Creates a database with a schema for each partition, and that many products in all."""
        with self.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        self.migrate(self.database_url(name), f"--partition=all/{count}")
        with self.cursor(name) as cursor:
            for number in range(count):
                cursor.execute(
                    f"SET search_path = inventory_{number};"
                    f"INSERT INTO inventory (id, quantity, description, created_at)"
                    f" SELECT n * {count} + {number or count}, {STOCK}, 'item', now()"
                    f"  FROM generate_series(0, {products // count - 1}) AS n;"
                    f"INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)"
                    f" SELECT id, 'opening', 'opening', quantity, quantity FROM inventory"
                )
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")
        return self.database_url(name)

    def add_held(self, name, count, products, is_open, is_due=False):
        """Adds older orders with holds, which are open or have no row any more."""
        expires_at = "now() - interval '1 hour'" if is_due else "now() + interval '20 days'"
        with self.cursor(name) as cursor:
            cursor.execute(
                f"WITH held AS ("
                f" INSERT INTO inventory_ledger"
                f"  (product_id, identity, outcome, quantity, delta, quantity_after, version, terms)"
                f"  SELECT 1 + n % {products}, 's' || gen_random_uuid(), 'held', 1, -1, 0, n,"
                f"   'hold 1 until ' || (extract(epoch FROM {expires_at}) * 1000000)::bigint"
                f"  FROM generate_series(1, {count}) AS n RETURNING product_id, identity)"
                f" INSERT INTO inventory_hold (product_id, identity, quantity, expires_at)"
                f"  SELECT product_id, identity, 1, {expires_at} FROM held WHERE {is_open}"
            )
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("CHECKPOINT")

    def due_holds(self, database_url):
        with self.cursor(database_url.rsplit("/", 1)[1]) as cursor:
            cursor.execute("SELECT count(*) FROM inventory_hold WHERE expires_at <= now()")
            return cursor.fetchone()[0]

    def copy_database(self, template):
        """Creates a copy, so that every run begins with the same data."""
        name = self.fresh_name()
        with self.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            cursor.execute("CHECKPOINT")
        return self.database_url(name)

    def drop_database(self, url):
        with self.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {url.rsplit('/', 1)[1]} WITH (FORCE)")

    def make_sqlite(self, products):
        path = self.folder / f"{self.fresh_name()}.db"
        self.migrate(f"sqlite:{path}")
        with contextlib.closing(sqlite3.connect(path)) as connection, connection:
            numbers = [(n,) for n in range(1, products + 1)]
            connection.executemany(
                f"INSERT INTO inventory (id, quantity, created_at)"
                f" VALUES (?, {STOCK}, '2026-01-01 00:00:00.000000')", numbers)
            connection.executemany(
                f"INSERT INTO inventory_ledger"
                f" (product_id, identity, outcome, quantity, delta, decided_at) VALUES"
                f" (?, 'opening', 'opening', {STOCK}, {STOCK}, '2026-01-01 00:00:00.000000')",
                numbers)
        return path

    def copy_sqlite(self, template):
        path = self.folder / f"{self.fresh_name()}.db"
        shutil.copyfile(template, path)
        return f"sqlite:{path}"

    def migrate(self, database_url, *options):
        done = subprocess.run(
            [self.programs / "inventory-service", "migrate", *options],
            env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
            capture_output=True, text=True, timeout=DEADLINE_S,
        )
        if done.returncode != 0:
            raise Failed(f"migrate: {done.stderr}")

    def wal(self):
        with self.cursor() as cursor:
            cursor.execute("SELECT wal_bytes, wal_fpi, wal_sync FROM pg_stat_wal")
            return dict(zip(("bytes", "page_images", "syncs"), map(int, cursor.fetchone())))

    # Programs

    def service(self, database_url, queue, queue_type="classic", prefetch=None, batch_max=None,
                events=None, partition=None):
        """events: "levels" or "all", sent to an exchange of its own. partition: such as "3/16"."""
        arguments = [
            self.programs / "inventory-service", "serve", f"--order-queue={queue}",
            f"--item-queue={queue}.items", f"--order-response-queue={queue}.responses",
            f"--cancel-queue={queue}.cancel", f"--adjust-queue={queue}.adjust",
            f"--confirm-queue={queue}.confirm", f"--expiry-queue={queue}.expiry",
            f"--queue-type={queue_type}", "--http-listen=127.0.0.1:0",
        ]
        if prefetch:
            arguments.append(f"--prefetch={prefetch}")
        if batch_max:
            arguments.append(f"--batch-max={batch_max}")
        if events:
            arguments += [f"--events-exchange={queue}.events", f"--events={events}"]
        if partition:
            arguments.append(f"--partition={partition}")
        return Program(
            arguments, {"AMQP_URL": self.rabbitmq.url, "DATABASE_URL": database_url},
            "ready: consuming", self.folder / f"{queue}.log",
        )

    def archive(self, database_url):
        """Starts the command `archive`."""
        return subprocess.Popen(
            [self.programs / "inventory-service", "archive", "--older-than=90d"],
            env={"PATH": os.environ["PATH"], "DATABASE_URL": database_url},
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        )

    def baseline(self, queue, queue_type="classic", prefetch=2000, batch_max=500, lanes=1):
        return Program(
            [
                self.programs / "bench-baseline", f"--url={self.rabbitmq.url}", f"--queue={queue}",
                f"--queue-type={queue_type}", f"--prefetch={prefetch}", f"--batch-max={batch_max}",
                f"--lanes={lanes}",
            ],
            {}, "ready", self.folder / f"{queue}.log",
        )

    def load(self, queue, mode, queue_type="classic", **options):
        """Runs bench-load to its end. Returns its report."""
        arguments = [
            self.programs / "bench-load", mode, f"--url={self.rabbitmq.url}", f"--queue={queue}",
            f"--reply-queue={queue}.replies", f"--queue-type={queue_type}",
            *(f"--{name.replace('_', '-')}={value}"
              for name, value in ({"seed": self.next_seed()} | options).items()),
        ]
        lasts_s = options.get("seconds", 0) + options.get("count", 0) / 500
        try:
            done = subprocess.run(arguments, stdout=subprocess.PIPE, text=True,
                                  timeout=lasts_s + LAST_ANSWERS_S)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"bench-load {mode} to {queue} does not end") from error
        if done.returncode != 0:
            raise Failed(f"bench-load {mode} to {queue}: status {done.returncode}: {done.stdout}")
        return json.loads(done.stdout)

    def used(self, *programs):
        """Processor seconds used so far, by part."""
        used = {
            "broker": processor_s(self.rabbitmq.pid),
            "database": sum(map(processor_s, [self.postgres.pid, *children(self.postgres.pid)])),
            "load": sum(os.times()[2:4]),
            "machine": busy_s(),
        }
        if programs:
            used["program"] = sum(processor_s(program.pid) for program in programs)
        return used

    def measure(self, program, queue, mode, may_repeat=False, **options):
        """Runs a load, and adds processor time per order in microseconds, by part, and memory.
        may_repeat: whether an answer may come twice, as beside a bad address."""
        os.sync()  # so that earlier copies are not written to disk during the measurement
        before, wal = self.used(program), self.wal()
        result = self.load(queue, mode, **options)
        after, wal_after = self.used(program), self.wal()
        orders = max(result["answered"], 1)
        result["processor_us"] = {
            part: round((after[part] - before[part]) * 1e6 / orders, 2) for part in after
        }
        result["wal"] = {
            what: round((wal_after[what] - wal[what]) / orders, 3) for what in wal
        }
        result["resident_mib"] = resident_mib(program.pid)
        result["resident_max_mib"] = resident_mib(program.pid, "VmHWM")
        if not result["answered"] == result["accepted"] == result["sent"] > 0:
            raise Failed(f"{queue}: not every order was accepted: {result}")
        # If a queue was silent for long, an answer may come twice, which spoils the measurement.
        if result["repeated"] and not (may_repeat or self.is_quick):
            raise Failed(f"{queue}: not every order has one answer: {result}")
        return result


class Program:
    """Runs a program that answers requests: starts it and waits until it is ready; stops it at the end."""

    def __init__(self, arguments, variables, ready, log):
        self.arguments, self.variables, self.ready, self.log = arguments, variables, ready, log

    def __enter__(self):
        started = time.monotonic()
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                self.arguments, env={"PATH": os.environ["PATH"]} | self.variables,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        self.pid = self.process.pid
        while self.ready not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() - started > DEADLINE_S:
                self.__exit__()
                raise Failed(f"{self.arguments[0]}: {self.log.read_text()}")
            time.sleep(0.001)
        self.ready_s = time.monotonic() - started
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
