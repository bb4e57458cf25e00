"""The faults, and the order in which they happen with a seed."""

import contextlib
import dataclasses
import signal
import threading
import time

import psycopg2

import bad_things
import gate
from database import Postgres
from waiting import wait_for

RECOVERY_S = 300  # until answers come again, on a very busy machine


@dataclasses.dataclass(frozen=True)
class Fault:
    """`happen(world, chance)` is a context manager that begins and ends the fault."""

    name: str
    target: str  # concurrent faults never have the same target
    hold_s: tuple  # the minimum and maximum duration
    happen: object


# The service


@contextlib.contextmanager
def _service_killed(world, chance):
    number = chance.randrange(len(world.services))
    world.services[number].process.kill()
    world.services[number].process.wait()
    yield
    world.start_service(number)


@contextlib.contextmanager
def _service_stopped(world, chance):
    number = chance.randrange(len(world.services))
    world.stop_service(number)
    yield
    world.start_service(number)


@contextlib.contextmanager
def _service_frozen(world, chance):
    process = chance.choice(world.services).process
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def _partition_full(world, chance):
    """A partition's queue takes nothing: the router keeps its requests and passes on the others."""
    queue = f"{world.queues.order}.{chance.randrange(world.partitions)}"
    full = '{"max-length": 0, "overflow": "reject-publish"}'
    world.broker.control("set_policy", "full", f"^{queue}$", full, "--apply-to", "queues")
    try:
        yield
    finally:
        world.broker.control("clear_policy", "full")


# Servers


def _killed(find):
    @contextlib.contextmanager
    def happen(world, chance):
        server = find(world, chance)
        server.kill()
        yield
        server.start()

    return happen


def _stopped(find):
    @contextlib.contextmanager
    def happen(world, chance):
        server = find(world, chance)
        server.stop()
        yield
        server.start()

    return happen


def _frozen(find):
    @contextlib.contextmanager
    def happen(world, chance):
        with find(world, chance).frozen():
            yield

    return happen


@contextlib.contextmanager
def _memory_alarm(world, _):
    with world.broker.memory_alarm():
        yield


@contextlib.contextmanager
def _connections_closed(world, _):
    # catch: a client that loses one connection may have closed another.
    world.broker.evaluate(
        '[(catch rabbit_networking:close_connection(Pid, "chaos"))'
        " || Pid <- rabbit_networking:connections()]"
    )
    yield


@contextlib.contextmanager
def _backends_terminated(world, _):
    terminate = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    world.database.query(terminate)
    yield
    world.database.query(terminate)


@contextlib.contextmanager
def _table_locked(world, _):
    connection = psycopg2.connect(world.database.url)
    with contextlib.closing(connection), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE inventory IN EXCLUSIVE MODE")
        yield


@contextlib.contextmanager
def _primary_lost(world, _):
    world.primary.vanish()
    yield
    assert Postgres(world.standby.url).query("SELECT pg_promote()") == [(True,)]


# PostgreSQL under Patroni. Each fault ends when there are a leader and two standbys again.


def _with_patroni(happen):
    @contextlib.contextmanager
    def measured(world, chance):
        with _longest_pause(world) as pause, happen(world.patroni):
            yield
        name = happen.__name__.strip("_").replace("_", " ")
        world.figures[f"longest time without an answer, ms: {name}"] += pause()

    return measured


@contextlib.contextmanager
def _longest_pause(world):
    """Measures the longest pause between two answers during the block."""
    longest, ended = [0.0], threading.Event()

    def watch():
        count, since = len(world.traffic.answers), time.monotonic()
        while not ended.wait(0.05):
            now = time.monotonic()
            if count != (count := len(world.traffic.answers)):
                since = now
            longest[0] = max(longest[0], now - since)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: round(1000 * longest[0])
    finally:
        ended.set()
        watcher.join()


@contextlib.contextmanager
def _leader_lost(patroni):
    leader = patroni.leader()
    leader.vanish()
    yield
    patroni.wait_for_leader(other_than=leader)
    leader.patroni.start()
    patroni.wait_until_whole()


