"""The experiments: what each one measures and compares. Each returns its part of the results."""

import concurrent.futures
import contextlib
import functools
import itertools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

import pika

from servers import STOCK, Failed, resident_mib

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "tests/support"))
import bad_things  # noqa: E402 (what is in bench has precedence)

PRODUCTS = 1_000
PGBENCH = "/usr/bin/pgbench"  # Debian's, which runs the newest that is installed

# Unanswered orders of a saturated load, which sends an order for each answer: far more than any
# prefetch. With fewer, a larger prefetch would leave a shorter queue, in which an order costs the
# broker less.
WINDOW = 20_000
# Of a quick run: few enough that no reply is put into the `.undelivered` queue if a slow machine
# makes the reply queue silent.
QUICK_WINDOW = 400

# Prefetch, batch and lanes of the baseline; the fastest counts.
BASELINES = (
    (1000, 250, 1), (2000, 250, 1), (2000, 500, 1),
    (4000, 250, 1), (4000, 500, 1), (4000, 1000, 1), (4000, 500, 4),
)

# How many rounds of its runs each experiment has, times --repeat.
ROUNDS = {"baseline": 2, "throughput": 5, "kinds": 3, "events": 5, "batch": 2, "latency": 5, "isolation": 3,
          "ledger": 3, "archive": 3,
          "holds": 5, "partitions": 3}


def few(options, things):
    """Only the first in a quick run."""
    return things[:1] if options.quick else things


def say(text):
    print(f"   {text}", file=sys.stderr)


def rounds(options, experiment, runs):
    """Runs each in turn, for several rounds. Returns a list of results by name."""
    results = {name: [] for name in runs}
    count = 1 if options.quick else ROUNDS[experiment] * options.repeat
    for number in range(count):
        for name, run in runs.items():
            result = run()
            results[name].append(result)
            say(f"{number + 1}/{count} {name}: {result['rate']:.0f} orders/s,"
                f" p50 {result['latency_us']['p50'] / 1000:.2f} ms,"
                f" p99 {result['latency_us']['p99'] / 1000:.2f} ms,"
                f" program {result['processor_us']['program']:.1f} us/order")
    return results


def tuning(options):
    return {"prefetch": options.prefetch, "batch_max": options.batch_max}


def closed(options, **more):
    window = QUICK_WINDOW if options.quick else WINDOW
    return {"mode": "closed", "window": window, "seconds": options.seconds,
            "warmup": options.warmup} | more


def paced(options, rate, **more):
    return {"mode": "paced", "rate": rate, "seconds": options.seconds,
            "warmup": options.warmup} | more


def best_baseline(results, queue_type):
    """The settings with the highest median rate of the experiment `baseline`, if it was run."""
    found = {
        name.split()[1]: statistics.median(run["rate"] for run in runs)
        for name, runs in results.get("baseline", {"results": {}})["results"].items()
        if name.split()[0] == queue_type
    }
    best = max(found, key=found.get, default=None)
    return tuple(map(int, best.split("/"))) if best else BASELINES[0]


def baseline(servers, load, queue_type="classic", settings=None):
    prefetch, batch_max, lanes = settings or best_baseline(servers.results, queue_type)
    queue = servers.fresh_name()
    with servers.baseline(queue, queue_type, prefetch, batch_max, lanes) as program:
        return servers.measure(program, queue, queue_type=queue_type, **load)


def on_postgres(servers, load, template="products", queue_type="classic", **settings):
    database = servers.copy_database(template)
    try:
        return service(servers, load, database, queue_type, **settings)
    finally:
        servers.drop_database(database)


def on_sqlite(servers, load, template, **settings):
    database = servers.copy_sqlite(template)
    try:
        return service(servers, load, database, **settings)
    finally:
        for path in pathlib.Path(database.split(":", 1)[1]).parent.glob(
            database.rsplit("/", 1)[1] + "*"
        ):
            path.unlink()


def service(servers, load, database, queue_type="classic", suffix="", **settings):
    """suffix: what the name of the load's queue adds to that of the order queue."""
    queue = servers.fresh_name()
    with servers.service(database, queue, queue_type, **settings) as program:
        return servers.measure(program, queue + suffix, queue_type=queue_type, **load)


@contextlib.contextmanager
def database(servers, name, *arguments):
    servers.make_database(name, *arguments)
    try:
        yield name
    finally:
        servers.drop_database(servers.database_url(name))


