"""Whatever fails, and whenever: nothing is lost, nothing is decided twice, stock and ledger agree.

Each test is a scenario; a seed determines the requests and the faults, and their order.
"""

import contextlib
import functools
import os
import types
import uuid

import pytest

import faults
from cluster import Cluster
from database import Postgres, Sqlite
from gate import Gate
from patroni_cluster import PatroniCluster
from servers import Server
from service import Queues, Router, Service, run
from traffic import RequestsOfPartitions, RequestsOfVersion1
from waiting import wait_for
from world import World

EVENTS = ("levels", "all")  # in turn


@pytest.fixture(scope="module")
def broker(folder):
    with Server("rabbitmq", folder / "rabbitmq") as server:
        yield server


def through(gate, url, server):
    return url.replace(str(server.port), str(gate.port)) + "?heartbeat=2"


@contextlib.contextmanager
def servers_behind_gates(broker, folder):
    """A PostgreSQL, and gates in front of it and of the broker, as parts of a world."""
    with (
        Server("postgres", folder) as postgres,
        Gate(broker.port) as broker_gate,
        Gate(postgres.port) as database_gate,
    ):
        yield {
            "broker": broker,
            "broker_gate": broker_gate,
            "database_server": postgres,
            "database_gate": database_gate,
        }


def world_of(servers, database, **parts):
    """A world whose services reach both servers through the gates."""
    broker, postgres = servers["broker"], servers["database_server"]
    service_urls = (
        through(servers["broker_gate"], broker.url, broker),
        database.url.replace(str(postgres.port), str(servers["database_gate"].port)),
    )
    return World(Queues.fresh(), database, [broker.url], service_urls, **servers, **parts)


def test_with_postgres(broker, folder, rounds):
    def make_faults(world, chance, say):
        everything = faults.SERVICE + faults.BROKER + faults.DATABASE
        faults.happen(world, everything + faults.CLIENTS + faults.ROWS, chance, say)

    with servers_behind_gates(broker, folder / "postgres") as servers:
        for seed in rounds:
            database = Postgres.new_schema(servers["database_server"].url)
            world = world_of(servers, database, events=EVENTS[seed % 2])
            rounds.add(world.run(seed, make_faults, "with postgres"))


PARTITIONS = 4
ROUTERS = 2
TABLES = ("inventory", "inventory_ledger", "inventory_hold")


def divided_database(server):
    """A database with a schema for each partition, and views that combine all of them."""
    database = Postgres.new_database(server.url)
    migrated = run("migrate", DATABASE_URL=database.url, INVENTORY_PARTITION=f"all/{PARTITIONS}")
    assert migrated.returncode == 0, migrated.stderr
    database.execute("CREATE SCHEMA whole")
    for table in TABLES:
        parts = " UNION ALL ".join(
            f"SELECT * FROM inventory_{number}.{table}" for number in range(PARTITIONS)
        )
        database.execute(f"CREATE VIEW whole.{table} AS {parts}")
    database.execute(
        f"ALTER DATABASE {database.url.rsplit('/', 1)[1]} SET search_path = whole, public"
    )
    return database


def part(number, amqp_url, database_url, queues, options):
    """Two routers, and an instance for each partition; two for the first."""
    if number < ROUTERS:
        return Router(amqp_url, queues, PARTITIONS, options)
    own = f"--partition={(number - ROUTERS) % PARTITIONS}/{PARTITIONS}"
    return Service(amqp_url, database_url, queues, [*options, own])


def test_with_partitions(broker, folder, rounds):
    def make_faults(world, chance, say):
        servers = faults.BROKER + faults.DATABASE[:4]
        faults.happen(world, faults.SERVICE + faults.PARTITIONS + servers, chance, say)

    with servers_behind_gates(broker, folder / "postgres-of-partitions") as servers:
        for seed in rounds:
            world = world_of(
                servers,
                divided_database(servers["database_server"]),
                instances=ROUTERS + PARTITIONS + 1,
                partitions=PARTITIONS,
                make_service=part,
                requests=functools.partial(RequestsOfPartitions, partitions=PARTITIONS),
            )
            rounds.add(world.run(seed, make_faults, "with partitions"))


VERSION_1 = os.environ.get("INVENTORY_TEST_VERSION_1")