@contextlib.contextmanager
def _leader_frozen(patroni):
    """The leader continues later, and must notice that it is no longer the leader."""
    leader = patroni.leader()
    with leader.frozen():
        yield
        patroni.wait_for_leader(other_than=leader)
    patroni.wait_until_whole()


@contextlib.contextmanager
def _leader_cut_off_from_etcd(patroni):
    leader = patroni.leader()
    for link in leader.gates:
        link.refuse()
        link.cut()
    yield
    patroni.wait_for_leader(other_than=leader)
    for link in leader.gates:
        link.open()
    patroni.wait_until_whole()


@contextlib.contextmanager
def _leader_switched_over(patroni):
    leader = patroni.switch_over()
    yield
    patroni.wait_for_leader(other_than=leader)
    patroni.wait_until_whole()


@contextlib.contextmanager
def _leader_of_etcd_killed(patroni):
    member = wait_for(patroni.etcd.leading_member, "etcd has a leader")
    member.kill()
    yield
    member.start()
    wait_for(patroni.etcd.leading_member, "etcd has a leader")
    patroni.wait_until_whole()


# Links


def _cut(find):
    @contextlib.contextmanager
    def happen(world, _):
        world.figures["fault: one link cut"] += find(world).cut()
        yield
        world.figures["fault: one link cut"] += find(world).cut()

    return happen


def _cut_within_a_message(find):
    @contextlib.contextmanager
    def happen(world, chance):
        direction = chance.choice([gate.UP, gate.DOWN])
        find(world).cut_after(direction, chance.randint(1, chance.choice([100, 3000, 60_000])))
        yield
        world.figures["fault: one link cut"] += find(world).stop_cutting()

    return happen


def _stalled(find):
    @contextlib.contextmanager
    def happen(world, _):
        find(world).stall()
        yield
        find(world).flow()

    return happen


def _refused(find):
    @contextlib.contextmanager
    def happen(world, _):
        find(world).refuse()
        world.figures["fault: one link cut"] += find(world).cut()
        yield
        find(world).open()

    return happen


def _broker(world, _=None):
    return world.broker


def _database(world, _=None):
    return world.database_server


def _node(world, chance):
    return chance.choice(world.nodes)


def _standby(world, _):
    return world.standby


@contextlib.contextmanager
def _node_parted(world, chance):
    join = world.cluster.part(_node(world, chance))
    yield
    join()


@contextlib.contextmanager
def _majority_frozen(world, chance):
    world.cluster.wait_until_whole()
    one, other = chance.sample(world.nodes, 2)
    with one.frozen(), other.frozen():
        yield
    world.cluster.wait_until_whole()


def _gate_faults(name, find):
    return [
        Fault(f"{name} links cut", f"{name} links", (0, 1), _cut(find)),
        Fault(f"{name} links cut within a message", f"{name} links", (1, 4),
              _cut_within_a_message(find)),
        Fault(f"{name} links stalled", f"{name} links", (1, 8), _stalled(find)),
        Fault(f"{name} links refused", f"{name} links", (1, 4), _refused(find)),
    ]  # fmt: skip


# Bad things, which harm only the requests that meet them


BAD_ORDERS = 20  # orders that meet a bad thing


def _bad(kind):
    @contextlib.contextmanager
    def happen(world, chance):
        count = chance.choice([1, 5])
        with kind(Place(world, chance), count) as bad:
            for meeting in chance.choices(bad.meetings(), k=BAD_ORDERS):
                world.traffic.ask(world.bad_request(meeting))
            yield
            bad.end()

    return happen


class Place:
    """Where bad things are made; the traffic orders the same products."""

    def __init__(self, world, chance):
        self.amqp_url, self.postgres_url = world.broker_urls[0], world.database.url
        self.evaluate = world.broker.evaluate
        self.product = chance.choice(world.products)
        self.add_products = lambda count: chance.sample(world.products, count)