def find_baseline(servers, options):
    """The baseline by prefetch, batch and lanes; the service is compared with the fastest."""
    load = closed(options)
    runs = {}
    for queue_type in ("classic", "quorum"):
        for settings in few(options, BASELINES):
            runs[f"{queue_type} {'/'.join(map(str, settings))}"] = (
                lambda queue_type=queue_type, settings=settings:
                baseline(servers, load, queue_type, settings))
    return rounds(options, "baseline", runs)


def throughput(servers, options):
    """Saturated: the service on each database and queue type, and the baseline."""
    load, one = closed(options, products=PRODUCTS), closed(options, products=1)
    sqlite = servers.make_sqlite(PRODUCTS)
    with database(servers, "products", PRODUCTS):
        return rounds(options, "throughput", {
            "baseline classic": lambda: baseline(servers, load),
            "service classic": lambda: on_postgres(servers, load, **tuning(options)),
            "service classic, one product": lambda: on_postgres(servers, one, **tuning(options)),
            "service classic, SQLite": lambda: on_sqlite(
                servers, load, sqlite, **tuning(options)),
            "baseline quorum": lambda: baseline(servers, load, "quorum"),
            "service quorum": lambda: on_postgres(
                servers, load, queue_type="quorum", **tuning(options)),
        })


def events(servers, options):
    """Saturated: orders for one product, with events and without."""
    load, settings = closed(options, products=1), tuning(options)
    told = {"off": None, "levels": "levels", "all": "all"}
    with database(servers, "products", PRODUCTS):
        return rounds(options, "events", {
            f"events {name}": lambda events=events: on_postgres(
                servers, load, events=events, **settings)
            for name, events in told.items()
        })


BASKET = 5  # items


def kinds(servers, options):
    """Saturated: requests of each kind, including orders of several items."""
    load, one = closed(options, products=PRODUCTS), closed(options, products=1)
    settings = tuning(options)
    with database(servers, "products", PRODUCTS):
        return rounds(options, "kinds", {
            "orders": lambda: on_postgres(servers, load, **settings),
            "baskets": lambda: on_postgres(servers, load | {"items": BASKET}, **settings),
            "cancellations": lambda: cancellations(servers, load, **settings),
            "adjustments, one product": lambda: on_postgres(
                servers, one | {"kind": "adjustment"}, suffix=".adjust", **settings),
        })


def cancellations(servers, load, **settings):
    """Cancels orders that were accepted before; if that is faster than ordering, also unknown ones."""
    queue, url = servers.fresh_name(), servers.copy_database("products")
    load = load | {"seed": servers.next_seed()}
    try:
        with servers.service(url, queue, **settings) as program:
            servers.load(queue, **load)
            return servers.measure(program, f"{queue}.cancel", **load)
    finally:
        servers.drop_database(url)


HOLD_S = 2_592_000  # longer than the experiment takes
LAST_HOLD_S = 600


def holds(servers, options):
    """Saturated: orders with many open holds in the database and with none; then full queues of
    orders, of orders that hold, and of their confirmations. Finally a sweep of holds that are due."""
    count, due = (2_000, 200) if options.quick else (1_000_000, 100_000)
    load, settings = closed(options, products=PRODUCTS), tuning(options)
    with (
        database(servers, "products", PRODUCTS),
        database(servers, "noholds", PRODUCTS),
        database(servers, "openholds", PRODUCTS),
        database(servers, "dueholds", PRODUCTS),
    ):
        servers.add_held("noholds", count, PRODUCTS, is_open=False)
        servers.add_held("openholds", count, PRODUCTS, is_open=True)
        servers.add_held("dueholds", due, PRODUCTS, is_open=True, is_due=True)
        # The same databases for all rounds: copies would take longer than the load.
        runs = {
            f"orders, {what}": lambda name=name: service(
                servers, load, servers.database_url(name), **settings)
            for what, name in (("no holds", "noholds"), ("open holds", "openholds"))
        }
        filled = {"count": round(8_000 * options.seconds), "products": PRODUCTS}
        runs["orders, filled"] = lambda: drained(servers, filled, **settings)
        runs["orders that hold, filled"] = lambda: drained(
            servers, filled | {"hold_seconds": HOLD_S}, **settings)
        runs["confirmations, filled"] = lambda: drained(
            servers, filled | {"hold_seconds": HOLD_S}, (".confirm",), **settings)
        results = rounds(options, "holds", runs)
        return results | {"open": count, "sweep": sweep(servers, options, due, **settings)}