@pytest.mark.skipif(not VERSION_1, reason="INVENTORY_TEST_VERSION_1 names no program of 1.0")
def test_with_an_upgrade(broker, folder, rounds):
    """Instances of 1.0 are upgraded to this version one by one, under load, while others fail."""
    with Server("postgres", folder / "postgres-of-upgrade") as postgres:
        for seed in rounds:
            are_new = set()

            def make_service(number, amqp_url, database_url, queues, options):
                if number in are_new:
                    return Service(amqp_url, database_url, queues, options)
                known = types.SimpleNamespace(options=lambda: queues.options()[:4])
                return Service(amqp_url, database_url, known, options, VERSION_1)

            def make_faults(world, chance, say):
                faults.happen(world, faults.SERVICE[:3], chance, say)
                for number in range(world.instances):
                    world.stop_service(number)
                    are_new.add(number)
                    world.start_service(number)
                    world.traffic.wait_for_answers(100, faults.RECOVERY_S)
                    say(f"service {number} is of now")
                    faults.happen(world, faults.SERVICE[:3], chance, say)
                for service in world.services:
                    service.wait_ready()
                world.traffic.requests.knows_all = True
                faults.happen(world, faults.SERVICE[:3], chance, say)

            database = Postgres.new_schema(postgres.url)
            world = World(
                Queues.fresh(),
                database,
                [broker.url],
                (broker.url, database.url),
                requests=RequestsOfVersion1,
                make_service=make_service,
                broker=broker,
            )
            rounds.add(world.run(seed, make_faults, "with an upgrade"))


def test_with_sqlite(broker, folder, rounds):
    with Gate(broker.port) as broker_gate:

        def make_faults(world, chance, say):
            everything = 3 * faults.SERVICE + faults.BROKER + faults.CLIENTS
            faults.happen(world, everything, chance, say)

        for seed in rounds:
            database = Sqlite(folder)
            world = World(
                Queues.fresh(),
                database,
                [broker.url],
                (through(broker_gate, broker.url, broker), database.url),
                instances=1,
                events=EVENTS[(seed + 1) % 2],
                broker=broker,
                broker_gate=broker_gate,
            )
            rounds.add(world.run(seed, make_faults, "with sqlite"))


def test_with_a_standby_that_is_promoted(broker, folder, rounds):
    """What a client was told is on both servers, so losing the primary loses nothing."""

    def make_faults(world, chance, say):
        faults.happen(world, faults.SERVICE[:1] + faults.STANDBY, chance, say)
        faults.happen(world, faults.PRIMARY_LOST, chance, say)
        faults.happen(world, faults.SERVICE[:3], chance, say)

    for seed in rounds:
        with contextlib.ExitStack() as stack:
            primary = stack.enter_context(Server("postgres", folder / f"primary-{seed}"))
            standby = stack.enter_context(
                Server("postgres", folder / f"standby-{seed}", standby_of=primary.url)
            )
            database = Postgres.new_schema(primary.url)
            replicate_synchronously(Postgres(primary.url))
            hosts = [f"127.0.0.1:{server.port}" for server in (primary, standby)]
            world = World(
                Queues.fresh(),
                Postgres(database.url.replace(hosts[0], hosts[1])),
                [broker.url],
                (
                    broker.url,
                    database.url.replace(hosts[0], ",".join(hosts))
                    + "&target_session_attrs=read-write",
                ),
                broker=broker,
                primary=primary,
                standby=standby,
            )
            rounds.add(world.run(seed, make_faults, "with a standby"))


def test_with_patroni(broker, folder, rounds):
    """Automatic failover: of two instances, one names all hosts, one connects through HAProxy."""

    def make_faults(world, chance, say):
        faults.happen(world, faults.PATRONI + faults.SERVICE[:3], chance, say)

    with PatroniCluster(folder / "patroni") as patroni:
        for seed in rounds:
            schema = f"inventory_{uuid.uuid4().hex}"
            search_path = f"options=-csearch_path%3D{schema}"
            database = Postgres(f"{patroni.url}&{search_path}")
            database.execute(f"CREATE SCHEMA {schema}")
            world = World(
                Queues.fresh(),
                database,
                [broker.url],
                (broker.url, database.url, f"{patroni.proxy_url}?{search_path}"),
                events=EVENTS[seed % 2],
                broker=broker,
                patroni=patroni,
            )
            rounds.add(world.run(seed, make_faults, "with patroni"))


def replicate_synchronously(primary):
    primary.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
    primary.execute("SELECT pg_reload_conf()")
    states = "SELECT sync_state FROM pg_stat_replication"
    wait_for(lambda: primary.query(states) == [("sync",)], "a synchronous standby")


def test_with_a_cluster(folder, rounds):
    """Three nodes and quorum queues; one node fails at a time."""

    def make_faults(world, chance, say):
        faults.happen(world, faults.NODES + faults.SERVICE[:3], chance, say)

    with contextlib.ExitStack() as stack:
        postgres = stack.enter_context(Server("postgres", folder / "postgres-of-cluster"))
        cluster = stack.enter_context(Cluster(folder / "cluster"))
        nodes = cluster.nodes
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        for seed in rounds:
            database = Postgres.new_schema(postgres.url)
            world = World(
                Queues.fresh(),
                database,
                [node.url for node in nodes],
                (f"amqp://guest:guest@{hosts}/?heartbeat=2", database.url),
                queue_type="quorum",
                events=EVENTS[(seed + 1) % 2],
                broker=nodes[0],
                cluster=cluster,
                nodes=nodes,
            )
            rounds.add(world.run(seed, make_faults, "with a cluster"))