QUORUM_CLIENTS = [
    Fault("silent classic reply queue", "broker", (1, 8), _bad(bad_things.SilentClassic)),
    Fault("silent quorum reply queue", "broker", (1, 8), _bad(bad_things.SilentQuorum)),
    Fault("full reply queue", "broker", (1, 8), _bad(bad_things.Full)),
    Fault("bad direct reply-to address", "content", (0, 2), _bad(bad_things.BadAddress)),
]
CLIENTS = [
    *QUORUM_CLIENTS,
    # Quorum queues do not pass on undecodable content.
    Fault("undecodable content", "content", (0, 2), _bad(bad_things.UndefinedFlag)),
]
ROWS = [
    Fault("row locked", "database", (1, 8), _bad(bad_things.Locked)),
    Fault("product poisoned", "database", (1, 8), _bad(bad_things.Poisoned)),
]
SERVICE = [
    Fault("service killed", "service", (0, 2), _service_killed),
    Fault("service killed", "service", (0, 0), _service_killed),
    Fault("service stopped", "service", (0, 1), _service_stopped),
    Fault("service frozen", "service", (1, 8), _service_frozen),
]
PARTITIONS = [
    Fault("queue of a partition full", "broker", (1, 8), _partition_full),
    Fault("queue of a partition full", "broker", (1, 15), _partition_full),
]
BROKER = [
    Fault("broker killed", "broker", (0, 2), _killed(_broker)),
    Fault("broker restarted", "broker", (0, 2), _stopped(_broker)),
    Fault("broker frozen", "broker", (1, 8), _frozen(_broker)),
    Fault("memory alarm", "broker", (1, 5), _memory_alarm),
    Fault("connections closed by the broker", "broker", (0, 0), _connections_closed),
    *_gate_faults("broker", lambda world: world.broker_gate),
]
DATABASE = [
    Fault("database killed", "database", (0, 2), _killed(_database)),
    Fault("database killed", "database", (0, 0), _killed(_database)),
    Fault("database restarted", "database", (0, 2), _stopped(_database)),
    Fault("database frozen", "database", (1, 8), _frozen(_database)),
    Fault("database sessions terminated", "database", (0, 1), _backends_terminated),
    Fault("table locked", "database", (1, 8), _table_locked),
    *_gate_faults("database", lambda world: world.database_gate),
]
NODES = [
    Fault("node killed", "broker", (0, 5), _killed(_node)),
    Fault("node killed", "broker", (0, 2), _killed(_node)),
    Fault("node restarted", "broker", (0, 5), _stopped(_node)),
    Fault("node frozen", "broker", (1, 8), _frozen(_node)),
    Fault("node parted from the others", "broker", (2, 10), _node_parted),
    Fault("majority of nodes frozen", "broker", (1, 8), _majority_frozen),
]
STANDBY = [
    Fault("standby killed", "database", (0, 2), _killed(_standby)),
    Fault("standby frozen", "database", (1, 8), _frozen(_standby)),
]
PATRONI = [
    Fault("leader lost", "database", (0, 3), _with_patroni(_leader_lost)),
    Fault("leader frozen", "database", (1, 8), _with_patroni(_leader_frozen)),
    Fault("leader cut off from etcd", "database", (1, 8), _with_patroni(_leader_cut_off_from_etcd)),
    Fault("leader switched over", "database", (0, 1), _with_patroni(_leader_switched_over)),
    Fault("leader of etcd killed", "database", (1, 5), _with_patroni(_leader_of_etcd_killed)),
]
PRIMARY_LOST = [
    Fault("primary lost, standby promoted", "database", (0, 3), _primary_lost),
]


def happen(world, faults, chance, say):
    """Lets every fault happen once, in random order, some of them in pairs. After most faults, waits
    until requests are answered again."""
    left = chance.sample(faults, len(faults))
    while left:
        now = [left.pop()]
        other = next((fault for fault in left if fault.target != now[0].target), None)
        if other and chance.random() < 0.4:
            left.remove(other)
            now.append(other)
        hold = max(chance.uniform(*fault.hold_s) for fault in now)
        say(f"{' and '.join(fault.name for fault in now)}, for {hold:.1f} s")
        with contextlib.ExitStack() as stack:
            for fault in now:
                stack.enter_context(fault.happen(world, chance))
                world.figures[f"fault: {fault.name}"] += 1
            time.sleep(hold)
        world.assert_services_run()
        if chance.random() < 0.7:
            world.traffic.wait_for_answers(chance.randint(1, 300), RECOVERY_S)