def drained(servers, fill, then=(), **settings):
    """The rate at which the service drains a queue that was full when it started; if the same
    messages go to further queues, the rate of the last."""
    queue, url = servers.fresh_name(), servers.copy_database("products")
    fill = fill | {"seed": servers.next_seed()}
    try:
        with servers.service(url, queue):
            pass  # it declares its queues
        for suffix in ("", *then):
            servers.load(queue + suffix, "fill", **fill)
            started = time.monotonic()
            with servers.service(url, queue, **settings) as program:
                result = servers.measure(program, queue + suffix, "drain", count=fill["count"])
                # From the start: it takes requests before the load waits for answers.
                result["rate"] = round(fill["count"] / (time.monotonic() - started), 1)
        return result
    finally:
        servers.drop_database(url)


SWEEP_RATE = 100  # orders a second beside it


def sweep(servers, options, due, **settings):
    """The time until the last hold is given back, of holds that are due when the service starts."""
    queue, url = servers.fresh_name(), servers.database_url("dueholds")
    load = paced(options, SWEEP_RATE, products=PRODUCTS) | {"warmup": 0}
    started = time.monotonic()
    with servers.service(url, queue, **settings) as program, Memory(program.pid) as memory:
        orders = []
        beside = threading.Thread(
            target=lambda: orders.append(servers.load(queue, **load)), daemon=True)
        beside.start()
        while servers.due_holds(url) > 0:
            if time.monotonic() - started > LAST_HOLD_S:
                raise Failed(f"{servers.due_holds(url)} holds of {due} are not given back")
            time.sleep(0.1)
        took = time.monotonic() - started
        beside.join()
    say(f"{due} holds given back in {took:.1f} s, memory {min(memory.samples)} to"
        f" {max(memory.samples)} MiB, orders beside them: {orders[0]['latency_us']}")
    return {"due": due, "took_s": round(took, 2), "memory_mib": memory.samples,
            "orders": orders[0]}


PARTITIONS = (4, 1, 8)  # more need more connections than PostgreSQL's default maximum


def partitions(servers, options):
    """Saturated: the same products and orders, divided into partitions of one database, each with a
    queue and a service of its own."""
    return rounds(options, "partitions", {
        f"{count} partitions": lambda count=count: divided(servers, options, count)
        for count in few(options, PARTITIONS)
    })


def divided(servers, options, count):
    load = closed(options)
    load |= {"products": PRODUCTS // count, "partitions": count, "window": load["window"] // count}
    queue, name = servers.fresh_name(), servers.fresh_name()
    url = servers.make_partitions(name, PRODUCTS, count)
    try:
        with contextlib.ExitStack() as stack:
            programs = [
                stack.enter_context(servers.service(
                    url, queue, partition=f"{number}/{count}", **tuning(options)))
                for number in range(count)
            ]
            before = servers.used(*programs)
            with concurrent.futures.ThreadPoolExecutor(count) as pool:
                parts = list(pool.map(
                    lambda number: servers.load(f"{queue}.{number}", partition=number, **load),
                    range(count)))
            after = servers.used(*programs)
    finally:
        servers.drop_database(url)
    for part in parts:
        if not part["answered"] == part["accepted"] == part["sent"] > 0:
            raise Failed(f"{queue}: not every order was accepted: {part}")
    answered = sum(part["answered"] for part in parts)
    return {
        "rate": round(sum(part["rate"] for part in parts), 1),
        "answered": answered,
        "latency_us": {
            share: max(part["latency_us"][share] for part in parts) for share in ("p50", "p99")
        },
        "processor_us": {
            part: round((after[part] - before[part]) * 1e6 / answered, 2) for part in after
        },
    }


def batch(servers, options):
    """Saturated, by batch size; the prefetch is four times that."""
    load, runs = closed(options, products=PRODUCTS), {}
    with database(servers, "products", PRODUCTS):
        for size in few(options, (10, 1, 50, 100, 500, 1000)):
            settings = {"prefetch": 4 * size, "batch_max": size}
            runs[f"baseline {size}"] = (
                lambda size=size: baseline(
                    servers, load, settings=(4 * size, size, 1)))
            runs[f"service {size}"] = (
                lambda settings=settings: on_postgres(servers, load, **settings))
        return rounds(options, "batch", runs)


def latency(servers, options):
    """At fixed rates: the service, the baseline, and bare clients of the database."""
    with database(servers, "products", PRODUCTS):
        saturated = on_postgres(servers, closed(options), **tuning(options))["rate"]
        rates = dict(few(options, [("200/s", 200)] + [
            (f"{share:.0%}", saturated * share) for share in (0.5, 0.75)]))
        runs = {}
        for name, rate in rates.items():
            load = paced(options, round(rate, 1), products=PRODUCTS)
            runs[f"baseline {name}"] = lambda load=load: baseline(servers, load)
            runs[f"service {name}"] = (
                lambda load=load: on_postgres(servers, load, **tuning(options)))
        runs["commit 200/s"] = lambda: bare_client(servers, options, 200, BARE_COMMIT)
        runs["transaction 200/s"] = lambda: bare_client(servers, options, 200, BARE_TRANSACTION)
        return {"rates": rates} | rounds(options, "latency", runs)


# A prepared UPDATE of one row.
BARE_COMMIT = f"""\\set id random(1, {PRODUCTS})
UPDATE inventory SET quantity = quantity - 1 WHERE id = :id;
"""

# What the service does for one order: lock and read, then write.
BARE_TRANSACTION = f"""\\set id random(1, {PRODUCTS})
\\set order random(1, 9000000000000000000)
\\startpipeline
BEGIN;
SELECT id, quantity FROM inventory WHERE id = :id FOR NO KEY UPDATE;
SELECT outcome, quantity FROM inventory_ledger WHERE product_id = :id AND identity = 'n' || :order;
\\endpipeline
\\startpipeline
UPDATE inventory SET quantity = quantity - 1 WHERE id = :id;
INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)
 VALUES (:id, 'n' || :order, 'accepted', 1, -1);
COMMIT;
\\endpipeline
"""


def bare_client(servers, options, rate, text):
    """pgbench runs a script with prepared statements over one connection."""
    name = servers.copy_database("products").rsplit("/", 1)[1]
    script = servers.folder / "script.sql"
    script.write_text(text)
    log = servers.folder / name
    try:
        done = subprocess.run(
            [PGBENCH, "-n", "-M", "prepared", "-f", script, "-c", "1", "-R", str(rate), "-T",
             str(max(1, round(options.warmup + options.seconds))), "-l", f"--log-prefix={log}",
             servers.database_url(name)],
            capture_output=True, text=True)
        if done.returncode != 0:
            raise Failed(f"pgbench: {done.stderr}")
    finally:
        servers.drop_database(servers.database_url(name))
    times = []
    for path in servers.folder.glob(f"{name}.*"):
        for line in path.read_text().splitlines():
            fields = line.split()
            times.append(int(fields[2]) - int(fields[6]))  # without the wait for its turn
        path.unlink()
    times.sort()
    return {
        "rate": rate,
        "latency_us": {"p50": times[len(times) // 2], "p99": times[len(times) * 99 // 100]},
        "processor_us": {"program": 0.0},
    }


# How many bad things of a kind there are at a time, and how many orders a second meet one.
BAD_THINGS, BAD_RATE = 100, 10
OTHERS_RATE = 500


def isolation(servers, options):
    """At a fixed rate: the latency of other orders without bad things, beside a hundred of each kind,
    beside some of all kinds, and beside all kinds but slow rows, each of which is waited for."""
    quick = [kind for kind in bad_things.KINDS.values() if kind is not bad_things.Slow]
    kinds = {
        "all kinds": bad_things.All,
        "all but slow rows": functools.partial(bad_things.All, kinds=quick),
    } | bad_things.KINDS
    load = paced(options, OTHERS_RATE, products=PRODUCTS)
    with database(servers, "products", PRODUCTS):
        runs = {"none": lambda: on_postgres(servers, load, **tuning(options))}
        for name in few(options, list(kinds)):
            runs[name] = lambda kind=kinds[name]: beside(servers, load, kind, **tuning(options))
        return rounds(options, "isolation", runs)


def beside(servers, load, kind, **settings):
    queue, url = servers.fresh_name(), servers.copy_database("products")
    place = Place(servers, url)
    is_one = kind in bad_things.KINDS.values()
    count = BAD_THINGS if is_one else BAD_THINGS // len(bad_things.KINDS)
    try:
        with servers.service(url, queue, **settings) as program, kind(place, count) as bad:
            with BadOrders(place, queue, bad.meetings()) as orders:
                result = servers.measure(program, queue, may_repeat=True, **load)
            result["bad_orders"] = orders.sent
            return result
    finally:
        servers.drop_database(url)


class Place:
    """The servers and products for which bad_things makes its bad things."""

    def __init__(self, servers, url):
        self.amqp_url, self.postgres_url, self.product = servers.rabbitmq.url, url, 1
        self.evaluate, self.servers = servers.rabbitmq.evaluate, servers

    def add_products(self, count):
        with self.servers.cursor(self.postgres_url.rsplit("/", 1)[1]) as cursor:
            cursor.execute(
                f"WITH added AS (INSERT INTO inventory (quantity, created_at)"
                f" SELECT {STOCK}, now() FROM generate_series(1, {count}) RETURNING id, quantity)"
                f" INSERT INTO inventory_ledger (product_id, identity, outcome, quantity, delta)"
                f" SELECT id, 'opening', 'opening', quantity, quantity FROM added"
                f" RETURNING product_id")
            return [product for product, in cursor.fetchall()]


class BadOrders:
    """Sends orders that meet the bad things in turn, beside the load."""

    def __init__(self, place, queue, meetings):
        self.place, self.queue, self.meetings = place, queue, meetings
        self.done, self.sent = threading.Event(), 0

    def __enter__(self):
        self.thread = threading.Thread(target=self._send, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _send(self):
        with pika.BlockingConnection(pika.URLParameters(self.place.amqp_url)) as connection:
            channel = connection.channel()
            nobody = channel.queue_declare("", exclusive=True).method.queue
            for meeting in itertools.cycle(self.meetings):
                order = {"order_id": meeting.order_id, "product_id": meeting.product, "quantity": 1}
                properties = meeting.properties(
                    reply_to=meeting.reply_to or nobody, delivery_mode=2)
                channel.basic_publish("", self.queue, json.dumps(order).encode(), properties)
                self.sent += 1
                connection.process_data_events(0)
                if self.done.wait(1 / BAD_RATE):
                    return


def ledger(servers, options):
    """Saturated, with ledgers of different sizes, over few products and over all."""
    products = max(PRODUCTS, options.ledger_rows // 10)
    runs, took, warmed = {}, {}, {}
    with contextlib.ExitStack() as stack:
        for rows in few(options, (options.ledger_rows, options.ledger_rows // 10, 0)):
            started = time.monotonic()
            name = f"ledger{rows}"
            stack.enter_context(
                database(servers, name, PRODUCTS if rows == 0 else products, rows))
            took[rows] = round(time.monotonic() - started, 1)
            say(f"a ledger of {rows} rows took {took[rows]} s to make")
            runs[f"{rows} rows"] = lambda name=name: service(
                servers, closed(options, products=PRODUCTS), servers.database_url(name),
                **tuning(options))
            if rows > 0:
                runs[f"{rows} rows, all products"] = lambda name=name: service(
                    servers, closed(options, products=products), servers.database_url(name),
                    **tuning(options))
        # The same database for all rounds: a copy of gigabytes would take longer than the load.
        # After a checkpoint PostgreSQL writes a full image of each page at its first change. Here a
        # checkpoint was just made; in production it was minutes ago, and most pages were changed since.
        warm = closed(options) | {"seconds": 6 * options.seconds, "products": products}
        for rows in sorted(took)[1:] if not options.quick else []:
            result = service(
                servers, warm, servers.database_url(f"ledger{rows}"), **tuning(options))
            say(f"{rows} rows, after a checkpoint: {result['rate']:.0f} orders/s,"
                f" {result['wal']['bytes']:.0f} bytes of WAL per order")
            warmed[rows] = result
        made = {"products": products, "made_in_s": took, "after_checkpoint": warmed}
        return made | rounds(options, "ledger", runs)


def backlog(servers, options):
    """The service starts with a full queue: how fast it drains it, and how much memory it uses."""
    count = options.backlog
    with database(servers, "products", PRODUCTS):
        saturated = on_postgres(servers, closed(options), **tuning(options))
        results = {"saturated before": saturated}
        queue = servers.fresh_name()
        url = servers.copy_database("products")
        with servers.service(url, queue):
            pass  # it declares its queues
        servers.load(queue, "fill", count=count)
        os.sync()
        started = time.monotonic()
        with servers.service(url, queue, **tuning(options)) as program:
            with Memory(program.pid) as memory:
                result = servers.measure(program, queue, "drain", count=count)
            # From the start of the service: it takes orders before the load waits for answers.
            result["rate"] = round(count / (time.monotonic() - started), 1)
        result["memory_mib"] = memory.samples
        results["drained"] = result
        say(f"{result['rate']:.0f} orders/s, saturated {saturated['rate']:.0f},"
            f" memory {min(memory.samples)} to {max(memory.samples)} MiB")
        results["saturated after"] = on_postgres(servers, closed(options), **tuning(options))
        return results


def start(servers, options):
    """The time from the start of the process until it is ready, with the schema in place."""
    times = []
    with database(servers, "products", PRODUCTS):
        queue = servers.fresh_name()
        with servers.service(servers.database_url("products"), queue):
            pass
        for _ in range(2 if options.quick else 10):
            with servers.service(servers.database_url("products"), queue) as program:
                times.append(round(program.ready_s, 4))
    say(f"ready after {statistics.median(times) * 1000:.0f} ms")
    return {"ready_s": times}


def memory(servers, options):
    """Memory during a long saturated load."""
    load = closed(options, products=PRODUCTS) | {"seconds": options.memory_minutes * 60}
    queue = servers.fresh_name()
    with database(servers, "products", PRODUCTS):
        with servers.service(
            servers.database_url("products"), queue, **tuning(options)
        ) as program, Memory(program.pid) as samples:
            result = servers.measure(program, queue, **load)
    result["memory_mib"] = samples.samples
    say(f"{options.memory_minutes} min at {result['rate']:.0f} orders/s:"
        f" {min(samples.samples)} to {max(samples.samples)} MiB")
    return result


class Memory:
    """Samples the resident memory of a process each second."""

    def __init__(self, pid):
        self.pid, self.samples, self.done = pid, [], threading.Event()

    def __enter__(self):
        self.thread = threading.Thread(target=self._sample, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.thread.join()

    def _sample(self):
        while True:
            try:
                self.samples.append(resident_mib(self.pid))
            except (OSError, Failed):
                return
            if self.done.wait(1.0):
                return


def archive(servers, options):
    """Old entries are archived: without orders, and beside orders, whose rate is compared with that
    of orders without archiving."""
    rows = options.ledger_rows // 3
    load = closed(options, products=PRODUCTS)
    with database(servers, "old", PRODUCTS, rows, "1 year"):
        results = rounds(options, "archive", {
            "orders": lambda: on_postgres(servers, load, "old", **tuning(options)),
            "orders, archive beside": lambda: beside_archive(servers, options, load),
        })
        url = servers.copy_database("old")
        started = time.monotonic()
        done = servers.archive(url).wait()
        seconds = time.monotonic() - started
        servers.drop_database(url)
    if done != 0:
        raise Failed(f"archive: status {done}")
    say(f"{rows} entries taken out in {seconds:.1f} s, {rows / seconds:.0f} in a second")
    return {"rows": rows, "seconds": round(seconds, 2), "results": results}


def beside_archive(servers, options, load):
    url = servers.copy_database("old")
    queue = servers.fresh_name()
    try:
        with servers.service(url, queue, **tuning(options)) as program:
            archiving = servers.archive(url)
            try:
                result = servers.measure(program, queue, **load)
                if archiving.poll() is not None and not options.quick:
                    raise Failed("archive ended before the orders: --ledger-rows is too small")
            finally:
                archiving.terminate()
                archiving.wait()
            return result
    finally:
        servers.drop_database(url)


ALL = {
    "baseline": find_baseline,
    "throughput": throughput,
    "kinds": kinds,
    "events": events,
    "holds": holds,
    "partitions": partitions,
    "batch": batch,
    "latency": latency,
    "isolation": isolation,
    "ledger": ledger,
    "archive": archive,
    "backlog": backlog,
    "start": start,
    "memory": memory,
}
